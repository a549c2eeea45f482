"""Streams of POST /v1/sql against a slow, a patient and a rude client, on both engines."""

import asyncio
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from starlette.requests import ClientDisconnect

from query.app import build_query_app
from tests.query.world import ANALYST, World
from tests.timeline.trail import run_entry
from timeline.sql_execution import run_sql
from timeline.statement import Statement
from timeline.store import SQL_LANES

MIB: Final = 1024**2
# A hundred million rows, from one.
ENDLESS: Final = (
    "SELECT a, b, concat('row ', toString(a), ' ', toString(b)) AS c"
    " FROM (SELECT arrayJoin(range(10000)) AS a FROM timeline) AS x"
    " CROSS JOIN (SELECT arrayJoin(range(10000)) AS b FROM timeline) AS y"
)


def rss_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Client:
    """Takes a stream piece by piece, and hangs up when `wants_more` says so."""

    def __init__(self, world: World, wants_more: Callable[[int], bool]) -> None:
        self._app = build_query_app(world.services, {})
        self._wants_more = wants_more
        self._gone = asyncio.Event()
        self._is_asked = False
        self.status = 0
        self.taken_bytes = 0

    async def ask(self, query: str, form: str) -> None:
        """Return when the server has let go."""
        self._body = json.dumps({"query": query}).encode()
        headers = {
            "authorization": f"Bearer {ANALYST}",
            "content-type": "application/json",
            "content-length": str(len(self._body)),
        }
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/v1/sql",
            "raw_path": b"/v1/sql",
            "root_path": "",
            "query_string": f"format={form}".encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        try:
            await self._app(scope, self._receive, self._send)
        except ClientDisconnect:
            pass

    async def _receive(self) -> dict[str, Any]:
        if not self._is_asked:
            self._is_asked = True
            return {"type": "http.request", "body": self._body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        self.taken_bytes += len(message["body"])
        if not self._wants_more(self.taken_bytes):
            self._gone.set()
            await asyncio.sleep(3_600)


def test_whoever_hangs_up_gives_the_lane_back_at_once(world: World) -> None:
    world.trail.put(run_entry(1))
    store, organization = world.trail.store, world.trail.organization

    async def all_lanes_then_one_more() -> float:
        clients = [Client(world, lambda taken: taken < MIB) for _ in range(SQL_LANES)]
        await asyncio.gather(*[client.ask(ENDLESS, "ndjson") for client in clients])
        assert [client.status for client in clients] == [200] * SQL_LANES
        started_s = time.perf_counter()
        for _ in range(SQL_LANES):
            await run_sql(store, Statement("SELECT 1"), organization)
        return time.perf_counter() - started_s

    assert world.run(all_lanes_then_one_more()) < 3


@pytest.mark.parametrize("form", ["ndjson", "arrow"])
def test_memory_does_not_grow_with_the_rows_that_were_taken(world: World, form: str) -> None:
    world.trail.put(run_entry(1))
    seen: list[int] = []

    def wants_more(taken: int) -> bool:
        if taken > 4 * MIB:
            seen.append(rss_bytes())
        return taken < 40 * MIB

    world.run(Client(world, wants_more).ask(ENDLESS, form))

    assert max(seen) - seen[0] < 48 * MIB


def test_nothing_runs_ahead_of_a_client_that_does_not_take(world: World) -> None:
    world.trail.put(run_entry(1))
    grown: list[int] = []

    async def stall() -> None:
        asked = asyncio.create_task(client.ask(ENDLESS, "ndjson"))
        await is_stalled.wait()
        before = rss_bytes()
        await asyncio.sleep(2)
        grown.append(rss_bytes() - before)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)

    is_stalled = asyncio.Event()

    def wants_more(taken: int) -> bool:
        if taken < MIB:
            return True
        is_stalled.set()
        return True

    client = Client(world, wants_more)
    send = client._send

    async def stalling(message: Any) -> None:
        await send(message)
        if is_stalled.is_set():
            await asyncio.sleep(3_600)

    client._send = stalling  # type: ignore[method-assign]
    world.run(stall())

    assert grown[0] < 32 * MIB
    assert client.taken_bytes < 4 * MIB
