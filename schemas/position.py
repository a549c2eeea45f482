"""A position as clients see it: opaque text that only our own key can make or read.

It holds, for each partition a request touched, the last offset in it. The seal binds it to the
organization: another organization's position reads as an unknown one.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

import msgspec

_SEAL_BYTES: Final = 16
# Above 17,775, which 1024 partitions of 13 bytes and the seal come to in base64.
_TEXT_CHARACTERS_MAX: Final = 20_000


class UnknownPositionError(ValueError):
    """No position of this organization."""


def write_position(secret: bytes, organization: str, offsets: Mapping[int, int]) -> str:
    """`offsets`: partition -> last offset. URL-safe text without padding."""
    body = msgspec.msgpack.encode(sorted(offsets.items()))
    return _text(_seal(secret, organization, body) + body)


def read_position(secret: bytes, organization: str, text: str) -> dict[int, int]:
    """Partition -> last offset. Raises UnknownPositionError for anything we did not write."""
    if len(text) > _TEXT_CHARACTERS_MAX or not text.isascii():
        raise UnknownPositionError("unknown position")
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise UnknownPositionError("unknown position") from error
    if _text(raw) != text:  # base64 spells the same bytes in several ways; we wrote one of them
        raise UnknownPositionError("unknown position")
    seal, body = raw[:_SEAL_BYTES], raw[_SEAL_BYTES:]
    if not hmac.compare_digest(seal, _seal(secret, organization, body)):
        raise UnknownPositionError("unknown position")
    return dict(msgspec.msgpack.decode(body, type=list[tuple[int, int]]))


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _seal(secret: bytes, organization: str, body: bytes) -> bytes:
    message = organization.encode() + b"\0" + body
    return hmac.digest(secret, b"position\0" + message, hashlib.sha256)[:_SEAL_BYTES]
