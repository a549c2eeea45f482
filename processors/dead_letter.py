"""Dead letters: what could not be processed, kept with its reason and source position. Pure."""

from typing import Any, Final

from processors.correlator import DeadEvent
from schemas import topics
from schemas.codec import Codec
from schemas.envelope import Envelope, encode_envelope
from schemas.kinds import DEAD_EVENT_DETAILS, DeadLetterReason

DEAD_LETTER_CODEC: Final = Codec("dead_letter")


def dead_event_letter(
    envelope: Envelope, dead: DeadEvent, *, partition: int, offset: int
) -> dict[str, Any]:
    """The letter for one event, an envelope of its own, so that it can be resent."""
    event = envelope.events[dead.index]
    alone = Envelope(
        sender=envelope.sender,
        workspace=envelope.workspace,
        received_at=envelope.received_at,
        events=[event],
    )
    return {
        "organization": envelope.sender.organization,
        "workspace": envelope.workspace or "",
        "topic": topics.EVENTS,
        "partition": partition,
        "offset": offset,
        "index": dead.index,
        "reason": dead.reason.value,
        "detail": DEAD_EVENT_DETAILS[dead.reason],
        "kind": event.type,
        "id": event.fields["id"],
        "received_at": envelope.received_at,
        "content": encode_envelope(alone),
    }


def undecodable_letter(
    message: bytes, error: Exception, *, partition: int, offset: int
) -> dict[str, Any]:
    """The letter for a message that is no envelope; its bytes are kept as they were."""
    return {
        "topic": topics.EVENTS,
        "partition": partition,
        "offset": offset,
        "reason": DeadLetterReason.UNDECODABLE.value,
        "detail": str(error),
        "content": message,
    }
