import asyncio
import functools
import gzip
import itertools
import os
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Iterable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ingest.body import (
    BodyMemory,
    ContentEncoding,
    check_content_length,
    read_body,
    read_content_encoding,
)
from runtime.errors import UnavailableError
from runtime.http import Problem
from schemas.limits import BODY_BYTES_MAX, KIB, MIB

zstd: Callable[[bytes], bytes] = zstandard.ZstdCompressor().compress
COMPRESSED = [(ContentEncoding.GZIP, gzip.compress), (ContentEncoding.ZSTD, zstd)]
both = pytest.mark.parametrize(("encoding", "compress"), COMPRESSED)


async def stream(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def read(
    *chunks: bytes,
    encoding: ContentEncoding = ContentEncoding.IDENTITY,
    memory: BodyMemory | None = None,
) -> bytes:
    with (memory or BodyMemory()).share() as share:
        return asyncio.run(read_body(stream(chunks), encoding, share))


def refusal(*chunks: bytes, encoding: ContentEncoding = ContentEncoding.IDENTITY) -> Problem:
    with pytest.raises(Problem) as raised:
        read(*chunks, encoding=encoding)
    return raised.value


@functools.cache
def bomb(encoding: ContentEncoding) -> bytes:
    """A gigabyte of zeros in about a megabyte or less."""
    zeros = bytes(MIB)
    if encoding is ContentEncoding.GZIP:
        deflate = zlib.compressobj(9, wbits=31)
        return b"".join([deflate.compress(zeros) for _ in range(1024)]) + deflate.flush()
    frame = zstandard.ZstdCompressor(level=3).compressobj()
    return b"".join([frame.compress(zeros) for _ in range(1024)]) + frame.flush()


@both
@given(body=st.binary(max_size=3_000), cuts=st.lists(st.integers(0, 3_000), max_size=4))
def test_a_body_comes_out_as_it_was_however_it_is_cut_into_chunks(
    encoding: ContentEncoding, compress: Callable[[bytes], bytes], body: bytes, cuts: list[int]
) -> None:
    sent = compress(body)
    edges = [0, *sorted(min(cut, len(sent)) for cut in cuts), len(sent)]
    chunks = [sent[start:end] for start, end in itertools.pairwise(edges)]

    assert read(*chunks, encoding=encoding) == body


@both
def test_several_parts_after_one_another_are_one_body(
    encoding: ContentEncoding, compress: Callable[[bytes], bytes]
) -> None:
    parts = [compress(b"one "), compress(b""), compress(b"two")]

    assert read(b"".join(parts), encoding=encoding) == b"one two"
    assert read(*parts, encoding=encoding) == b"one two"


@both
def test_a_body_cut_off_anywhere_is_refused(
    encoding: ContentEncoding, compress: Callable[[bytes], bytes]
) -> None:
    whole = compress(b"one") + compress(b"two" * 50)
    first = len(compress(b"one"))

    for length in range(1, len(whole)):
        if length != first:
            assert refusal(whole[:length], encoding=encoding).slug == "bad_compression", length


@both
def test_what_is_not_compressed_or_damaged_is_refused(
    encoding: ContentEncoding, compress: Callable[[bytes], bytes]
) -> None:
    for body in (b"{}", b"\0" * 50, compress(b"one") + b"junk", b"\x1f\x8b" + os.urandom(50)):
        assert refusal(body, encoding=encoding).slug == "bad_compression"


@both
def test_ten_mebibytes_are_read_and_one_byte_more_is_not(
    encoding: ContentEncoding, compress: Callable[[bytes], bytes]
) -> None:
    assert read(compress(b" " * BODY_BYTES_MAX), encoding=encoding) == b" " * BODY_BYTES_MAX
    assert refusal(compress(b" " * (BODY_BYTES_MAX + 1)), encoding=encoding).status == 413


def test_a_plain_body_has_the_same_limit() -> None:
    assert len(read(b" " * (BODY_BYTES_MAX - 1), b" ")) == BODY_BYTES_MAX
    assert refusal(b" " * BODY_BYTES_MAX, b" ").status == 413


@both
def test_the_compressed_side_is_capped_too(
    encoding: ContentEncoding, compress: Callable[[bytes], bytes]
) -> None:
    noise = compress(os.urandom(BODY_BYTES_MAX))
    assert len(noise) > BODY_BYTES_MAX

    assert refusal(*(noise[at : at + MIB] for at in range(0, len(noise), MIB)), encoding=encoding)


@pytest.mark.parametrize("encoding", [ContentEncoding.GZIP, ContentEncoding.ZSTD])
@pytest.mark.parametrize("chunk_bytes", [64 * KIB, 10 * MIB])
def test_a_bomb_stops_early_and_costs_no_more_than_a_large_body(
    encoding: ContentEncoding, chunk_bytes: int
) -> None:
    sent = bomb(encoding)
    chunks = [sent[at : at + chunk_bytes] for at in range(0, len(sent), chunk_bytes)]
    tracemalloc.start()

    problem = refusal(*chunks, encoding=encoding)

    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert problem.status == 413
    assert peak_bytes < 4 * BODY_BYTES_MAX


def test_a_zstd_frame_that_asks_for_much_memory_is_refused_unread() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27, compression_level=3)
    frame = zstandard.ZstdCompressor(compression_params=parameters).compressobj()

    assert (
        refusal(frame.compress(b"x") + frame.flush(), encoding=ContentEncoding.ZSTD).status == 413
    )


