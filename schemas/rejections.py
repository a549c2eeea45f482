"""Why an event was refused, and how the answer says it. Source: the contract, section 3."""

import re
from enum import StrEnum
from typing import Final, NotRequired, TypedDict

from schemas.limits import ECHOED_NAME_CHARACTERS_MAX
from schemas.secrets import looks_like_secret

_HARMLESS_NAME: Final = re.compile(rf"[A-Za-z0-9_.-]{{1,{ECHOED_NAME_CHARACTERS_MAX}}}", re.ASCII)


class RejectionCode(StrEnum):
    NOT_JSON = "not_json"
    NOT_A_CLOUDEVENT = "not_a_cloudevent"
    NOT_AN_OBJECT = "not_an_object"
    UNKNOWN_TYPE = "unknown_type"
    MISSING_FIELD = "missing_field"
    UNKNOWN_FIELD = "unknown_field"
    WRONG_TYPE = "wrong_type"
    BAD_VALUE = "bad_value"
    TOO_LONG = "too_long"
    ENDS_BEFORE_START = "ends_before_start"
    LOOKS_LIKE_SECRET = "looks_like_secret"
    WRONG_ORGANIZATION = "wrong_organization"


class Rejection(TypedDict):
    """One refused event in an answer. Holds no value of the event but a well-formed id."""

    index: int  # of the event in the request, from 0
    id: NotRequired[str]
    code: RejectionCode
    field: NotRequired[str]
    detail: str


class DroppedFields(TypedDict):
    """What `Prefer: handling=lenient` left unread in one event."""

    index: int
    fields: list[str]


def is_harmless_name(name: str) -> bool:
    """Whether an unknown field's name may be repeated to its sender."""
    return _HARMLESS_NAME.fullmatch(name) is not None and not looks_like_secret(name)
