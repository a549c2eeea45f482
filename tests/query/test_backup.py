"""POST /v1/backup, without the processes around it; tests/e2e/test_backup.py has the whole."""

import asyncio
import io
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import ClientDisconnect

from query.app import build_query_app
from query.backup_copies import COPIES_FOLDER, Backups
from runtime.backup_archive import read_backup
from runtime.sqlite_log import SqliteLog
from tests.query.problems import problem
from tests.query.world import ADMIN, NARROW_ADMIN, OPERATOR, World

MIB = 1024 * 1024


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A data folder with some databases in use."""
    log = SqliteLog(tmp_path / "log.db", inflight_bytes_max=64 * MIB)
    asyncio.run(log.append_messages([b"x" * 100_000] * 40, timeout_s=30))
    for name in ("control.db", "access.db"):
        sqlite3.connect(tmp_path / name).execute("CREATE TABLE t (n)")
    yield tmp_path
    log.close()


def backups_of(folder: Path) -> Backups:
    names = ("log.db", "control.db", "access.db")
    return Backups(folder, {name: folder / name for name in names}, lambda: 0)


def app_of(world: World, backups: Backups | None) -> Any:
    return build_query_app(replace(world.services, backups=backups))


async def post(app: Any, key: str = OPERATOR) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://opstrail.test") as client:
        return await client.post("/v1/backup", headers={"Authorization": f"Bearer {key}"})


def test_the_answer_is_a_whole_backup_and_leaves_no_copies(world: World, folder: Path) -> None:
    answer = world.run(post(app_of(world, backups_of(folder))))

    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert answer.headers["content-type"] == "application/x-tar"
    assert read_backup(io.BytesIO(answer.content), into=None).databases == (
        *("log.db", "control.db", "access.db"),
    )
    assert not (folder / COPIES_FOLDER).exists()


def test_it_is_on_record_as_begun_and_as_ended(world: World, folder: Path) -> None:
    world.run(post(app_of(world, backups_of(folder))))

    told = [(event.action, event.revision, event.rows) for event in world.access_log.events]
    assert told == [("export", 0, None), ("export", 1, 40)]


def test_where_it_cannot_be_put_on_record_nothing_is_given_out(world: World, folder: Path) -> None:
    world.access_log.is_there = False
    answer = world.run(post(app_of(world, backups_of(folder))))

    problem(answer, 503, "access_log_unavailable")
    assert not (folder / COPIES_FOLDER).exists()


def test_one_backup_is_made_at_a_time_and_another_one_after_it(world: World, folder: Path) -> None:
    backups = backups_of(folder)
    app = app_of(world, backups)

    async def both() -> list[int]:
        return sorted(answer.status_code for answer in await asyncio.gather(post(app), post(app)))

    assert world.run(both()) == [200, 409]
    assert world.run(post(app)).status_code == 200


def test_a_client_that_hangs_up_leaves_no_copies(world: World, folder: Path) -> None:
    backups = backups_of(folder)

    async def hang_up() -> None:
        answer = await backups.answer()
        is_gone = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await is_gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":
                is_gone.set()
                await asyncio.sleep(60)  # a client that takes nothing

        with pytest.raises(ClientDisconnect):
            await answer({"type": "http", "method": "POST"}, receive, send)

    world.run(hang_up())
    assert not (folder / COPIES_FOLDER).exists()
    assert world.run(post(app_of(world, backups))).status_code == 200


def test_without_room_for_the_copies_it_says_so(world: World, folder: Path) -> None:
    backups = backups_of(folder)
    (folder / "access.db").unlink()

    answer = world.run(post(app_of(world, backups)))

    problem(answer, 507, "backup_failed")
    assert not (folder / COPIES_FOLDER).exists()


def test_copies_that_a_killed_process_left_are_removed_at_the_next_start(folder: Path) -> None:
    (folder / COPIES_FOLDER).mkdir()
    (folder / COPIES_FOLDER / "log.db").write_bytes(b"x")

    backups_of(folder)

    assert not (folder / COPIES_FOLDER).exists()


@pytest.mark.parametrize("key", [ADMIN, NARROW_ADMIN])
def test_it_takes_the_role_operator(world: World, folder: Path, key: str) -> None:
    assert world.run(post(app_of(world, backups_of(folder)), key)).status_code == 403


def test_where_the_data_is_elsewhere_it_points_there(world: World) -> None:
    answer = world.run(post(app_of(world, None)))

    problem(answer, 409, "not_embedded")
