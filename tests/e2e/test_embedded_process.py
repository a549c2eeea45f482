"""`opstrail up` as a process: first start, clean stop, sudden death, a second one on its folder."""

import json
import os
import stat
import subprocess
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.opstrail import EmbeddedOpstrail, User, leaked_keys, opstrail

KILLS = 6
EVENTS_PER_REQUEST = 20
# Hundreds of events a second: what is starting needs the processor more than the sender.
PAUSE_S = 0.03


def session(number: int) -> dict[str, Any]:
    return {
        "type": "ssh_session",
        "id": str(uuid.uuid4()),
        "workspace": f"workspace-{number % 5}",
        "host": {"inventory_name": "server01"},
        "started_at": f"2026-03-24T10:{number // 60 % 60:02}:{number % 60:02}Z",
        "ended_at": "2026-03-24T11:27:45Z",
    }


def ids(user: User) -> list[str]:
    return sorted(entry["id"] for entry in user.timeline())


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedOpstrail]:
    """For tests that neither stop it nor look at all it holds."""
    system = EmbeddedOpstrail(tmp_path_factory.mktemp("running"))
    yield system
    system.close()


def test_the_admin_key_is_printed_once_and_kept_for_its_owner_only(tmp_path: Path) -> None:
    system = EmbeddedOpstrail(tmp_path)
    key_file = tmp_path / "data" / "admin.key"
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert leaked_keys(system.process.output) == [system.admin_key]

    system.process.stop()
    assert system.process.exit_code == 0
    system.start()

    assert leaked_keys(system.process.output) == [system.admin_key]
    assert User(system).timeline() == []
    system.close()


def test_what_was_accepted_before_sigterm_is_there_after_the_next_start(tmp_path: Path) -> None:
    system = EmbeddedOpstrail(tmp_path)
    events = [session(number) for number in range(500)]
    answer = User(system).send(*events, wait=False)

    system.process.stop()
    assert system.process.exit_code == 0
    system.start()

    user = User(system)
    user.wait_for(answer["position"])
    assert ids(user) == sorted(event["id"] for event in events)
    system.close()


def test_what_got_202_survives_kill_9_in_a_loop_once_each(tmp_path: Path) -> None:
    system = EmbeddedOpstrail(tmp_path)
    accepted: list[str] = []
    attempted: list[str] = []
    is_over = threading.Event()

    def send_without_end() -> None:
        number = 0
        user = User(system)
        while not is_over.wait(PAUSE_S):
            events = [session(number + step) for step in range(EVENTS_PER_REQUEST)]
            number += EVENTS_PER_REQUEST
            attempted.extend(event["id"] for event in events)
            try:
                user.send(*events, wait=False)
            except (httpx.TransportError, AssertionError):
                continue
            accepted.extend(event["id"] for event in events)

    sender = threading.Thread(target=send_without_end)
    sender.start()
    for _ in range(KILLS):
        known = len(accepted)
        system.process.wait_until(
            lambda before=known: len(accepted) > before + 200,  # type: ignore[misc]
            timeout_s=60,
            what="events to be accepted",
        )
        system.process.kill()
        system.start()
    is_over.set()
    sender.join()

    user = User(system)
    user.wait_for(user.send(session(0))["position"])
    found = ids(user)
    system.close()
    assert len(found) == len(set(found))
    assert set(accepted) <= set(found), "nothing that got 202 is lost"
    # What got no answer may be there or not; nothing else is.
    assert len(set(found) - set(attempted)) == 1


def test_a_second_process_on_the_folder_is_refused_with_a_clear_word(
    running: EmbeddedOpstrail,
) -> None:
    second = subprocess.run(
        opstrail("up", "--data-dir", str(running.folder / "data"), "--port", "0"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert running.process.is_running
    assert second.returncode == 2
    assert "OPSTRAIL_DATA_DIR" in second.stderr
    assert "in use by another" in second.stderr


def test_the_demo_tells_the_story_and_stops(tmp_path: Path) -> None:
    ended = subprocess.run(
        opstrail("demo", "--exit"),
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "80"},
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    assert "configured by commit a42b9e1" in ended.stdout
    assert "after action run" in ended.stdout
    case = ended.stdout.partition("The case")[2]
    assert "ssh server01.acme-corp.com  ended" in case
    assert "commit      a42b9e1 on main" in case
    assert "This picture is complete" in case
    assert "opstrail deployments --environment production" in case
    assert all(len(line) <= 80 for line in ended.stdout.splitlines())
    assert not leaked_keys(ended.stdout + ended.stderr)
    assert not list(tmp_path.iterdir()), "a demo without --data-dir leaves nothing behind"


@pytest.mark.parametrize("key", ["", "opstrail_wrong"])
def test_a_command_without_a_good_key_says_so(running: EmbeddedOpstrail, key: str) -> None:
    ended = subprocess.run(
        opstrail("timeline"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "OPSTRAIL_URL": running.url, "OPSTRAIL_KEY": key},
    )

    assert ended.returncode == 1
    assert "key" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_send_says_which_events_were_refused_and_why(running: EmbeddedOpstrail) -> None:
    lines = [json.dumps(session(1)), "{nope", json.dumps({**session(2), "stdout": "x"})]
    ended = subprocess.run(
        opstrail("send", "-", "--wait", "20"),
        input="\n".join(lines),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "OPSTRAIL_URL": running.url, "OPSTRAIL_KEY": running.admin_key},
    )

    assert ended.returncode == 1
    assert "1 accepted, 2 rejected" in ended.stdout
    assert "event 1: not_json" in ended.stdout
    assert "event 2: unknown_field stdout" in ended.stdout
    assert "on the timeline" in ended.stdout


def test_a_server_that_is_away_is_exit_code_69() -> None:
    ended = subprocess.run(
        opstrail("timeline"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "OPSTRAIL_URL": "http://127.0.0.1:9", "OPSTRAIL_KEY": "x"},
    )

    assert ended.returncode == 69
    assert "does not answer" in ended.stderr


def test_a_bad_setting_names_itself() -> None:
    ended = subprocess.run(
        opstrail("check"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "OPSTRAIL_PARTITIONS": "none"},
    )

    assert ended.returncode == 2
    assert "OPSTRAIL_PARTITIONS" in ended.stderr
