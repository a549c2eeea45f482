"""A backup of a running `opstrail up`, and what is made of it: it answers the same."""

import json
import os
import shutil
import stat
import subprocess
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from opstrail.restored_folder import restore_folder
from opstrail.story import story
from tests.support.opstrail import EmbeddedOpstrail, Event, User, leaked_keys, opstrail

LABEL = {"environment": "production", "labels": {"team": "a"}, "deploy_actions": None}
EVENTS_PER_REQUEST = 20
# Far from all else, in whose cases it would be the same actor's other work.
APRIL = {"started_at": "2026-04-24T10:00:00Z", "ended_at": "2026-04-24T11:00:00Z"}


def session(workspace: str, **more: Any) -> Event:
    return {
        "type": "ssh_session",
        "id": str(uuid.uuid4()),
        "workspace": workspace,
        "host": {"inventory_name": "server01"},
        "started_at": "2026-03-24T10:00:00Z",
        "ended_at": "2026-03-24T11:27:45Z",
        **more,
    }


class Streaming:
    """Sends from its own thread for as long as it is entered."""

    def __init__(self, system: EmbeddedOpstrail) -> None:
        self.attempted: list[str] = []
        self.accepted: list[str] = []
        self._system = system
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _send(self) -> None:
        user = User(self._system)
        while not self._is_over.is_set():
            events = [session(f"stream-{n % 5}", **APRIL) for n in range(EVENTS_PER_REQUEST)]
            self.attempted.extend(event["id"] for event in events)
            user.send(*events, wait=False)
            self.accepted.extend(event["id"] for event in events)


@dataclass
class Restored:
    """The installation a backup was taken of, that which was made of it, and what was sent."""

    living: EmbeddedOpstrail
    copy: EmbeddedOpstrail
    backup: Path
    told: dict[str, Any]
    stream: Streaming
    accepted_before: list[str]
    position: str
    until: str


def command(system: EmbeddedOpstrail, *arguments: str) -> subprocess.CompletedProcess[str]:
    variables = {"OPSTRAIL_URL": system.url, "OPSTRAIL_KEY": system.admin_key}
    return subprocess.run(
        opstrail(*arguments),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **variables},
    )


def take(system: EmbeddedOpstrail, backup: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return command(
        system, "backup", str(backup), "--data-dir", str(system.folder / "data"), *options
    )


def tell_all_sorts_of_things(system: EmbeddedOpstrail) -> str:
    """A position after which nothing of it changes any more."""
    user = User(system)
    for _, events in story():
        user.send(*events, wait=False)
    record = session("acme-quiet", client_seq=7, cli_instance_id="cli-0123456789abcdef")
    user.send(record, wait=False)
    # A dead letter, and a change of an entry.
    position: str = user.send({**record, "ended_at": "2026-03-24T12:00:00Z"})["position"]
    assert user.timeline(), "reading, too, is something to be kept"
    with httpx.Client(
        base_url=system.url, headers={"Authorization": f"Bearer {system.admin_key}"}
    ) as http:
        http.put("/v1/workspaces/acme-quiet", json=LABEL).raise_for_status()
        wanted = {"principal": "admin", "name": "spare", "roles": ["read"], "workspaces": None}
        for _ in range(2):
            made = http.post("/v1/keys", json=wanted).raise_for_status().json()
        http.delete(f"/v1/keys/{made['key_id']}").raise_for_status()
    return position


@pytest.fixture(scope="module")
def restored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Restored]:
    living = EmbeddedOpstrail(tmp_path_factory.mktemp("living"))
    position = tell_all_sorts_of_things(living)
    folder = tmp_path_factory.mktemp("copy")
    backup = folder / "opstrail.backup"
    until = datetime.now(UTC).isoformat()
    with Streaming(living) as stream:
        living.process.wait_until(
            lambda: len(stream.accepted) > 400, timeout_s=60, what="events to be accepted"
        )
        accepted_before = list(stream.accepted)
        made = take(living, backup, "--json")
        assert made.returncode == 0, made.stderr
        during = len(stream.accepted) - len(accepted_before)
    assert during > 0, "sending went on meanwhile"
    ended = command(living, "restore", str(backup), "--data-dir", str(folder / "data"), "--json")
    assert ended.returncode == 0, ended.stderr
    assert not (folder / "data" / "admin.key").exists()
    # Whoever restores has it from elsewhere.
    shutil.copy(living.folder / "data" / "admin.key", folder / "data" / "admin.key")
    copy = EmbeddedOpstrail(folder)
    yield Restored(
        living, copy, backup, json.loads(made.stdout), stream, accepted_before, position, until
    )
    copy.close()
    living.close()


