import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from runtime.errors import TimelineUnavailableError
from runtime.settings import load_settings
from tests.support.clickhouse_service import DATABASE
from tests.support.ports import free_port
from tests.timeline.trail import run
from timeline.statement import Statement
from timeline.store import Store, open_store

SETTING = "SELECT value FROM system.settings WHERE name = {name:String}"


def test_store_answers(store: Store) -> None:
    run(store.ping())
    assert run(store.rows(Statement("SELECT {x:Int64} + 1", {"x": 41}))) == [(42,)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("async_insert", "0"),
        ("insert_deduplicate", "1"),
        ("max_partitions_per_insert_block", "0"),
        ("do_not_merge_across_partitions_select_final", "1"),
    ],
)
def test_settings_that_differ_between_versions_are_stated(
    store: Store, name: str, value: str
) -> None:
    for lane in (store.read_now, store.write_now):
        assert lane(lambda connection: connection.rows(Statement(SETTING, {"name": name}))) == [
            (value,)
        ]


def test_every_connection_limits_its_memory_and_reading_its_time(store: Store) -> None:
    def limit(name: str) -> int:
        rows = store.read_now(
            lambda connection: connection.rows(Statement(SETTING, {"name": name}))
        )
        return int(rows[0][0])

    assert limit("max_memory_usage") == 2 * 1024**3
    assert limit("max_execution_time") == 10


def test_the_event_loop_goes_on_while_the_engine_works(store: Store) -> None:
    async def ticks_during_a_query() -> int:
        query = asyncio.create_task(store.rows(Statement("SELECT sleep(0.3)")))
        ticks = 0
        while not query.done():
            await asyncio.sleep(0.01)
            ticks += 1
        return ticks

    assert run(ticks_during_a_query()) > 5


def test_slow_readers_do_not_hold_up_writing_or_the_ping(store: Store) -> None:
    async def written_while_reading() -> bool:
        slow = [store.rows(Statement("SELECT sleep(2)")) for _ in range(8)]
        readers = asyncio.gather(*slow)
        await asyncio.sleep(0.1)
        await store.write(lambda connection: connection.rows(Statement("SELECT 1")))
        await store.ping()
        is_in_time = not readers.done()
        readers.cancel()  # those that still wait for a thread need not run
        return is_in_time

    assert run(written_while_reading())


def test_a_wrong_statement_is_our_own_mistake(store: Store) -> None:
    for sql in ("SELEC 1", "SELECT no_such_column", "SELECT {x:Int64}"):
        with pytest.raises(AssertionError):
            run(store.rows(Statement(sql)))


def test_missing_tables_say_what_to_do(store: Store) -> None:
    with pytest.raises(TimelineUnavailableError, match="opstrail init"):
        run(store.rows(Statement("SELECT 1 FROM no_such_table")))


def test_a_database_that_is_not_there_says_what_to_do(clickhouse_url: str) -> None:
    store = open_store(
        load_settings(clickhouse_url=clickhouse_url, clickhouse_database="none_here")
    )
    with pytest.raises(TimelineUnavailableError, match="opstrail init"):
        run(store.ping())
    store.close()


def test_a_server_that_is_away_is_unavailable_and_found_again_later() -> None:
    url = f"http://someone:hunter2@127.0.0.1:{free_port()}"
    store = open_store(load_settings(clickhouse_url=url))
    for _ in range(2):
        with pytest.raises(TimelineUnavailableError) as caught:
            run(store.rows(Statement("SELECT 1")))
        assert caught.value.__cause__ is not None
        assert "hunter2" not in str(caught.value)
    with pytest.raises(TimelineUnavailableError):
        run(store.ping())
    store.close()


def test_closed_store_is_unavailable() -> None:
    store = open_store(load_settings(clickhouse_url="http://127.0.0.1:1"))
    store.close()
    store.close()
    with pytest.raises(TimelineUnavailableError, match="closed"):
        run(store.rows(Statement("SELECT 1")))


def test_a_ping_without_an_answer_ends_in_time(store: Store) -> None:
    is_over = threading.Event()
    pinged = store._pinging.submit(lambda connection: is_over.wait(20))
    with pytest.raises(TimelineUnavailableError, match=r"in 0\.1 s"):
        run(store.ping(timeout_s=0.1))
    is_over.set()
    pinged.result()


_OPEN = f"""
import asyncio, sys
from pathlib import Path
from runtime.errors import TimelineUnavailableError
from runtime.settings import load_settings
from timeline.migrations import migrate
from timeline.statement import Statement
from timeline.store import open_store
store = open_store(load_settings(data_dir=Path(sys.argv[1]), clickhouse_database="{DATABASE}"))
try:
    migrate(store)
    print(store.read_now(lambda c: c.rows(Statement("SELECT min(number) FROM migrations")))[0][0])
    if len(sys.argv) > 2:
        input()
    store.close()
    print("closed", flush=True)
except TimelineUnavailableError as error:
    print("unavailable:", error)
"""


def _start(folder: Path, *more: str, cwd: Path | None = None) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", _OPEN, str(folder), *more],
        cwd=cwd,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_embedded_store_ignores_a_config_that_lies_around(tmp_path: Path) -> None:
    (tmp_path / "config.xml").write_text("<clickhouse><path>/proc/nowhere</path></clickhouse>")
    process = _start(tmp_path / "data", cwd=tmp_path)
    out, _ = process.communicate(timeout=60)
    assert out.split() == ["1", "closed"]
    assert process.returncode == 0


def test_embedded_store_is_there_again_after_a_restart(tmp_path: Path) -> None:
    for _ in range(2):
        assert _start(tmp_path).communicate(timeout=60)[0].split() == ["1", "closed"]


def test_a_second_process_is_told_that_the_folder_is_taken(tmp_path: Path) -> None:
    first = _start(tmp_path, "wait")
    assert first.stdout is not None
    assert first.stdout.readline() == "1\n"
    second, _ = _start(tmp_path).communicate(timeout=60)
    first.communicate("\n", timeout=60)
    assert second.startswith("unavailable:")
