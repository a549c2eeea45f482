"""Bytes of a known schema are read; any others are refused with a reason and nothing of theirs."""

import contextlib
import json

import pytest
from fastavro.schema import to_parsing_canonical_form
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import Codec, UndecodableError
from tests.schemas.golden_content import AVRO_FOLDER, CONTENT

MESSAGES = {name: Codec(name).encode(datum) for name, datum in CONTENT.items()}
CODECS = {name: Codec(name) for name in CONTENT}
HEADER_BYTES = 10
every_message = pytest.mark.parametrize("name", CONTENT)


def refusal_of(name: str, message: bytes) -> str:
    with pytest.raises(UndecodableError) as caught:
        CODECS[name].decode(message)
    assert str(caught.value).startswith(f"{name}: ")
    return str(caught.value)


@every_message
def test_a_message_says_by_its_fingerprint_what_schema_it_is_of(name: str) -> None:
    headers = {message[:HEADER_BYTES] for message in MESSAGES.values()}

    assert MESSAGES[name][:2] == b"\xc3\x01"
    assert len(headers) == len(MESSAGES)


def test_the_fingerprint_is_the_little_endian_crc_64_of_the_specification() -> None:
    schema = json.loads((AVRO_FOLDER / "dead_letter-1.avsc").read_text())
    canonical = to_parsing_canonical_form(schema)

    expected = _crc_64_avro(canonical.encode()).to_bytes(8, "little")

    assert MESSAGES["dead_letter"][2:HEADER_BYTES] == expected
    assert _crc_64_avro(b'"null"') == 0x63DD24E7CC258F8A, "the published example"


def _crc_64_avro(data: bytes) -> int:
    """The algorithm as the Avro specification prints it, without a table."""
    empty = 0xC15D213AA4D7A795
    fingerprint = empty
    for byte in data:
        fingerprint ^= byte
        for _ in range(8):
            fingerprint = (fingerprint >> 1) ^ (empty & -(fingerprint & 1))
    return fingerprint


@every_message
def test_what_was_encoded_is_decoded(name: str) -> None:
    again = CODECS[name].encode(CODECS[name].decode(MESSAGES[name]))

    assert again == MESSAGES[name]


@pytest.mark.parametrize(
    "message", [b"", b"\xc3", b"\xc3\x01", b"\xc3\x01" + b"\0" * 7, b"{}", b"\x01\xc3" + b"\0" * 99]
)
@every_message
def test_without_the_header_nothing_is_read(name: str, message: bytes) -> None:
    assert "no Avro single-object header" in refusal_of(name, message)


@every_message
def test_wrong_magic_is_no_message(name: str) -> None:
    wrong_first = b"\xc2" + MESSAGES[name][1:]
    wrong_second = MESSAGES[name][:1] + b"\x02" + MESSAGES[name][2:]

    assert "no Avro single-object header" in refusal_of(name, wrong_first)
    assert "no Avro single-object header" in refusal_of(name, wrong_second)


@every_message
def test_an_unknown_fingerprint_asks_for_an_upgrade(name: str) -> None:
    message = b"\xc3\x01" + b"\xab" * 8 + MESSAGES[name][HEADER_BYTES:]

    said = refusal_of(name, message)

    assert "unknown schema abababababababab" in said
    assert "Upgrade this process first" in said


@every_message
def test_another_kind_of_message_is_an_unknown_schema(name: str) -> None:
    for other in CONTENT.keys() - {name}:
        assert "unknown schema" in refusal_of(name, MESSAGES[other])


@every_message
def test_a_message_cut_short_anywhere_is_undecodable(name: str) -> None:
    for length in range(len(MESSAGES[name])):
        refusal_of(name, MESSAGES[name][:length])


@every_message
def test_bytes_after_the_end_are_undecodable(name: str) -> None:
    assert "bytes after the end" in refusal_of(name, MESSAGES[name] + b"\0")
    assert "bytes after the end" in refusal_of(name, MESSAGES[name] * 2)


@every_message
@given(body=st.binary(max_size=200))
def test_arbitrary_bytes_are_a_message_or_undecodable(name: str, body: bytes) -> None:
    for message in (body, MESSAGES[name][:HEADER_BYTES] + body):
        with contextlib.suppress(UndecodableError):
            CODECS[name].decode(message)


@every_message
@given(data=st.data())
def test_damaged_bytes_are_a_message_or_undecodable(name: str, data: st.DataObject) -> None:
    damaged = bytearray(MESSAGES[name])
    for place in data.draw(st.sets(st.integers(0, len(damaged) - 1), min_size=1, max_size=4)):
        damaged[place] = data.draw(st.integers(0, 255))
    with contextlib.suppress(UndecodableError):
        CODECS[name].decode(bytes(damaged))


def test_a_refusal_repeats_nothing_of_the_body() -> None:
    at = MESSAGES["envelope"].index(b"alice")
    damaged = MESSAGES["envelope"][:at] + b"\xffhunter2"

    assert "hunter2" not in refusal_of("envelope", damaged)


@every_message
def test_what_is_not_of_the_schema_is_our_own_mistake(name: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        CODECS[name].encode({})