@both
def test_tiny_parts_without_end_are_refused(
    encoding: ContentEncoding, compress: Callable[[bytes], bytes]
) -> None:
    assert read(compress(b"") * 10_000, encoding=encoding) == b""
    assert refusal(compress(b"") * 10_001, encoding=encoding).status == 413


def test_a_body_that_does_not_arrive_is_given_up() -> None:
    async def stalled() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(60)

    async def attempt() -> None:
        with BodyMemory().share() as share:
            await read_body(stalled(), ContentEncoding.IDENTITY, share, wait_s=0.01)

    with pytest.raises(Problem) as raised:
        asyncio.run(attempt())
    assert raised.value.status == 408


def test_all_bodies_together_are_bounded_but_one_alone_always_gets_in() -> None:
    memory = BodyMemory(bytes_max=10)

    assert read(b"x" * 20, memory=memory) == b"x" * 20
    with memory.share() as other:
        other.take(6)
        assert read(b"x" * 4, memory=memory) == b"xxxx"
        with pytest.raises(UnavailableError):
            read(b"x" * 5, memory=memory)
        assert memory.bytes_held == 6
    assert memory.bytes_held == 0


@pytest.mark.parametrize(
    ("stated", "encoding"),
    [
        ([], ContentEncoding.IDENTITY),
        ([""], ContentEncoding.IDENTITY),
        (["identity"], ContentEncoding.IDENTITY),
        (["gzip"], ContentEncoding.GZIP),
        ([" X-GZip "], ContentEncoding.GZIP),
        (["ZSTD"], ContentEncoding.ZSTD),
    ],
)
def test_the_encodings_of_the_contract_are_known(
    stated: list[str], encoding: ContentEncoding
) -> None:
    assert read_content_encoding(stated) is encoding


@pytest.mark.parametrize(
    "stated", [["br"], ["deflate"], ["gzip, zstd"], ["gzip", "gzip"], ["identity, gzip"], ["*"]]
)
def test_another_encoding_or_more_than_one_is_unsupported(stated: list[str]) -> None:
    with pytest.raises(Problem) as raised:
        read_content_encoding(stated)

    assert raised.value.status == 415
    assert raised.value.headers["Accept-Encoding"] == "gzip, zstd"


def test_a_length_that_is_stated_too_large_is_refused_unread() -> None:
    check_content_length(None)
    check_content_length(str(BODY_BYTES_MAX))
    for stated in (str(BODY_BYTES_MAX + 1), "9" * 5_000):
        with pytest.raises(Problem) as raised:
            check_content_length(stated)
        assert raised.value.status == 413
