"""`python -m tests.bench.null_server`: reads a request and answers 202, and does nothing else.

What the load generator reaches against it, it could send to any server: what a real one reaches
below that is the server's doing.
"""

import asyncio
from typing import Final, cast

import uvloop

from tests.support.ports import HOST

_BODY: Final = b'{"accepted":1,"rejected":[],"position":"0"}'
_ANSWER: Final = (
    b"HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
    % (len(_BODY), _BODY)
)
_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"


class _Null(asyncio.Protocol):
    def __init__(self) -> None:
        self._received = 0
        self._whole = 0  # bytes of the request under way; 0: not known yet
        self._head = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's are no subclass of asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        # Clients send the next request after the answer: nothing is left over.
        self._received += len(data)
        if self._whole == 0:
            self._head += data[:4_096]
            end = self._head.find(_HEAD_END)
            if end < 0:
                return
            head = self._head[:end].lower()
            begin = head.index(_LENGTH) + len(_LENGTH)
            self._whole = end + len(_HEAD_END) + int(head[begin:].partition(b"\r")[0])
        if self._received >= self._whole and self._transport is not None:
            self._received = self._whole = 0
            self._head = b""
            self._transport.write(_ANSWER)


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Null, HOST, 0)
    print(f"listening on http://{HOST}:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve())
