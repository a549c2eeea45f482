"""The events of a body as they were sent, one piece of JSON each, and the value of a piece. Pure.

msgspec cuts and decodes; it is quick and checks the grammar, but it refuses two things that JSON
allows: lone surrogates (`"\\ud800"`) anywhere in the body, and numbers out of its range. For the
first the cut is made on a copy in which another escape stands for each; for both the standard
library decodes the one event. The verdict on it is then `schemas.validation`'s, and the events
around it are not touched by it.

Must stay true:
- A body never makes many more objects than EVENTS_PER_REQUEST_MAX events of EVENT_BYTES_MAX would:
  larger pieces are checked but not decoded, more pieces are counted but not cut.
- The verdict on one event does not depend on the others, as long as the body is JSON.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final, TypeAlias, TypeVar

import msgspec

from ingest.problems import no_event, not_json, too_many_events
from schemas.limits import EVENTS_PER_REQUEST_MAX
from schemas.validation import well_formed_id

RawJson: TypeAlias = msgspec.Raw | bytes

T = TypeVar("T")

_WHITE: Final = b" \t\r\n"
_FIRST: Final = re.compile(rb"[ \t\r\n]*([^ \t\r\n])")
_LINE: Final = re.compile(rb"[^ \t\r\n][^\n]*")

# A piece costs 80 bytes when it is cut. Up to here all commas may be between events; beyond, those
# that are get counted first.
_COMMAS_MAX: Final = 50 * EVENTS_PER_REQUEST_MAX
_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[][{},]', re.DOTALL)

# An escape begins at a backslash that is not itself escaped: at the last of an odd number of them.
_SURROGATE: Final = re.compile(rb"(?<!\\)(\\++)u[dD][89a-fA-F][0-9a-fA-F]{2}")
_ESCAPE_BYTES: Final = 6
_LOW_DIGITS: Final = b"cdefCDEF"
# Escapes of the private use areas, six bytes as a surrogate's: one that the text has not stands in
# for lone surrogates. Nobody has use for all 6,400 and a lone surrogate; then the last is taken.
_MASKS: Final = [rb"\u%04x" % code for code in range(0xE000, 0xF900)]
_MASK_LIKE: Final = re.compile(rb"\\u[ef][0-9a-f]{3}")
# Any lone surrogate for any other: the verdict is the same, and none is ever stored.
_LONE_SURROGATE: Final = rb"\ud800"


class NotJsonError(ValueError):
    """This text is not JSON. Says what is wrong, never what is in it."""


_TOO_DEEP: Final = "Objects and arrays are nested too deep."
_MALFORMED: Final = "The text breaks the rules of JSON (RFC 8259)."


def check_utf8(body: bytes) -> None:
    """Raises a 400 Problem: not UTF-8, or a byte order mark, which JSON does not have."""
    if body.startswith(b"\xef\xbb\xbf"):
        raise not_json("The body begins with a byte order mark; leave it out.")
    if body.isascii():
        return
    try:
        body.decode()
    except UnicodeDecodeError:
        raise not_json("The body is not UTF-8.") from None


def split_json(body: bytes) -> list[RawJson]:
    """The events of one object or an array, as sent. Raises a Problem: 400 or 413."""
    match first_byte(body):
        case b"[":
            events = split_array(body)
        case b"{":
            events = [whole(body)]
        case b"":
            raise no_event("The body is empty.")
        case _:
            whole(body)
            raise no_event("The body is a single value; an event is an object.")
    if not events:
        raise no_event("The array is empty.")
    return events


def split_array(body: bytes) -> list[RawJson]:
    """The items of an array, as sent; there may be none. Raises a Problem: 400 or 413."""
    if body.count(b",") > _COMMAS_MAX and _holds_too_many(body):
        raise too_many_events()
    try:
        items, mask = parse(_ARRAY, body)
    except NotJsonError as error:
        raise not_json(str(error)) from None
    if len(items) > EVENTS_PER_REQUEST_MAX:
        raise too_many_events()
    return list(items) if mask is None else [unmasked(item, mask) for item in items]


def split_lines(body: bytes) -> list[RawJson]:
    """The lines that are not blank, as sent and not looked into. Raises a Problem: 400 or 413."""
    lines: list[RawJson] = []
    for found in _LINE.finditer(body):
        if len(lines) == EVENTS_PER_REQUEST_MAX:
            raise too_many_events()
        lines.append(found[0].rstrip(_WHITE))
    if not lines:
        raise no_event("The body holds no line that is not blank.")
    return lines


def whole(body: bytes) -> bytes:
    """The one value that the body is, as sent. Raises a 400 Problem."""
    try:
        check(body)
    except NotJsonError as error:
        raise not_json(str(error)) from None
    return body.strip(_WHITE)


def first_byte(body: bytes) -> bytes:
    """What tells arrays from objects and scalars; empty when there is nothing but white space."""
    found = _FIRST.match(body)
    return b"" if found is None else found[1]


def decode(raw: RawJson) -> Any:
    """The value of one event, which is no larger than an event may be. Raises NotJsonError."""
    try:
        return _VALUE.decode(raw)
    except msgspec.DecodeError:
        return _decode_slowly(bytes(raw))
    except RecursionError:
        raise NotJsonError(_TOO_DEEP) from None


def check(raw: RawJson) -> None:
    """Raises NotJsonError. Makes no objects, whatever the size."""
    parse(_PIECE, raw)


def event_id(raw: RawJson) -> str | None:
    """The id of an event too large to be decoded, when it may be repeated. `raw` is JSON."""
    try:
        identified, _ = parse(_IDENTIFIED, raw)
        return well_formed_id(_TEXT.decode(identified.id))
    except (NotJsonError, msgspec.DecodeError):
        return None


def parse(decoder: msgspec.json.Decoder[T], raw: RawJson) -> tuple[T, bytes | None]:
    """What `decoder` cuts out of `raw`; with a mask, each piece is to be `unmasked`.

    Raises NotJsonError, and msgspec.ValidationError for JSON that the decoder is not for.
    """
    try:
        return decoder.decode(raw), None
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        text, mask = _masked(bytes(raw))
    except RecursionError:
        raise NotJsonError(_TOO_DEEP) from None
    try:
        return decoder.decode(text), mask
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        raise NotJsonError(_MALFORMED) from None
    except RecursionError:
        raise NotJsonError(_TOO_DEEP) from None


def unmasked(piece: RawJson, mask: bytes) -> bytes:
    """A piece that `parse` cut out of a masked text, with lone surrogates where they were."""
    return bytes(piece).replace(mask, _LONE_SURROGATE)


class _Identified(msgspec.Struct):
    id: msgspec.Raw = msgspec.Raw(b"null")


_VALUE: Final = msgspec.json.Decoder()
_TEXT: Final = msgspec.json.Decoder(str)
_PIECE: Final = msgspec.json.Decoder(msgspec.Raw)
_ARRAY: Final = msgspec.json.Decoder(list[msgspec.Raw])
_IDENTIFIED: Final = msgspec.json.Decoder(_Identified)


def _masked(text: bytes) -> tuple[bytes, bytes]:
    """The text with no lone surrogates, and what stands in their places."""
    taken = {found[0] for found in _MASK_LIKE.finditer(text)}
    mask = next((mask for mask in _MASKS if mask not in taken), _MASKS[-1])
    masked = bytearray(text)
    for start in _lone_surrogates(text):
        masked[start : start + _ESCAPE_BYTES] = mask
    return bytes(masked), mask


def _lone_surrogates(text: bytes) -> Iterator[int]:
    """Where the escapes of surrogates begin that are not a high one followed by a low one."""
    high: int | None = None  # waits for its low one
    for found in _SURROGATE.finditer(text):
        if len(found[1]) % 2 == 0:
            continue
        start = found.end() - _ESCAPE_BYTES
        is_low = text[start + 3] in _LOW_DIGITS
        if is_low and high is not None and start == high + _ESCAPE_BYTES:
            high = None
            continue
        if high is not None:
            yield high
        if is_low:
            yield start
        high = None if is_low else start
    if high is not None:
        yield high


def _holds_too_many(body: bytes) -> bool:
    """Whether an array has more items than allowed; looks only as far as it takes to know."""
    depth = items = 0
    for found in _TOKEN.finditer(body):
        match found[0]:
            case b"[" | b"{":
                depth += 1
            case b"]" | b"}":
                depth -= 1
            case b"," if depth == 1:
                items += 1
                if items == EVENTS_PER_REQUEST_MAX:
                    return True
    return False


def _decode_slowly(raw: bytes) -> Any:
    try:
        return _TOLERANT.decode(raw.decode())
    except RecursionError:
        raise NotJsonError(_TOO_DEEP) from None
    except ValueError:
        raise NotJsonError(_MALFORMED) from None


def _refuse_constant(_name: str) -> None:
    raise ValueError("NaN and Infinity are not JSON")


def _bounded_int(digits: str) -> int:
    """Python refuses to read very long numbers; this one is out of every range just as well."""
    if len(digits) <= _DIGITS_MAX:
        return int(digits)
    return -_BEYOND_ALL_RANGES if digits.startswith("-") else _BEYOND_ALL_RANGES


_DIGITS_MAX: Final = 100
_BEYOND_ALL_RANGES: Final = 10**_DIGITS_MAX
_TOLERANT: Final = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=_bounded_int)
