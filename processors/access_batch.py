"""A range of the log of access events as rows to insert. Pure but for what it logs and counts."""

from collections.abc import Iterable
from typing import Final

import structlog

from runtime.metrics import count_dead_letter
from schemas import topics
from schemas.access_event import AccessEvent, decode_access_event
from schemas.codec import UndecodableError
from schemas.kinds import DeadLetterReason

_TOKEN_VERSION: Final = "v1"

_log: Final = structlog.get_logger(__name__)


def decoded(messages: Iterable[tuple[int, int, bytes]]) -> list[AccessEvent]:
    """The events of (partition, offset, message). What cannot be read stops nothing: it is logged,
    counted and passed, because it is still in the log.
    """
    events: list[AccessEvent] = []
    for partition, offset, message in messages:
        try:
            events.append(decode_access_event(message))
        except UndecodableError as error:
            count_dead_letter(DeadLetterReason.UNDECODABLE)
            _log.error(
                "an access event cannot be read",
                topic=topics.ACCESS,
                partition=partition,
                offset=offset,
                error=str(error),
            )
    return events


def access_token(partition: int, first: int, last: int, first_event: AccessEvent) -> str:
    """Names exactly one range of one log: a log that was made anew counts from the start again."""
    return f"access:{_TOKEN_VERSION}:{partition}:{first}-{last}:{first_event.id}"
