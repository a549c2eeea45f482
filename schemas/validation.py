"""One verdict per event: valid and normalised, or refused with a code and a field.

Must stay true:
- The same object gets the same verdict; nothing here waits, logs or reads a clock.
- No refusal repeats a value, but a well-formed id.
- An event with several mistakes is refused for the gravest: a secret, then what it is, then what
  is unknown in it, what is missing, wrong types, bad values, and last what only shows across
  fields. So a secret is named as one wherever it stands under a known name.

Source: the contract, sections 2 and 3.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from typing_extensions import is_typeddict

from schemas.events import EVENT_TYPES, PATTERN_DETAILS
from schemas.kinds import CLI_INSTANCE
from schemas.records import RECORD_KINDS
from schemas.rejections import RejectionCode, is_harmless_name
from schemas.secrets import looks_like_secret

JsonObject: TypeAlias = dict[str, Any]

_ADAPTERS: Final[dict[str, TypeAdapter[Any]]] = {
    name: TypeAdapter(shape) for name, shape in EVENT_TYPES.items()
}
# Where an event says when it began and ended.
_SPAN_FIELDS: Final = {
    CLI_INSTANCE: ("first_seen", "last_seen"),
    **{kind.value: (spec.start_field, spec.end_field or "") for kind, spec in RECORD_KINDS.items()},
}
_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", re.ASCII)
_INSTANCE_ID: Final = re.compile(r"cli-[0-9A-Fa-f]{8,32}", re.ASCII)

_CODES: Final = {
    "extra_forbidden": RejectionCode.UNKNOWN_FIELD,
    "missing": RejectionCode.MISSING_FIELD,
    "string_type": RejectionCode.WRONG_TYPE,
    "int_type": RejectionCode.WRONG_TYPE,
    "int_from_float": RejectionCode.WRONG_TYPE,
    "float_type": RejectionCode.WRONG_TYPE,
    "bool_type": RejectionCode.WRONG_TYPE,
    "dict_type": RejectionCode.WRONG_TYPE,
    "string_too_long": RejectionCode.TOO_LONG,
}
_GRAVEST_FIRST: Final = (
    RejectionCode.UNKNOWN_FIELD,
    RejectionCode.MISSING_FIELD,
    RejectionCode.WRONG_TYPE,
    RejectionCode.TOO_LONG,
    RejectionCode.BAD_VALUE,
)
_DETAILS: Final = {
    RejectionCode.NOT_AN_OBJECT: "an event is a JSON object",
    RejectionCode.UNKNOWN_FIELD: "no such field in this type of event; stdout, secrets and target"
    " details have no place here. `Prefer: handling=lenient` drops unknown fields",
    RejectionCode.MISSING_FIELD: "this field is required",
    RejectionCode.LOOKS_LIKE_SECRET: "this string looks like a secret; it was not stored."
    " Consider it leaked to this connection and rotate it",
    RejectionCode.TOO_LONG: "longer than allowed",
}


@dataclass(frozen=True, slots=True)
class ValidEvent:
    """A normalised event: `fields` hold what it states, without type, workspace, organization."""

    type: str
    workspace: str | None
    fields: JsonObject
    dropped: tuple[str, ...] | None = None  # harmless names of what lenient handling left out


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an event was refused. `field` and `id` only when they may be repeated."""

    code: RejectionCode
    detail: str
    field: str | None = None
    id: str | None = None


def validate(
    event: object, *, organization: str, is_lenient: bool = False, search_secrets: bool = True
) -> ValidEvent | Refusal:
    """The verdict on one decoded JSON value. Never raises.

    `organization` is the key's. `search_secrets=False` only after `may_hold_secret` was false for
    the text the value came from.
    """
    if not isinstance(event, dict):
        return Refusal(RejectionCode.NOT_AN_OBJECT, _DETAILS[RejectionCode.NOT_AN_OBJECT])
    type_name = event.get("type")
    adapter = _ADAPTERS.get(type_name) if isinstance(type_name, str) else None
    if adapter is None or not isinstance(type_name, str):
        return _refuse_type(event)
    stated = _without_nulls(event)
    if search_secrets and (found := _secret_field(stated, type_name)) is not None:
        return _refuse(RejectionCode.LOOKS_LIKE_SECRET, found, event)
    dropped: tuple[str, ...] | None = None
    try:
        fields: Any = adapter.validate_python(stated)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        unknown = [entry["loc"] for entry in errors if entry["type"] == "extra_forbidden"]
        if not is_lenient or not unknown:
            return _gravest(errors, event)
        dropped = tuple(path for path in map(_path, unknown) if path is not None)
        try:
            fields = adapter.validate_python(_without(stated, unknown))
        except ValidationError as second:
            return _gravest(second.errors(include_url=False, include_input=False), event)
    if (refusal := _across_fields(fields, event, organization)) is not None:
        return refusal
    del fields["type"]
    if not fields.get("git", True):
        del fields["git"]  # an object that states nothing is the same as none
    fields.pop("organization", None)
    return ValidEvent(type_name, fields.pop("workspace", None), fields, dropped)


def well_formed_id(value: object) -> str | None:
    """The id, when it may be repeated in an answer: it can hold nothing but an id."""
    if isinstance(value, str) and (_UUID.fullmatch(value) or _INSTANCE_ID.fullmatch(value)):
        return value.lower()
    return None


