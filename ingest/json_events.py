"""The events of a body as they were sent, one piece of JSON each, and the value of a piece. Pure.

msgspec cuts and decodes; it is quick and checks the grammar, but it refuses two things that JSON
allows: lone surrogates (`"\\ud800"`) anywhere in the body, and numbers out of its range. For the
first the cut is made on a copy in which they are masked, letter for letter, so that the places stay
the same; for both the standard library decodes the one event. The verdict on it is then
`schemas.validation`'s, and the events around it are not touched by it.

Must stay true:
- A body never makes many more objects than EVENTS_PER_REQUEST_MAX events of EVENT_BYTES_MAX would:
  larger pieces are checked but not decoded, more pieces are counted but not cut.
- The verdict on one event does not depend on the others, as long as the body is JSON.
"""

import json
import re
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

_SURROGATE: Final = re.compile(
    # A pair, or an escape of another kind: both stay, and with them the next backslash is one that
    # begins an escape again.
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|\\(?!u[dD][89a-fA-F])."
    rb"|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})",
    re.DOTALL,
)
_MASK: Final = rb"\ufffd"  # six bytes, as the escape it stands for


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
        items, text = parse(_ARRAY, body)
    except NotJsonError as error:
        raise not_json(str(error)) from None
    if len(items) > EVENTS_PER_REQUEST_MAX:
        raise too_many_events()
    return list(items) if text is body else _at_same_places(items, text, body)


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


def parse(decoder: msgspec.json.Decoder[T], raw: RawJson) -> tuple[T, RawJson]:
    """What `decoder` makes of `raw`, and the text it was made of: `raw`, or `raw` masked.

    For decoders that cut and do not look into strings. Raises NotJsonError, and
    msgspec.ValidationError for JSON that the decoder is not for.
    """
    try:
        return decoder.decode(raw), raw
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        text = _masked(bytes(raw))
    except RecursionError:
        raise NotJsonError(_TOO_DEEP) from None
    try:
        return decoder.decode(text), text
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        raise NotJsonError(_MALFORMED) from None
    except RecursionError:
        raise NotJsonError(_TOO_DEEP) from None


class _Identified(msgspec.Struct):
    id: msgspec.Raw = msgspec.Raw(b"null")


_VALUE: Final = msgspec.json.Decoder()
_TEXT: Final = msgspec.json.Decoder(str)
_PIECE: Final = msgspec.json.Decoder(msgspec.Raw)
_ARRAY: Final = msgspec.json.Decoder(list[msgspec.Raw])
_IDENTIFIED: Final = msgspec.json.Decoder(_Identified)


def _at_same_places(items: list[msgspec.Raw], text: RawJson, body: bytes) -> list[RawJson]:
    """The same pieces of `body`. Between two of them is nothing but white space and a comma."""
    masked, end = bytes(text), 0
    originals: list[RawJson] = []
    for item in items:
        piece = bytes(item)
        start = masked.index(piece, end)
        end = start + len(piece)
        originals.append(body[start:end])
    return originals


def _masked(text: bytes) -> bytes:
    return _SURROGATE.sub(lambda found: _MASK if found["lone"] else found[0], text)


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
