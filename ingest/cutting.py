"""Cuts the valid events of a request into envelopes. Pure.

Must stay true:
- The events of one workspace, or of one CLI instance, keep their order.
- No envelope holds events of two keys of the log.
- An envelope's Avro message is no larger than the JSON its events were sent as, so bounding the
  JSON bounds the message.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from schemas.envelope import Envelope, Event, Sender
from schemas.kinds import CLI_INSTANCE
from schemas.limits import ENVELOPE_BYTES_MAX


class SizedEvent(NamedTuple):
    """`size_bytes`: of the event as sent. `workspace` is None where a CLI instance states none."""

    event: Event
    workspace: str | None
    size_bytes: int


@dataclass(slots=True)
class _OpenEnvelope:
    workspace: str | None
    events: list[Event]
    size_bytes: int


def cut(events: Iterable[SizedEvent], *, sender: Sender, received_at: int) -> list[Envelope]:
    """As few envelopes as there can be without reordering, in the order of their first events."""
    envelopes: list[_OpenEnvelope] = []
    open_by_key: dict[tuple[str | None, str | None], _OpenEnvelope] = {}
    for event, workspace, size_bytes in events:
        # A CLI instance has no workspace: the register holds it under its own id.
        is_instance = event.type == CLI_INSTANCE
        key = (None, event.fields["id"]) if is_instance else (workspace, None)
        envelope = open_by_key.get(key)
        if envelope is None or envelope.size_bytes + size_bytes > ENVELOPE_BYTES_MAX:
            envelope = open_by_key[key] = _OpenEnvelope(key[0], [], 0)
            envelopes.append(envelope)
        envelope.events.append(event)
        envelope.size_bytes += size_bytes
    return [
        Envelope(
            sender=sender,
            workspace=envelope.workspace,
            received_at=received_at,
            events=envelope.events,
        )
        for envelope in envelopes
    ]
