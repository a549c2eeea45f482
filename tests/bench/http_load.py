"""The load generator: HTTP/1.1 by hand over keep-alive connections, bodies made beforehand.

Must stay true: it costs a fraction of what it loads. `tests.bench.null_server` shows it in the same
run. Hence no HTTP library, and no task per request where connections only repeat themselves.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, cast
from urllib.parse import urlsplit

from tests.support.ports import HOST

_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"
_RETRY_S: Final = 0.05
_ANSWER_WAIT_S: Final = 60.0
ACCEPTED: Final = 202
UNAVAILABLE: Final = 503

Answered = Callable[["Connection", int, bytes], None]


class AnswerError(Exception):
    """A server answered what no load explains, or not at all."""


def event_request(url: str, key: str, body: bytes) -> bytes:
    """The bytes of one request that sends events."""
    head = (
        f"POST /v1/events HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\n"
        f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def get_request(url: str, path: str, key: str) -> bytes:
    head = f"GET {path} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nAuthorization: Bearer {key}"
    return f"{head}\r\n\r\n".encode()


class Connection(asyncio.Protocol):
    """One request at a time; `answered` gets (connection, status, body) of each."""

    def __init__(self, answered: Answered) -> None:
        self.sent_at_s = 0.0
        self.failure: Exception | None = None
        self._answered: Final = answered
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's are no subclass of asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def send(self, request: bytes) -> None:
        assert self._transport is not None
        self.sent_at_s = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head_end = self._received.find(_HEAD_END)
        if head_end < 0:
            return
        head = bytes(self._received[:head_end]).lower()
        begin = head.index(_LENGTH) + len(_LENGTH)
        length = int(head[begin:].partition(b"\r")[0])
        whole = head_end + len(_HEAD_END) + length
        if len(self._received) < whole:
            return
        body = bytes(self._received[head_end + len(_HEAD_END) : whole])
        del self._received[:whole]
        self._answered(self, int(head[9:12]), body)

    def connection_lost(self, exc: Exception | None) -> None:
        self.failure = exc or AnswerError("the server closed a connection")

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def connect(url: str, answered: Answered) -> Connection:
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(
        lambda: Connection(answered), parts.hostname or HOST, parts.port or 80
    )
    return connection


class Asker:
    """A connection that a coroutine awaits its answers of."""

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    @property
    def is_closed(self) -> bool:
        return self._connection is not None and self._connection.failure is not None

    async def ask(self, url: str, request: bytes) -> tuple[int, bytes]:
        """Status and body. Raises AnswerError."""
        if self._connection is None:
            self._connection = await connect(url, self._answered)
        if self._connection.failure is not None:
            raise AnswerError("connection lost") from self._connection.failure
        self._answer = asyncio.get_running_loop().create_future()
        self._connection.send(request)
        try:
            return await asyncio.wait_for(self._answer, _ANSWER_WAIT_S)
        except TimeoutError as error:
            raise AnswerError(f"no answer within {_ANSWER_WAIT_S:g} s") from error

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _answered(self, _: Connection, status: int, body: bytes) -> None:
        assert self._answer is not None
        if not self._answer.done():
            self._answer.set_result((status, body))


@dataclass(slots=True)
class Window:
    """One repetition: how long each accepted request took, and how many were refused by 503."""

    taken_s: float
    latencies_s: list[float] = field(default_factory=list)
    refused: int = 0


@dataclass(slots=True)
class _Saturating:
    """Each connection sends its next request when the last one is answered."""

    requests: Sequence[bytes]
    window: Window
    next_request: int = 0
    is_over: bool = False
    failure: str = ""

    def answered(self, connection: Connection, status: int, body: bytes) -> None:
        if status == ACCEPTED:
            self.window.latencies_s.append(time.perf_counter() - connection.sent_at_s)
        elif status == UNAVAILABLE:
            self.window.refused += 1
            asyncio.get_running_loop().call_later(_RETRY_S, self.send, connection)
            return
        else:
            self.failure = f"answered {status}: {body[:300]!r}"
            return
        self.send(connection)

    def send(self, connection: Connection) -> None:
        if not self.is_over:
            connection.send(self.requests[self.next_request % len(self.requests)])
            self.next_request += 1


async def saturate(
    urls: Sequence[str],
    requests: Sequence[bytes],
    *,
    connections: int,
    warm_up_s: float,
    window_s: float,
    windows: int,
) -> list[Window]:
    """As many requests as the servers take, with so many under way at a time.

    The connections are dealt out over `urls`. Raises AnswerError.
    """
    load = _Saturating(requests, Window(warm_up_s))
    opened = [
        await connect(urls[number % len(urls)], load.answered) for number in range(connections)
    ]
    found: list[Window] = []
    try:
        for connection in opened:
            load.send(connection)
        await asyncio.sleep(warm_up_s)
        for _ in range(windows):
            load.window = Window(0.0)
            started_s = time.perf_counter()
            await asyncio.sleep(window_s)
            load.window.taken_s = time.perf_counter() - started_s
            found.append(load.window)
            lost = next((each.failure for each in opened if each.failure), None)
            if load.failure or lost:
                raise AnswerError(load.failure or "connection lost") from lost
    finally:
        load.is_over = True
        load.window = Window(0.0)
        for connection in opened:
            connection.close()
        # They are closed when the loop has looked once more.
        await asyncio.sleep(0)
    return found
