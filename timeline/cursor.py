"""Page cursors: where a page ended, as opaque URL-safe text. Pure.

A cursor names the last entry of its page by what never changes of it, so it stays valid and stable
while entries are added and revised. It holds nothing that its reader has not seen.
"""

import base64
from enum import StrEnum
from typing import Final, NamedTuple, TypeVar

import msgspec
from pydantic import TypeAdapter

from runtime.errors import RefusedError
from schemas.kinds import Kind
from schemas.limits import STRING_CHARACTERS_MAX

T = TypeVar("T", bound=msgspec.Struct)

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


TIME_US_MAX: Final = 1 << 53  # the year 2255


def write_cursor(cursor: Cursor, order: Order) -> str:
    """URL-safe text without padding."""
    return write_opaque(_Body(_VERSION, order.value, *cursor))


def read_cursor(text: str) -> tuple[Cursor, Order]:
    """Raises RefusedError naming `cursor` for anything we did not write."""
    body = read_opaque(text, _Body)
    is_sound = (
        body.version == _VERSION
        and body.order in Order._value2member_map_
        and body.kind in Kind._value2member_map_
        and 0 <= body.occurred_at < TIME_US_MAX
        and len(body.id) <= STRING_CHARACTERS_MAX
        and len(body.workspace) <= STRING_CHARACTERS_MAX
    )
    if not is_sound:
        raise refused_cursor()
    return Cursor(body.occurred_at, body.kind, body.id, body.workspace), Order(body.order)


def refused_cursor() -> RefusedError:
    return RefusedError(
        "not a cursor of this list; take it unchanged from next_cursor",
        code="bad_value",
        field="cursor",
    )


def write_opaque(body: msgspec.Struct) -> str:
    """A place of any list, as opaque text."""
    return encode_opaque(msgspec.msgpack.encode(body))


def read_opaque(text: str, type_: type[T]) -> T:
    """The way back. Whether what it says can be is for the list to check.

    Raises RefusedError for all but the very text that `write_opaque` writes: one place, one cursor.
    """
    try:
        body = msgspec.msgpack.decode(decode_opaque(text), type=type_)
    except ValueError as error:
        raise refused_cursor() from error
    if write_opaque(body) != text:
        raise refused_cursor()
    return body


def write_name_cursor(list_: str, name: str) -> str:
    """Of a list that is sorted by a name alone; `list_` tells its cursors from those of others."""
    return encode_opaque(msgspec.msgpack.encode([list_, name]))


def read_name_cursor(list_: str, text: str | None, names: TypeAdapter[str]) -> str:
    """The name; '' without a cursor. Raises RefusedError, also for what is none of `names`."""
    if text is None:
        return ""
    try:
        of, name = msgspec.msgpack.decode(decode_opaque(text), type=tuple[str, str])
        if of != list_ or names.validate_python(name) != name:
            raise ValueError("another list's")
    except ValueError as error:
        raise refused_cursor() from error
    return name


def encode_opaque(body: bytes) -> str:
    return base64.urlsafe_b64encode(body).decode().rstrip("=")


def decode_opaque(text: str) -> bytes:
    """Raises ValueError."""
    if len(text) > _TEXT_CHARACTERS_MAX or not text.isascii():
        raise ValueError("too long, or not ASCII")
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
