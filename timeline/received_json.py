"""A received snapshot as the API shows it. Pure."""

import re
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from schemas.kinds import DEAD_EVENT_DETAILS, DeadLetterReason
from schemas.times import format_us
from timeline.connection import Row

ReceivedJson: TypeAlias = dict[str, Any]


class LogPlace(NamedTuple):
    """Where an event stands on the log: unlike that of any other, in whatever organization."""

    partition: int
    offset: int
    event_index: int  # in its envelope, from 0

    @property
    def is_sound(self) -> bool:
        """Whether the columns can hold it."""
        return (
            0 <= self.partition < 2**32
            and 0 <= self.offset < 2**63
            and 0 <= self.event_index < 2**32
        )

    @property
    def text(self) -> str:
        """Safe in a path; `read_place` reads it."""
        return "-".join(map(str, self))


_NUMBER: Final = "(0|[1-9][0-9]{0,18})"
PLACE_PATTERN: Final = f"^{_NUMBER}-{_NUMBER}-{_NUMBER}$"
_PLACE: Final = re.compile(PLACE_PATTERN, re.ASCII)

PLACE_COLUMNS: Final = "`partition`, `offset`, `index`"
# In the order of `Received`.
RECEIVED_COLUMNS: Final = (
    f"{PLACE_COLUMNS}, toUnixTimestamp64Micro(received_at), workspace, toString(kind), id, actor,"
    " toString(actor_kind), key_id, toString(dead_reason), event"
)


class Received(NamedTuple):
    """A row of `snapshots` or `dead_letters`; `received_at` in µs."""

    partition: int
    offset: int
    event_index: int  # in its envelope, from 0
    received_at: int
    workspace: str
    kind: str
    id: str
    actor: str
    actor_kind: str
    key_id: str
    dead_reason: str
    event: str

    @property
    def place(self) -> LogPlace:
        return LogPlace(*self[:3])


def read_place(text: str) -> LogPlace | None:
    """None for all but the very text of a place."""
    found = _PLACE.fullmatch(text)
    if found is None:
        return None
    place = LogPlace(*map(int, found.groups()))
    return place if place.is_sound else None


def received(row: Row) -> Received:
    return Received(*row)


def history_json(row: Received) -> ReceivedJson:
    """One snapshot of a record's history."""
    return {
        "received_at": format_us(row.received_at),
        **_sender(row),
        "dead_reason": row.dead_reason or None,
        "detail": _detail(row),
        "event": _event(row),
    }


def dead_letter_json(row: Received) -> ReceivedJson:
    """One dead letter of an organization."""
    return {
        "id": row.place.text,
        "received_at": format_us(row.received_at),
        "workspace": row.workspace,
        "kind": row.kind,
        "record_id": row.id,
        "reason": row.dead_reason,
        "detail": _detail(row),
        **_sender(row),
        "event": _event(row),
    }


def _sender(row: Received) -> dict[str, str]:
    return {"actor": row.actor, "actor_kind": row.actor_kind, "key_id": row.key_id}


def _detail(row: Received) -> str | None:
    """None for a snapshot that was used, and for a reason of a newer version."""
    if row.dead_reason not in DeadLetterReason._value2member_map_:
        return None
    return DEAD_EVENT_DETAILS.get(DeadLetterReason(row.dead_reason))


def _event(row: Received) -> msgspec.Raw:
    """As it is kept, without another look at it."""
    return msgspec.Raw(row.event.encode())
