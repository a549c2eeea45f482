"""Answers of any length in constant memory.

Must stay true:
- The next batch is asked for when the client has taken the one before: nothing runs ahead.
- What fails before the first bytes is a problem as anywhere else. What fails later breaks the
  connection off: no half of an answer ends like a whole one.
- A client that hangs up ends the reading at once: the source is closed.
- The event loop does not encode: pyarrow works in a thread.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any, Final

import pyarrow as pa
import structlog
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from query.export_encoders import TEXT_ROWS, Encoder, encoder_of, ndjson_bytes
from query.export_format import ExportFormat
from runtime.errors import UnavailableError
from runtime.http import AnswerBrokenOffError

_log = structlog.get_logger(__name__)


def export_response(
    form: ExportFormat,
    schema: pa.Schema,
    batches: AsyncIterator[pa.RecordBatch],
    *,
    filename: str,
) -> StreamingResponse:
    """The batches, all of `schema`, in this format. `batches` is closed whatever happens.

    `filename` is ours: letters, digits, `.`, `_`, `-`.
    """
    given = RowCount()
    encoder = encoder_of(form, schema)
    chunks = _encoded(encoder, batches, given, slice_rows=_SLICE_ROWS.get(form))
    return _ExportResponse(chunks, batches, given, form.media_type, filename)


def ndjson_response(items: AsyncIterator[Sequence[Any]], *, filename: str) -> StreamingResponse:
    """Each page's items as NDJSON, for items that are JSON already."""
    given = RowCount()
    media_type = ExportFormat.NDJSON.media_type
    return _ExportResponse(_lines(items, given), items, given, media_type, filename)


class RowCount:
    """How many rows of an answer were encoded so far: those given out, and one chunk at most."""

    __slots__ = ("rows",)

    def __init__(self) -> None:
        self.rows = 0


def rows_given(scope: Scope) -> int | None:
    """Of the answer that is on its way; None: it is none of these."""
    given: RowCount | None = scope.get(_ROWS_KEY)
    return None if given is None else given.rows


_ROWS_KEY: Final = "opstrail.rows"

# Python's own values take many times the room of Arrow's: only so many rows at a time.
_SLICE_ROWS: Final = {ExportFormat.NDJSON: TEXT_ROWS, ExportFormat.CSV: TEXT_ROWS}


async def _encoded(
    encoder: Encoder,
    batches: AsyncIterator[pa.RecordBatch],
    given: RowCount,
    *,
    slice_rows: int | None,
) -> AsyncGenerator[bytes, None]:
    async for batch in batches:
        rows = slice_rows or max(batch.num_rows, 1)
        for start in range(0, batch.num_rows, rows):
            part = batch.slice(start, rows)
            given.rows += part.num_rows
            if chunk := await asyncio.to_thread(encoder.encode, part):
                yield chunk
    if chunk := await asyncio.to_thread(encoder.finish):
        yield chunk


async def _lines(
    items: AsyncIterator[Sequence[Any]], given: RowCount
) -> AsyncGenerator[bytes, None]:
    async for page in items:
        if page:
            given.rows += len(page)
            yield await asyncio.to_thread(ndjson_bytes, page)


class _ExportResponse(StreamingResponse):
    def __init__(
        self,
        chunks: AsyncGenerator[bytes, None],
        source: AsyncIterator[Any],
        given: RowCount,
        media_type: str,
        filename: str,
    ) -> None:
        headers = {
            "Content-Type": media_type,
            "Content-Disposition": f'attachment; filename="{filename}"',
            "Vary": "Accept",
        }
        super().__init__(chunks, headers=headers)
        self._chunks = chunks
        self._source = source
        self._given = given

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises ClientDisconnect, AnswerBrokenOffError; before the first bytes also others."""
        scope[_ROWS_KEY] = self._given
        is_head = scope["method"] == "HEAD"
        sending = asyncio.create_task(self._send_head(send) if is_head else self._send(send))
        listening = asyncio.create_task(_hang_up(receive))
        try:
            await asyncio.wait((sending, listening), return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Also when the server itself ends: the source is closed before this returns.
            sending.cancel()
            listening.cancel()
            await asyncio.gather(sending, listening, return_exceptions=True)
        if sending.cancelled():
            raise ClientDisconnect
        sending.result()

    async def _send(self, send: Send) -> None:
        is_started = False
        try:
            # The first bytes before the status: until then an error can still be told.
            chunk: bytes | None = await anext(self._chunks, b"")
            await self._send_start(send)
            is_started = True
            while chunk is not None:
                await _send_body(send, chunk)
                chunk = await anext(self._chunks, None)
            await _send_body(send, b"", is_last=True)
        except UnavailableError as error:
            if not is_started:
                raise
            _log.warning("export_broken_off", error=type(error).__name__, reason=str(error))
            raise AnswerBrokenOffError from error
        finally:
            await self._close()

    async def _send_head(self, send: Send) -> None:
        """Whoever asks for the headers alone gets them, and nothing is read."""
        try:
            await self._send_start(send)
            await _send_body(send, b"", is_last=True)
        finally:
            await self._close()

    async def _send_start(self, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )

    async def _close(self) -> None:
        await self._chunks.aclose()
        # Closing chunks that were never asked for does not reach what they come from.
        close = getattr(self._source, "aclose", None)
        if close is not None:
            await close()


async def _send_body(send: Send, chunk: bytes, *, is_last: bool = False) -> None:
    """Waits while the client is slow. Raises ClientDisconnect."""
    try:
        await send({"type": "http.response.body", "body": chunk, "more_body": not is_last})
    except OSError as error:
        raise ClientDisconnect from error


async def _hang_up(receive: Receive) -> None:
    """Return when the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
