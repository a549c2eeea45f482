"""A request's body as it streams in: decompressed, and bounded on both sides while it is read.

Must stay true:
- Neither what came in nor what came out of it ever passes BODY_BYTES_MAX, and no single step makes
  more than about that much at once: a bomb costs no more memory than a large body.
- Work is bounded by the bytes sent: many tiny compressed parts cost no more than few large ones.
- The bytes of all bodies in this process together are bounded too.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Final, Protocol

import zstandard

from ingest.problems import bad_compression, body_too_large, body_too_slow, unsupported_encoding
from runtime.errors import UnavailableError
from runtime.http import Problem
from schemas.limits import BODY_BYTES_MAX, EVENTS_PER_REQUEST_MAX, KIB, MIB

# Six of the largest bodies at once; more are asked to come again.
BODIES_BYTES_MAX: Final = 64 * MIB
# The largest body over a line of one megabit per second, and some rest.
BODY_WAIT_S: Final = 120.0

# gzip members and zstd frames may follow one another. A part per event is the most anyone needs,
# and each costs a decompressor of its own.
_PARTS_MAX: Final = EVENTS_PER_REQUEST_MAX
# Each member's end copies the rest of what was fed, so little is fed at a time.
_GZIP_SLICE_BYTES: Final = 16 * KIB
# zstd has no cap of its own on what one call gives out. 4 bytes give at most one block of 128 KiB,
# so a slice of this many gives at most BODY_BYTES_MAX.
_ZSTD_SLICE_BYTES: Final = BODY_BYTES_MAX // (128 * KIB) * 4
# A frame may ask for as much memory as its content is large; RFC 9659 allows 8 MiB in HTTP.
_ZSTD_WINDOW_BYTES_MAX: Final = 16 * MIB
_ZSTD_WINDOW_ERROR: Final = "requires too much memory"
# Enough to be larger than any bound, and never a number that takes long to read.
_DIGITS_MAX: Final = 19
_GZIP_WBITS: Final = 16 + zlib.MAX_WBITS


class ContentEncoding(StrEnum):
    IDENTITY = "identity"
    GZIP = "gzip"
    ZSTD = "zstd"


_ENCODINGS: Final = {
    "": ContentEncoding.IDENTITY,
    "identity": ContentEncoding.IDENTITY,
    "gzip": ContentEncoding.GZIP,
    "x-gzip": ContentEncoding.GZIP,  # the same: RFC 9110, section 8.4.1.3
    "zstd": ContentEncoding.ZSTD,
}


def read_content_encoding(stated: Sequence[str]) -> ContentEncoding:
    """`stated`: the values of all Content-Encoding headers. Raises a 415 Problem."""
    encoding = _ENCODINGS.get(",".join(stated).strip().lower())
    if encoding is None:
        raise unsupported_encoding(
            "The body may be sent as it is, or with one of the encodings in Accept-Encoding.",
            accepted=[ContentEncoding.GZIP, ContentEncoding.ZSTD],
        )
    return encoding


def check_content_length(stated: str | None) -> None:
    """Refuse unread what says itself that it is too large. Raises a 413 Problem."""
    if stated is not None and stated.isdecimal() and int(stated[:_DIGITS_MAX]) > BODY_BYTES_MAX:
        raise body_too_large()


class BodyMemory:
    """Counts the bytes of all bodies that are held at once. Belongs to one event loop."""

    def __init__(self, bytes_max: int = BODIES_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._bytes_held = 0

    @contextmanager
    def share(self) -> "Iterator[BodyShare]":
        """One request's part, given back at the end of the block."""
        share = BodyShare(self)
        try:
            yield share
        finally:
            self._bytes_held -= share.bytes_held

    @property
    def bytes_held(self) -> int:
        return self._bytes_held

    def take(self, size: int, bytes_own: int) -> None:
        """Raises UnavailableError when this is too much, unless nobody else holds anything."""
        is_alone = self._bytes_held == bytes_own
        if self._bytes_held + size > self._bytes_max and not is_alone:
            raise UnavailableError("too many bytes of request bodies are in memory")
        self._bytes_held += size


class BodyShare:
    """What one request holds of a BodyMemory."""

    def __init__(self, memory: BodyMemory) -> None:
        self._memory = memory
        self.bytes_held = 0

    def take(self, size: int) -> None:
        """Raises UnavailableError; then nothing more was taken."""
        self._memory.take(size, self.bytes_held)
        self.bytes_held += size