def asked(system: EmbeddedOpstrail, path: str, **params: Any) -> Any:
    """What it answers, but for how far it is."""
    answer = User(system).get(path, **params)
    answer.pop("watermark", None)
    answer.pop("elapsed_ms", None)
    return answer


def test_everything_accepted_before_the_backup_is_there_once(restored: Restored) -> None:
    found = [
        entry["id"]
        for entry in User(restored.copy).timeline()
        if entry["workspace"].startswith("stream-")
    ]

    assert len(found) == len(set(found))
    assert set(restored.accepted_before) <= set(found)
    assert set(found) <= set(restored.stream.attempted)


def test_a_restored_copy_answers_the_same(restored: Restored) -> None:
    quiet = {"workspace": ["acme-quiet", "acme-corp-automation"]}
    entries = asked(restored.living, "/v1/timeline", **quiet)["items"]
    assert entries
    assert asked(restored.copy, "/v1/timeline", **quiet)["items"] == entries
    for entry in entries:
        for path in (
            f"/v1/records/{entry['kind']}/{entry['id']}",
            f"/v1/records/{entry['kind']}/{entry['id']}/history",
            f"/v1/cases/{entry['kind']}/{entry['id']}",
        ):
            assert asked(restored.copy, path) == asked(restored.living, path), path
    for path in (
        *("/v1/cli-instances", "/v1/dead-letters", "/v1/keys", "/v1/principals"),
        *("/v1/organizations", "/v1/workspaces/acme-quiet", "/v1/deployments"),
    ):
        answer = asked(restored.living, path)
        assert answer.get("items", [answer]), path
        assert asked(restored.copy, path) == answer, path
    period = {"to": restored.until, "limit": "1000"}
    used = asked(restored.living, "/v1/access-log", **period)["items"]
    assert {access["action"] for access in used} >= {"read", "write"}
    assert asked(restored.copy, "/v1/access-log", **period)["items"] == used


def test_a_restored_copy_goes_on(restored: Restored) -> None:
    user = User(restored.copy)
    event = session("acme-after")

    assert user.get(f"/v1/positions/{restored.position}")["visible"]
    user.send(event)
    assert [entry["id"] for entry in user.timeline(workspace="acme-after")] == [event["id"]]


def test_a_restore_broken_off_after_unpacking_is_ended_by_the_next_start(
    restored: Restored, tmp_path: Path
) -> None:
    with restored.backup.open("rb") as file:
        restore_folder(file, tmp_path / "data", lambda _: None)
    shutil.copy(restored.living.folder / "data" / "admin.key", tmp_path / "data" / "admin.key")

    system = EmbeddedOpstrail(tmp_path)
    user = User(system)
    user.wait_for(user.send(session("acme-after"))["position"])
    found = [entry["id"] for entry in user.timeline(workspace="acme-quiet")]
    there = [entry["id"] for entry in User(restored.living).timeline(workspace="acme-quiet")]
    streamed = {entry["id"] for entry in user.timeline()}
    system.close()

    assert found == there
    assert set(restored.accepted_before) <= streamed


def test_a_backup_is_its_owners_alone_and_holds_no_key(restored: Restored) -> None:
    assert stat.S_IMODE(restored.backup.stat().st_mode) == 0o600
    assert not leaked_keys(restored.backup.read_bytes().decode("latin-1"))
    assert restored.told["bytes"] == restored.backup.stat().st_size
    for name in ("log.db", "control.db", "access.db"):
        mode = (restored.copy.folder / "data" / name).stat().st_mode
        assert stat.S_IMODE(mode) == 0o600
    assert list(restored.backup.parent.glob(f"{restored.backup.name}?*")) == []


def test_nothing_is_overwritten(restored: Restored) -> None:
    again = take(restored.copy, restored.backup)
    into = command(
        restored.copy, "restore", str(restored.backup), "--data-dir", str(restored.copy.folder)
    )

    assert (again.returncode, into.returncode) == (1, 1)
    assert "is there already" in again.stderr
    assert "is not empty" in into.stderr


def test_a_cut_backup_is_refused_and_leaves_nothing(restored: Restored, tmp_path: Path) -> None:
    cut = tmp_path / "cut.backup"
    cut.write_bytes(restored.backup.read_bytes()[:-2_000])

    ended = command(restored.copy, "restore", str(cut), "--data-dir", str(tmp_path / "data"))

    assert ended.returncode == 1
    assert "ends too early" in ended.stderr
    assert not (tmp_path / "data").exists()