def _across_fields(
    fields: Mapping[str, Any], event: JsonObject, organization: str
) -> Refusal | None:
    """What only shows when fields are seen together; `fields` are valid one by one."""
    match fields["type"]:
        case "action_run":
            end, status = fields.get("finished_at"), fields.get("status")
            if status == "running" and end is not None:
                return _refuse(
                    RejectionCode.BAD_VALUE, "status", event, "running, but finished_at is stated"
                )
            if end is None and status is not None and status != "running":
                return _refuse(RejectionCode.MISSING_FIELD, "finished_at", event)
            if fields.get("retriggered_from") == fields["id"]:
                return _refuse(
                    RejectionCode.BAD_VALUE, "retriggered_from", event, "a run cannot repeat itself"
                )
    start_field, end_field = _SPAN_FIELDS[fields["type"]]
    start, end = fields.get(start_field), fields.get(end_field)
    if start is not None and end is not None and end < start:
        return _refuse_order(end_field, event)
    if fields.get("organization", organization) != organization:
        return _refuse(
            RejectionCode.WRONG_ORGANIZATION,
            "organization",
            event,
            "the key belongs to another organization; leave the field out or use its own key",
        )
    return None


def _refuse_order(end_field: str, event: JsonObject) -> Refusal:
    return _refuse(
        RejectionCode.ENDS_BEFORE_START, end_field, event, "lies before the start of this event"
    )


def _refuse(
    code: RejectionCode, field: str | None, event: JsonObject, detail: str | None = None
) -> Refusal:
    return Refusal(code, detail or _DETAILS[code], field, well_formed_id(event.get("id")))


def _refuse_type(event: JsonObject) -> Refusal:
    value = event.get("type")
    if value is None:
        return _refuse(RejectionCode.MISSING_FIELD, "type", event)
    if not isinstance(value, str):
        return _refuse(RejectionCode.WRONG_TYPE, "type", event, "must be a string")
    if looks_like_secret(value):
        return _refuse(RejectionCode.LOOKS_LIKE_SECRET, "type", event)
    return _refuse(
        RejectionCode.UNKNOWN_TYPE, "type", event, f"known types: {', '.join(sorted(EVENT_TYPES))}"
    )


def _gravest(errors: list[ErrorDetails], event: JsonObject) -> Refusal:
    """The one refusal for a list of pydantic's errors, which are in the order of the fields."""
    coded = [(_CODES.get(error["type"], RejectionCode.BAD_VALUE), error) for error in errors]
    code, error = min(coded, key=lambda pair: _GRAVEST_FIRST.index(pair[0]))
    # pydantic's own sentences name types, patterns and bounds, never the value.
    pattern = error.get("ctx", {}).get("pattern")
    detail = _DETAILS.get(code) or PATTERN_DETAILS.get(
        pattern, error["msg"].removeprefix("Value error, ")
    )
    return _refuse(code, _path(error["loc"]), event, detail)


def _path(location: tuple[int | str, ...]) -> str | None:
    """`host.inventory_name`; None when a part of it may not be repeated."""
    parts = [str(part) for part in location]
    return ".".join(parts) if parts and all(map(is_harmless_name, parts)) else None


def _without_nulls(event: JsonObject) -> JsonObject:
    """`null` is the same as absent, in nested objects too."""
    return {
        name: {key: inner for key, inner in value.items() if inner is not None}
        if isinstance(value, dict)
        else value
        for name, value in event.items()
        if value is not None
    }


def _without(event: JsonObject, locations: list[tuple[int | str, ...]]) -> JsonObject:
    """A copy of `event` without the fields at `locations`, which are one or two names deep."""
    copy: JsonObject = {
        name: dict(value) if isinstance(value, dict) else value for name, value in event.items()
    }
    for location in locations:
        holder: Any = copy
        for part in location[:-1]:
            holder = holder[part]
        holder.pop(location[-1], None)
    return copy


def _known_names(shape: type) -> dict[str, frozenset[str] | None]:
    """The field names of an event type; for a nested object also the names inside."""
    known: dict[str, frozenset[str] | None] = {}
    for name, annotation in shape.__annotations__.items():
        inner = getattr(annotation, "__args__", (annotation,))[0]
        known[name] = frozenset(inner.__annotations__) if is_typeddict(inner) else None
    return known


_KNOWN: Final = {name: _known_names(shape) for name, shape in EVENT_TYPES.items()}


def _secret_field(event: JsonObject, type_name: str) -> str | None:
    """The first known field that holds a secret. Unknown ones are refused or dropped unread."""
    known = _KNOWN[type_name]
    for name, value in event.items():
        if name not in known:
            continue
        inner = known[name]
        if inner is not None and isinstance(value, dict):
            for key, nested in value.items():
                if key in inner and any(map(looks_like_secret, _strings(nested))):
                    return f"{name}.{key}"
        elif any(map(looks_like_secret, _strings(value))):
            return name
    return None


def _strings(value: object) -> Iterator[str]:
    """Every string inside a value; a stack of its own, because a sender chooses the depth."""
    pending = [value]
    while pending:
        match pending.pop():
            case str() as text:
                yield text
            case dict() as inner:
                yield from inner
                pending.extend(inner.values())
            case list() as inner:
                pending.extend(inner)


def is_record(type_name: str) -> bool:
    """Whether events of this type are folded into records; CLI instances are a register."""
    return type_name != CLI_INSTANCE
