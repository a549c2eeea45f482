"""An envelope: the events of one organization, workspace and request, as one message on the log.

Events travel normalised (see `schemas/validation.py`): times in µs, ids as 16 bytes, absent fields
left out. In memory an event is `Event`: its kind and its fields under the contract's names.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from sys import intern
from typing import Any, Final, NamedTuple

from schemas.codec import Codec, UndecodableError
from schemas.kinds import CLI_INSTANCE

ENVELOPE_CODEC: Final = Codec("envelope")


class Event(NamedTuple):
    """One snapshot. `fields` never hold None; ids are text in lower case."""

    type: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who sent an envelope, taken from the API key and never from the event."""

    organization: str
    actor: str
    actor_kind: str
    key_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """`workspace` is None for CLI instances, which have none. `received_at` in µs."""

    sender: Sender
    workspace: str | None
    received_at: int
    events: Sequence[Event]

    @property
    def key(self) -> str:
        """What decides the partition: everything of a workspace is in one."""
        return envelope_key(self.sender.organization, self.workspace, self.events[0])


def envelope_key(organization: str, workspace: str | None, event: Event) -> str:
    """`organization/workspace`; for a CLI instance `organization/instance id`."""
    return f"{organization}/{event.fields['id'] if event.type == CLI_INSTANCE else workspace}"


def encode_envelope(envelope: Envelope) -> bytes:
    """One Avro message. Raises ValueError or TypeError for an event that was never validated."""
    return ENVELOPE_CODEC.encode(
        {**sender_datum(envelope), "events": [event_datum(event) for event in envelope.events]}
    )


def decode_envelope(message: bytes) -> Envelope:
    """Raises UndecodableError."""
    datum = ENVELOPE_CODEC.decode(message)
    if not datum["events"]:
        raise UndecodableError("envelope: holds no event")
    return envelope_of(datum)


def envelope_of(datum: Mapping[str, Any]) -> Envelope:
    """The envelope inside a decoded message with the fields of `sender_datum` and `events`."""
    return Envelope(
        sender=Sender(
            organization=datum["organization"],
            actor=datum["actor"],
            actor_kind=datum["actor_kind"],
            key_id=datum["key_id"],
        ),
        workspace=datum["workspace"] or None,
        received_at=datum["received_at"],
        events=events_of(datum["events"]),
    )


def sender_datum(envelope: Envelope) -> dict[str, Any]:
    """What an Avro message says of the envelope itself."""
    sender = envelope.sender
    return {
        "organization": sender.organization,
        "workspace": envelope.workspace or "",
        "actor": sender.actor,
        "actor_kind": sender.actor_kind,
        "key_id": sender.key_id,
        "received_at": envelope.received_at,
    }


def event_datum(event: Event) -> tuple[str, dict[str, Any]]:
    """An event as fastavro wants a branch of a union: its name and its fields."""
    fields = event.fields
    if event.type == CLI_INSTANCE:
        return event.type, fields
    changed: dict[str, Any] = {"id": id_bytes(fields["id"])}
    if (source := fields.get("retriggered_from")) is not None:
        changed["retriggered_from"] = id_bytes(source)
    return event.type, {**fields, **changed}


def events_of(branches: Iterable[tuple[str, Mapping[str, Any]]]) -> list[Event]:
    """The way back from `event_datum`."""
    return [Event(name, _stated(fields)) for name, fields in branches]


def id_bytes(text: str) -> bytes:
    """The 16 bytes of a UUID's text."""
    return bytes.fromhex(text.replace("-", ""))


def id_text(value: bytes) -> str:
    """8-4-4-4-12 in lower case, which sorts as the 16 bytes do."""
    digits = value.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _stated(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What was stated: no None, no empty string, no false `fields_dropped`."""
    stated: dict[str, Any] = {}
    for name, value in fields.items():
        if value is None or value == "":
            continue
        if type(value) is bytes:
            stated[name] = id_text(value)
        elif type(value) is dict:
            stated[name] = _stated_inside(value)
        elif type(value) is str:
            # Users, machines and versions come again and again, and memory keeps them for long.
            stated[name] = intern(value)
        else:
            stated[name] = value
    if not stated["fields_dropped"]:
        del stated["fields_dropped"]
    return stated


def _stated_inside(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: intern(value) if type(value) is str else value
        for name, value in fields.items()
        if value is not None and value != ""
    }
