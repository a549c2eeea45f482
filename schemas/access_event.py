"""An access event: somebody used the audit trail. One message on audit.access.

Must stay true:
- The text of a key has no place in it, and nothing that looks like a secret is in `target`.
- `id`, `at` and `organization` of an access never change; the highest revision counts.
"""

import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from schemas.codec import Codec, UndecodableError
from schemas.envelope import id_bytes, id_text
from schemas.limits import KIB

ACCESS_CODEC: Final = Codec("access_event")

# What was asked for is told up to here: longer ones are somebody's generated list.
TARGET_BYTES_MAX: Final = 4 * KIB
# A statement of SQL is the question itself.
SQL_TARGET_BYTES_MAX: Final = 16 * KIB

BEGUN: Final = 0
ENDED: Final = 1
ACCESS_REVISION_MAX: Final = 255
# Avro's numbers are wider than what the table holds.
_MOST: Final = {
    "revision": ACCESS_REVISION_MAX,
    "status": 65_535,
    "rows": (1 << 63) - 1,
    "count": (1 << 63) - 1,
}


class AccessAction(StrEnum):
    READ = "read"
    EXPORT = "export"
    SQL = "sql"
    WRITE = "write"
    AUTHENTICATION_FAILED = "authentication_failed"


class AuthenticationFailure(StrEnum):
    """Why a request was nobody's."""

    NO_KEY = "no_key"  # or none that can be one
    MALFORMED_KEY = "malformed_key"
    UNKNOWN_KEY = "unknown_key"
    REVOKED_KEY = "revoked_key"
    EXPIRED_KEY = "expired_key"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessEvent:
    """Empty strings and None mean: not known. `at` in µs; `id` is a UUID in lower case.

    `revision` BEGUN may be followed by the same at ENDED, which then counts. `target` is a JSON
    object. `count` is 1 but for failed authentications. `action` is an AccessAction, or one of a
    newer version.
    """

    id: str
    revision: int
    at: int
    organization: str  # empty: of the installation
    actor: str
    actor_kind: str
    key_id: str
    action: str
    operation: str
    target: str
    status: int | None
    rows: int | None
    request_id: str
    client: str
    count: int


def new_access_id() -> str:
    return str(uuid.uuid4())


def encode_access_event(event: AccessEvent) -> bytes:
    """One Avro message. Raises ValueError or TypeError: our own mistake."""
    return ACCESS_CODEC.encode(
        {
            "id": id_bytes(event.id),
            "revision": event.revision,
            "at": event.at,
            "organization": event.organization,
            "actor": event.actor,
            "actor_kind": event.actor_kind,
            "key_id": event.key_id,
            "action": str(event.action),
            "operation": event.operation,
            "target": event.target,
            "status": event.status,
            "rows": event.rows,
            "request_id": event.request_id,
            "client": event.client,
            "count": event.count,
        }
    )


def decode_access_event(message: bytes) -> AccessEvent:
    """Raises UndecodableError."""
    datum = ACCESS_CODEC.decode(message)
    for name, most in _MOST.items():
        if not 0 <= (datum[name] or 0) <= most:
            raise UndecodableError(f"access_event: {name} out of range")
    return AccessEvent(**{**datum, "id": id_text(datum["id"])})
