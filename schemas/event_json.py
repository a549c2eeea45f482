"""An event as the JSON text a client could have sent: kept, shown, and read back.

Must stay true: the way there and back loses nothing, so that the log can be rebuilt from the texts.
Names are the contract's; times are RFC 3339 UTC. Besides the contract's fields there is
`fields_dropped`, true where lenient handling left something out. Pure.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NotRequired, get_args, get_origin

import msgspec

from schemas.envelope import Event
from schemas.events import EVENT_TYPES, TimeUs
from schemas.times import format_us, parse_us


def _times(annotations: Mapping[str, Any]) -> Iterable[str]:
    """The fields that hold a time; none stands inside an object."""
    for name, annotation in annotations.items():
        stated = get_args(annotation)[0] if get_origin(annotation) is NotRequired else annotation
        if stated == TimeUs:
            yield name


TIME_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    name: tuple(_times(shape.__annotations__)) for name, shape in EVENT_TYPES.items()
}
_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(dict[str, Any])


def event_json(event: Event, workspace: str | None) -> str:
    """The JSON text of an event; `workspace` is its envelope's.

    Raises KeyError for an unknown type, TypeError, ValueError or OverflowError for what validation
    would have refused.
    """
    stated: dict[str, Any] = {"type": event.type, "id": event.fields["id"]}
    if workspace is not None:
        stated["workspace"] = workspace
    stated.update(event.fields)
    for name in TIME_FIELDS[event.type]:
        if name in stated:
            stated[name] = format_us(stated[name])
    return _ENCODER.encode(stated).decode()


def event_of_json(text: str) -> tuple[Event, str | None]:
    """The event and its workspace. Raises ValueError or KeyError for what is no such text."""
    fields = _DECODER.decode(text)
    name = fields.pop("type")
    workspace = fields.pop("workspace", None)
    for time in TIME_FIELDS[name]:
        if time in fields:
            fields[time] = parse_us(fields[time])
    return Event(name, fields), workspace
