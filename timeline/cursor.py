"""Page cursors: where a page ended, as opaque URL-safe text. Pure.

A cursor names the last entry of its page by what never changes of it, so it stays valid and stable
while entries are added and revised. It holds nothing that its reader has not seen.
"""

import base64
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from runtime.errors import RefusedError
from schemas.kinds import Kind
from schemas.limits import STRING_CHARACTERS_MAX

_VERSION: Final = 1
_TEXT_CHARACTERS_MAX: Final = 1_024


class Order(StrEnum):
    ASC = "asc"
    DESC = "desc"


class Cursor(NamedTuple):
    """The place of an entry: the timeline is sorted by these, in this order.

    The workspace comes last because an id may live in several.
    """

    occurred_at: int  # µs
    kind: str
    id: str
    workspace: str


class _Body(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    version: int
    order: str
    occurred_at: int
    kind: str
    id: str
    workspace: str


_DECODER: Final = msgspec.msgpack.Decoder(_Body)
_TIME_US_MAX: Final = 1 << 53  # the year 2255


def write_cursor(cursor: Cursor, order: Order) -> str:
    """URL-safe text without padding."""
    return encode_opaque(msgspec.msgpack.encode(_Body(_VERSION, order.value, *cursor)))


def read_cursor(text: str) -> tuple[Cursor, Order]:
    """Raises RefusedError naming `cursor` for anything we did not write."""
    try:
        body = _DECODER.decode(decode_opaque(text))
        order = Order(body.order)
        kind = Kind(body.kind).value
    except ValueError as error:
        raise refused_cursor() from error
    cursor = Cursor(body.occurred_at, kind, body.id, body.workspace)
    is_sound = (
        body.version == _VERSION
        and 0 <= body.occurred_at < _TIME_US_MAX
        and len(body.id) <= STRING_CHARACTERS_MAX
        and len(body.workspace) <= STRING_CHARACTERS_MAX
    )
    # Only the very text we write: one place, one cursor.
    if not is_sound or write_cursor(cursor, order) != text:
        raise refused_cursor()
    return cursor, order


def refused_cursor() -> RefusedError:
    return RefusedError(
        "not a cursor of this list; take it unchanged from next_cursor",
        code="bad_value",
        field="cursor",
    )


def encode_opaque(body: bytes) -> str:
    return base64.urlsafe_b64encode(body).decode().rstrip("=")


def decode_opaque(text: str) -> bytes:
    """Raises ValueError."""
    if len(text) > _TEXT_CHARACTERS_MAX or not text.isascii():
        raise ValueError("too long, or not ASCII")
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
