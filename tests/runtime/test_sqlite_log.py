"""The embedded log on a real disk: what it acknowledged is there, whatever happens next."""

import asyncio
import contextlib
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.errors import LogUnavailableError
from runtime.log import Position
from runtime.sqlite_log import PARTITION, SqliteLog
from schemas.envelope import decode_envelope, encode_envelope
from tests.runtime.envelopes import envelope

MIB = 1024 * 1024
TIMEOUT_S = 20.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@contextlib.contextmanager
def opened(path: Path, *, inflight_bytes_max: int = 64 * MIB) -> Iterator[SqliteLog]:
    with contextlib.closing(SqliteLog(path, inflight_bytes_max=inflight_bytes_max)) as log:
        yield log


def append(log: SqliteLog, count: int = 1, *, timeout_s: float = TIMEOUT_S) -> list[Position]:
    return asyncio.run(log.append([envelope() for _ in range(count)], timeout_s=timeout_s))


def offsets_in(log: SqliteLog) -> list[int]:
    return [message.offset for message in log.read(0, messages_max=100_000)]


def test_a_new_log_is_empty_and_its_folder_is_made(tmp_path: Path) -> None:
    with opened(tmp_path / "a" / "b" / "log.db") as log:
        assert log.last_offset == 0
        assert log.read(0, messages_max=10) == []


def test_offsets_start_at_1_in_the_one_partition(path: Path) -> None:
    with opened(path) as log:
        assert append(log) == [Position(PARTITION, 1)]
        assert append(log, 2) == [Position(0, 2), Position(0, 3)]


def test_who_heard_of_an_append_finds_it(path: Path) -> None:
    with opened(path) as log:
        for _ in range(50):
            (position,) = append(log)

            assert log.last_offset == position.offset
            assert log.read(position.offset - 1, messages_max=9)[0].offset == position.offset


def test_reading_goes_on_after_an_offset_and_stops_at_the_limit(path: Path) -> None:
    with opened(path) as log:
        append(log, 5)

        assert [message.offset for message in log.read(2, messages_max=2)] == [3, 4]
        assert [message.offset for message in log.read(4, messages_max=2)] == [5]
        assert log.read(5, messages_max=2) == []
        assert log.read(0, messages_max=1)[0].message == encode_envelope(envelope())


def test_the_log_survives_closing_and_goes_on_where_it_was(path: Path) -> None:
    with opened(path) as log:
        append(log, 3)
        before = log.read(0, messages_max=10)

    with opened(path) as log:
        assert log.last_offset == 3
        assert log.read(0, messages_max=10) == before
        assert append(log) == [Position(0, 4)]


def test_closing_finishes_what_was_handed_over(path: Path) -> None:
    async def story() -> None:
        log = SqliteLog(path, inflight_bytes_max=64 * MIB)
        waiting = [
            asyncio.create_task(log.append([envelope()], timeout_s=TIMEOUT_S)) for _ in range(50)
        ]
        await asyncio.sleep(0)
        await asyncio.to_thread(log.close)
        assert len(await asyncio.gather(*waiting)) == 50

    asyncio.run(story())
    with opened(path) as log:
        assert offsets_in(log) == list(range(1, 51))


def test_closing_twice_is_safe(path: Path) -> None:
    log = SqliteLog(path, inflight_bytes_max=MIB)
    log.close()
    log.close()


def test_a_closed_log_neither_appends_nor_reads_nor_answers(path: Path) -> None:
    with opened(path) as log:
        append(log)

    with pytest.raises(LogUnavailableError, match=r"within 0\.1 s"):
        append(log, timeout_s=0.1)
    with pytest.raises(LogUnavailableError, match="reading the log"):
        log.read(0, messages_max=1)
    with pytest.raises(LogUnavailableError, match="writer has stopped"):
        asyncio.run(log.ping(timeout_s=1))


def test_offsets_have_no_gaps_when_appends_race_and_some_are_refused(path: Path) -> None:
    """Some do not fit into the bytes in flight: these are refused and leave no hole."""

    async def race() -> list[object]:
        with opened(path, inflight_bytes_max=2_000) as log:
            return list(
                await asyncio.gather(
                    *(log.append([envelope()] * 3, timeout_s=TIMEOUT_S) for _ in range(20)),
                    return_exceptions=True,
                )
            )

    answers = asyncio.run(race())

    landed = [
        position.offset for answer in answers if isinstance(answer, list) for position in answer
    ]
    refused = [answer for answer in answers if isinstance(answer, LogUnavailableError)]
    assert landed
    assert refused
    assert sorted(landed) == list(range(1, len(landed) + 1))
    with opened(path) as log:
        assert offsets_in(log) == sorted(landed)


