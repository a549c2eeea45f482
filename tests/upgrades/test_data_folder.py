"""`opstrail up` on a data folder that an earlier version left."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.opstrail import EmbeddedOpstrail, User
from tests.support.processes import ChildProcess, wait_until
from tests.upgrades.old_control import POSITION
from tests.upgrades.old_folder import FOLDER_VERSIONS, make_old_folder

SYNC, RUN = "9e107d9d-372b-4b6f-9a1d-0c5d1f8e2a33", "4bb2ab1c-9f05-4f4e-8a0c-0f3d54d1e5aa"
SESSION, OPEN_SESSION = (
    "c5f4411d-641a-4b0a-8ee6-291d1c725c20",
    "0d4e2c8f-52f3-4b57-9f4f-5d6b1f0c7e11",
)
FAILED_RUN, OPEN_RUN = (
    "1c9e6679-7425-40de-944b-e07fc1f90ae7",
    "7d444840-9dc0-41d1-b245-5ffdce74fad2",
)
NEW_RUN = "11111111-1111-4111-8111-111111111111"
# Snapshots are kept since.
RECEIVED_SINCE = 2
_START_TIMEOUT_S = 60.0
# After so many commands to the store comes the kill, by version: where it left less to do, sooner.
_COMMANDS = {1: (3, 9), 2: (3,), 4: (1,)}
_KILLED_AFTER = """
import os, signal, sys
from opstrail.main import main
from timeline.connection import Connection
left = int(sys.argv.pop(1))
command = Connection.command
def counted(connection, sql):
    global left
    command(connection, sql)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
Connection.command = counted
main()
"""


@pytest.fixture(params=FOLDER_VERSIONS)
def version(request: pytest.FixtureRequest) -> int:
    found: int = request.param
    return found


@pytest.fixture
def folder(tmp_path: Path, version: int) -> Path:
    make_old_folder(tmp_path / "data", version)
    return tmp_path


@contextlib.contextmanager
def up(folder: Path, **variables: str) -> Iterator[User]:
    system = EmbeddedOpstrail(folder, variables)
    user = User(system)
    try:
        yield user
    finally:
        user.close()
        system.close()


def links(entry: dict[str, Any]) -> set[tuple[str, str]]:
    return {(link["rule"], link["target"]["id"]) for link in entry["links"]}


def assert_holds_the_old(user: User, version: int) -> None:
    entries = {entry["id"]: entry for entry in user.timeline()}
    assert {each: entry["status"] for each, entry in entries.items()} == {
        SYNC: "successful",
        RUN: "successful",
        SESSION: "ended",
        OPEN_SESSION: "lost",
        FAILED_RUN: "failed",
        OPEN_RUN: "lost",
    }
    assert links(entries[RUN]) >= {("before", SESSION)}
    assert links(entries[SESSION]) == {("after", RUN)}
    assert entries[RUN]["configured_by"]["sync_id"] == SYNC
    assert entries[RUN]["environment"] == "production"
    assert user.get("/v1/cli-instances/cli-8f3891b2")["cli_version"] == "0.17.2"
    assert user.get(f"/v1/positions/{POSITION}") == {"visible": True}
    history = user.get(f"/v1/records/action_run/{RUN}/history")["items"]
    assert len(history) == (2 if version >= RECEIVED_SINCE else 0)


def test_what_was_there_is_read_on_and_linked_with_what_is_new(folder: Path, version: int) -> None:
    with up(folder) as user:
        assert_holds_the_old(user, version)
        run = {"type": "action_run", "id": NEW_RUN, "workspace": "acme-prod", "block": "web"}
        run |= {"action": "restart", "started_at": "2026-03-24T10:35:00Z"}
        run |= {"finished_at": "2026-03-24T10:36:00Z", "cli_instance_id": "cli-8f3891b2"}
        end: dict[str, Any] = {"type": "ssh_session", "id": OPEN_SESSION, "workspace": "acme-prod"}
        end |= {"host": {"inventory_name": "server02"}, "started_at": "2026-03-24T11:30:00Z"}
        end |= {"ended_at": "2026-03-24T11:40:00Z", "exit_code": 0}
        end |= {"cli_instance_id": "cli-8f3891b2"}
        user.send(run, end)

        entries = {entry["id"]: entry for entry in user.timeline()}
        assert len(entries) == 7
        assert ("during", SESSION) in links(entries[NEW_RUN])
        assert entries[NEW_RUN]["configured_by"]["sync_id"] == SYNC
        # What was there before comes out again, with what is new beside it.
        assert links(entries[SESSION]) == {("after", RUN), ("during", NEW_RUN)}
        assert (entries[OPEN_SESSION]["status"], entries[OPEN_SESSION]["actor"]) == (
            "ended",
            "admin",
        )
        # A foreign snapshot would show that the state had forgotten whose it is.
        assert "foreign_snapshot" not in entries[OPEN_SESSION]["flags"]
        # A run that contradicts the old one is known for it.
        user.send({**run, "id": RUN, "block": "nginx", "started_at": "2026-03-24T10:00:00Z"})
        letters = user.get("/v1/dead-letters")["items"]
        assert [letter["record_id"] for letter in letters] == [RUN] * min(version, 2)

    # Once more, now that nothing is to be migrated.
    with up(folder, OPSTRAIL_LOST_AFTER_HOURS="876000") as user:
        entries = {entry["id"]: entry for entry in user.timeline()}
        assert links(entries[SESSION]) == {("after", RUN), ("during", NEW_RUN)}
        assert entries[OPEN_SESSION]["status"] == "ended"
        # What is lost follows from the present setting: nothing of it is stored.
        assert entries[OPEN_RUN]["status"] == "running"


def test_an_upgrade_that_is_killed_is_finished_by_the_next_start(
    folder: Path, version: int
) -> None:
    """kill -9 in the midst of the migration, each time a little later."""
    killed = [_killed_after(folder, commands) for commands in _COMMANDS[version]]

    assert any(killed)
    with up(folder) as user:
        assert_holds_the_old(user, version)


def _killed_after(folder: Path, commands: int) -> bool:
    """Whether `up` was killed so soon after its first commands to the store; else it is stopped."""
    up = ChildProcess(
        [
            *(sys.executable, "-c", _KILLED_AFTER, str(commands), "up"),
            *("--data-dir", str(folder / "data"), "--port", "0"),
        ],
        folder=folder,
        log=folder / f"killed-{commands}.log",
    )
    up.start()
    wait_until(
        lambda: not up.is_running or "listening on" in up.output,
        timeout_s=_START_TIMEOUT_S,
        what="its end or its address",
    )
    was_killed = not up.is_running
    up.stop()
    return was_killed