async def read_body(
    chunks: AsyncIterator[bytes],
    encoding: ContentEncoding,
    share: BodyShare,
    *,
    wait_s: float = BODY_WAIT_S,
) -> bytes:
    """The whole body, decompressed.

    Raises a Problem: 413 as soon as it is too large, 400 when it is not whole data of `encoding`,
    408 after `wait_s`; UnavailableError when the process holds too many bodies.
    """
    expander = _expander(encoding, _Pieces(share))
    received_bytes = 0
    try:
        async with asyncio.timeout(wait_s):
            async for chunk in chunks:
                received_bytes += len(chunk)
                if received_bytes > BODY_BYTES_MAX:
                    raise body_too_large()
                expander.feed(chunk)
    except TimeoutError:
        raise body_too_slow() from None
    return expander.finish()


class _Pieces:
    """What came out so far, capped."""

    def __init__(self, share: BodyShare) -> None:
        self._share = share
        self._pieces: list[bytes] = []
        self.bytes_left = BODY_BYTES_MAX

    def add(self, piece: bytes) -> None:
        """Raises a 413 Problem or UnavailableError."""
        if not piece:
            return
        self.bytes_left -= len(piece)
        if self.bytes_left < 0:
            raise body_too_large()
        self._share.take(len(piece))
        self._pieces.append(piece)

    def join(self) -> bytes:
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)


class _Expander(Protocol):
    def feed(self, chunk: bytes) -> None: ...

    def finish(self) -> bytes: ...


def _expander(encoding: ContentEncoding, pieces: _Pieces) -> _Expander:
    match encoding:
        case ContentEncoding.IDENTITY:
            return _Identity(pieces)
        case ContentEncoding.GZIP:
            return _Gunzip(pieces)
        case ContentEncoding.ZSTD:
            return _Unzstd(pieces)


class _Identity:
    def __init__(self, pieces: _Pieces) -> None:
        self._pieces = pieces

    def feed(self, chunk: bytes) -> None:
        self._pieces.add(chunk)

    def finish(self) -> bytes:
        return self._pieces.join()


class _Gunzip:
    """Members of gzip, one after another (RFC 1952, section 2.2)."""

    def __init__(self, pieces: _Pieces) -> None:
        self._pieces = pieces
        self._member = zlib.decompressobj(_GZIP_WBITS)
        self._members = 1
        self._is_fresh = True  # nothing of this member was seen yet

    def feed(self, chunk: bytes) -> None:
        try:
            for part in _slices(chunk, _GZIP_SLICE_BYTES):
                self._feed(part)
        except zlib.error:
            raise bad_compression(ContentEncoding.GZIP) from None

    def _feed(self, part: bytes) -> None:
        while part:
            if self._member.eof:
                self._member = zlib.decompressobj(_GZIP_WBITS)
                self._members = _next_part(self._members)
            self._is_fresh = False
            # One more than is left, so that one too many shows.
            self._pieces.add(self._member.decompress(part, self._pieces.bytes_left + 1))
            part = self._member.unconsumed_tail or self._member.unused_data

    def finish(self) -> bytes:
        if not self._member.eof and not self._is_fresh:
            raise bad_compression(ContentEncoding.GZIP)
        return self._pieces.join()


class _Unzstd:
    """Frames of zstd, one after another (RFC 8878, section 3)."""

    def __init__(self, pieces: _Pieces) -> None:
        self._pieces = pieces
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES_MAX)
        self._frame = self._decompressor.decompressobj()
        self._frames = 1
        self._is_fresh = True

    def feed(self, chunk: bytes) -> None:
        try:
            for part in _slices(chunk, _ZSTD_SLICE_BYTES):
                self._feed(part)
        except zstandard.ZstdError as error:
            raise _zstd_problem(error) from None

    def _feed(self, part: bytes) -> None:
        while part:
            if self._frame.eof:
                self._frame = self._decompressor.decompressobj()
                self._frames = _next_part(self._frames)
            self._is_fresh = False
            self._pieces.add(self._frame.decompress(part))
            part = self._frame.unused_data if self._frame.eof else b""

    def finish(self) -> bytes:
        if not self._frame.eof and not self._is_fresh:
            raise bad_compression(ContentEncoding.ZSTD)
        return self._pieces.join()


def _zstd_problem(error: zstandard.ZstdError) -> Problem:
    """A frame that needs more memory than the largest body is one that announces a larger one."""
    if _ZSTD_WINDOW_ERROR in str(error):
        return body_too_large()
    return bad_compression(ContentEncoding.ZSTD)


def _next_part(parts: int) -> int:
    if parts == _PARTS_MAX:
        raise body_too_large()
    return parts + 1


def _slices(chunk: bytes, size: int) -> Iterator[bytes]:
    if len(chunk) <= size:
        yield chunk
        return
    for start in range(0, len(chunk), size):
        yield chunk[start : start + size]