def test_an_append_that_waits_too_long_is_unknown_and_later_ones_work(path: Path) -> None:
    with opened(path) as log:
        append(log)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")  # another process writes, and takes its time
            started_s = time.monotonic()
            with pytest.raises(LogUnavailableError, match=r"within 0\.2 s"):
                append(log, timeout_s=0.2)
            assert time.monotonic() - started_s < 2
            other.execute("ROLLBACK")

        # The one that nobody waited for landed meanwhile: unknown is not failed.
        (position,) = append(log)
        assert offsets_in(log) == list(range(1, position.offset + 1))


def test_bytes_of_a_timed_out_append_stay_counted_until_it_is_settled(path: Path) -> None:
    async def story() -> None:
        with opened(path, inflight_bytes_max=500) as log:
            with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                with pytest.raises(LogUnavailableError, match="within"):
                    await log.append([envelope()] * 3, timeout_s=0.1)
                with pytest.raises(LogUnavailableError, match="too many bytes"):
                    await log.append([envelope()] * 3, timeout_s=0.1)
                other.execute("ROLLBACK")
            await asyncio.to_thread(log.wait_for_growth, 0, TIMEOUT_S)
            await asyncio.sleep(0.05)
            assert len(await log.append([envelope()] * 3, timeout_s=TIMEOUT_S)) == 3

    asyncio.run(story())


def test_waiting_for_growth_ends_with_an_append_or_with_the_time(path: Path) -> None:
    with opened(path) as log:
        assert not log.wait_for_growth(0, timeout_s=0.01)

        grown: list[bool] = []
        waiter = threading.Thread(target=lambda: grown.append(log.wait_for_growth(0, TIMEOUT_S)))
        waiter.start()
        append(log)
        waiter.join(TIMEOUT_S)

        assert grown == [True]
        assert log.wait_for_growth(0, timeout_s=0)
        assert not log.wait_for_growth(1, timeout_s=0)


def test_a_file_that_is_a_folder_is_a_log_that_is_away(tmp_path: Path) -> None:
    with pytest.raises(LogUnavailableError, match="opening the log"):
        SqliteLog(tmp_path, inflight_bytes_max=MIB)


def test_a_folder_that_is_a_file_is_a_log_that_is_away(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")

    with pytest.raises(LogUnavailableError, match="opening the log"):
        SqliteLog(tmp_path / "data" / "log.db", inflight_bytes_max=MIB)


def test_a_file_that_is_no_database_is_a_log_that_is_away_and_is_left_alone(path: Path) -> None:
    path.write_text("dear diary " * 1_000)

    with pytest.raises(LogUnavailableError, match="opening the log"):
        SqliteLog(path, inflight_bytes_max=MIB)

    assert path.read_text() == "dear diary " * 1_000


def test_every_commit_is_fsynced(path: Path) -> None:
    with opened(path) as log, contextlib.closing(log._connect()) as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


APPEND_FOR_EVER = """
import asyncio, sys
from pathlib import Path
from runtime.sqlite_log import SqliteLog
from tests.runtime.envelopes import envelope

async def append_for_ever(log, client):
    number = 0
    while True:
        workspace = f"client-{client}-{number}"
        (position,) = await log.append([envelope(workspace)], timeout_s=30)
        print(position.offset, workspace, flush=True)
        number += 1

async def main():
    log = SqliteLog(Path(sys.argv[1]), inflight_bytes_max=1_000_000)
    await asyncio.gather(*(append_for_ever(log, client) for client in range(8)))

asyncio.run(main())
"""


def test_killed_at_any_moment_it_holds_every_envelope_it_acknowledged(path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    acknowledged: dict[int, str] = {}
    for lines in (1, 40, 300):
        with subprocess.Popen(
            [sys.executable, "-c", APPEND_FOR_EVER, str(path)],
            cwd=root,
            stdout=subprocess.PIPE,
            text=True,
        ) as child:
            assert child.stdout is not None
            told = [child.stdout.readline() for _ in range(lines)]
            child.send_signal(signal.SIGKILL)
            # What it still told before it died was acknowledged just as well.
            told += child.stdout.readlines()
        for line in told:
            if line.endswith("\n"):
                offset, workspace = line.split()
                acknowledged[int(offset)] = workspace

        with opened(path) as log:
            held = dict(log.read(0, messages_max=100_000))
            assert list(held) == list(range(1, len(held) + 1))
            assert log.last_offset == len(held)
        found = {offset: decode_envelope(held[offset]).workspace for offset in acknowledged}
        assert found == acknowledged
    assert len(acknowledged) >= 341
