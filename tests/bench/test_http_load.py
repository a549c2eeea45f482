"""The load generator counts what was accepted, and stops at what no load explains."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.bench.http_load import AnswerError, Asker, event_request, saturate
from tests.support.ports import HOST
from tests.support.processes import ChildProcess
from tests.support.services import REPOSITORY


@contextlib.asynccontextmanager
async def _answering(status: str) -> AsyncIterator[str]:
    """The address of a server that gives each body back, head and body apart."""

    serving: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
                body = await reader.readexactly(length)
                writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\n".encode())
                await writer.drain()
                await asyncio.sleep(0)
                writer.write(b"\r\n" + body)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, HOST, 0)
    async with server:
        yield f"http://{HOST}:{server.sockets[0].getsockname()[1]}"
        await asyncio.gather(*filter(None, serving))


async def _saturate(url: str) -> int:
    """How many requests were accepted in five windows."""
    windows = await saturate(
        [url],
        [event_request(url, "key", b"[]")],
        connections=3,
        warm_up_s=0.05,
        window_s=0.1,
        windows=5,
    )
    assert len(windows) == 5
    return sum(len(each.latencies_s) for each in windows)


def test_answers_in_parts_are_put_together() -> None:
    async def ask() -> list[tuple[int, bytes]]:
        async with _answering("202 Accepted") as url:
            asker = Asker()
            answers = [
                await asker.ask(url, event_request(url, "key", body)) for body in (b"one", b"two")
            ]
            asker.close()
            return answers

    assert asyncio.run(ask()) == [(202, b"one"), (202, b"two")]


def test_what_is_refused_does_not_count_as_accepted() -> None:
    async def load() -> int:
        async with _answering("503 Service Unavailable") as url:
            return await _saturate(url)

    assert asyncio.run(load()) == 0


def test_an_answer_that_no_load_explains_ends_the_bench() -> None:
    async def load() -> None:
        async with _answering("401 Unauthorized") as url:
            with pytest.raises(AnswerError, match="answered 401"):
                await _saturate(url)

    asyncio.run(load())


def test_the_null_server_accepts_whatever_comes(tmp_path: Path) -> None:
    process = ChildProcess(
        [sys.executable, "-m", "tests.bench.null_server"],
        folder=REPOSITORY,
        log=tmp_path / "null.log",
    )
    process.start()
    try:
        process.wait_until(
            lambda: "listening on" in process.output, timeout_s=30, what="the null server"
        )
        assert asyncio.run(_saturate(process.output.split()[-1])) > 0
    finally:
        process.stop()
