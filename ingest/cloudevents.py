"""CloudEvents 1.0 in structured mode, single or batch: the event is `data`. Pure.

Source: CloudEvents 1.0.2, sections 2 and 3 of the JSON format.
"""

from typing import Final

import msgspec

from ingest.json_events import (
    NotJsonError,
    RawJson,
    first_byte,
    parse,
    split_array,
    unmasked,
    whole,
)
from ingest.problems import no_event, not_a_cloudevent
from schemas.rejections import RejectionCode
from schemas.validation import Refusal


class _CloudEvent(msgspec.Struct):
    """Only what decides. `data_base64` is bytes, and bytes are no event."""

    specversion: str
    id: str
    source: str
    type: str
    data: msgspec.Raw = msgspec.Raw(b"null")

    def __post_init__(self) -> None:
        if self.specversion != "1.0" or not (self.id and self.source and self.type):
            raise ValueError("a required attribute is not what CloudEvents 1.0 wants")


_CLOUDEVENT: Final = msgspec.json.Decoder(_CloudEvent)
_NULL: Final = b"null"
_ATTRIBUTES: Final = (
    'A CloudEvent is an object with `specversion` "1.0" and the non-empty strings `id`,'
    " `source` and `type`."
)
_NOT_A_CLOUDEVENT: Final = Refusal(RejectionCode.NOT_A_CLOUDEVENT, _ATTRIBUTES)
_WITHOUT_DATA: Final = Refusal(
    RejectionCode.NOT_A_CLOUDEVENT, "the event belongs into `data`, as an object", "data"
)


def split_one(body: bytes) -> list[RawJson | Refusal]:
    """The event of a single CloudEvent. Raises a 400 Problem."""
    if not first_byte(body):
        raise no_event("The body is empty.")
    event = _event_of(whole(body))
    if event is _NOT_A_CLOUDEVENT:
        raise not_a_cloudevent(_ATTRIBUTES)
    return [event]


def split_batch(body: bytes) -> list[RawJson | Refusal]:
    """The events of a batch, in its order. Raises a Problem: 400 or 413."""
    match first_byte(body):
        case b"[":
            items = split_array(body)
        case b"":
            raise no_event("The body is empty.")
        case _:
            whole(body)
            raise not_a_cloudevent("A batch of CloudEvents is an array.")
    if not items:
        raise no_event("The batch is empty.")
    return [_event_of(item) for item in items]


def _event_of(item: RawJson) -> RawJson | Refusal:
    try:
        cloudevent, mask = parse(_CLOUDEVENT, item)
    except (NotJsonError, msgspec.ValidationError):
        return _NOT_A_CLOUDEVENT
    data = cloudevent.data
    if bytes(data) == _NULL:
        return _WITHOUT_DATA
    return data if mask is None else unmasked(data, mask)
