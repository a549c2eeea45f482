"""The JSON Schema of events, made from the types that validate them. Pure.

Must stay true: what this refuses is refused. What only shows when fields are seen together (an end
before its start) or by a list (secrets) cannot be said here. Source: the contract, section 2.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, NotRequired, TypeAlias, get_args, get_origin

from pydantic import TypeAdapter
from typing_extensions import is_typeddict

from schemas.events import (
    EVENT_TYPES,
    STATUS_SYNONYMS,
    InstanceId,
    Name,
    RunStatus,
    Sha,
    SyncResult,
    Text,
    TimeUs,
    Uuid,
)
from schemas.limits import STRING_CHARACTERS_MAX

JsonSchema: TypeAlias = dict[str, Any]

_REF: Final = "#/components/schemas/"
# ECMA-262, as JSON Schema has it: Cc is U+0000-001F and U+007F-009F.
_TEXT_PATTERN: Final = r"^[^\u0000-\u001F\u007F-\u009F\u202A-\u202E\u2066-\u2069]*$"
_TIME_PATTERN: Final = (
    r"^(19[7-9][0-9]|2[01][0-9][0-9]|1969|2200)-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?"
    r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)
_NIL: Final = "(?!0{8}-0{4}-0{4}-0{4}-0{12}$)"


def _leaf(shape: Any, **more: Any) -> JsonSchema:
    return {**TypeAdapter(shape).json_schema(), **more}


def _uuid() -> JsonSchema:
    leaf = _leaf(Uuid, format="uuid", description="A UUID; the nil UUID names nothing.")
    return {**leaf, "pattern": f"^{_NIL}{leaf['pattern'].removeprefix('^')}"}


# By the name of the component.
LEAF_SCHEMAS: Final[Mapping[str, JsonSchema]] = {
    "Text": _leaf(
        Text,
        pattern=_TEXT_PATTERN,
        description=f"1 to {STRING_CHARACTERS_MAX} characters, none of them a control character or"
        " a bidirectional override. What looks like a secret is refused.",
    ),
    "Name": _leaf(Name, description="The name of a workspace or an organization."),
    "Uuid": _uuid(),
    "CliInstanceId": _leaf(InstanceId, description="The id of an installed command line."),
    "Sha": _leaf(Sha, description="A commit, wholly or its first digits."),
    "Time": {
        "type": "string",
        "format": "date-time",
        "pattern": _TIME_PATTERN,
        "description": "RFC 3339 with an offset, from 1970 to 2199; digits past microseconds are"
        " cut.",
    },
}
_LEAVES: Final = (
    *((Text, "Text"), (Name, "Name"), (Uuid, "Uuid"), (InstanceId, "CliInstanceId")),
    *((Sha, "Sha"), (TimeUs, "Time")),
)
_CLOSED: Final = ((RunStatus, tuple(STATUS_SYNONYMS)), (SyncResult, ()))


def _schema(annotation: Any) -> JsonSchema:
    for leaf, name in _LEAVES:
        if annotation == leaf:
            return {"$ref": f"{_REF}{name}"}
    for closed, synonyms in _CLOSED:
        if annotation == closed:
            return {"type": "string", "enum": [*get_args(get_args(closed)[0]), *synonyms]}
    if get_origin(annotation) is Literal:
        return {"type": "string", "enum": list(get_args(annotation))}
    if is_typeddict(annotation):
        return _object(annotation)
    return _leaf(annotation)


def _object(shape: Any) -> JsonSchema:
    properties: dict[str, JsonSchema] = {}
    required = []
    for name, annotation in _annotations(shape).items():
        if get_origin(annotation) is NotRequired:
            # null is the same as absent
            stated = _schema(get_args(annotation)[0])
            properties[name] = {"anyOf": [stated, {"type": "null"}]}
        else:
            properties[name] = _schema(annotation)
            required.append(name)
    schema: JsonSchema = {
        "type": "object",
        "description": shape.__doc__,
        "properties": properties,
        "additionalProperties": False,
    }
    return {**schema, "required": required} if required else schema


def _annotations(shape: Any) -> dict[str, Any]:
    """Those every kind has come last: its own say what it is."""
    own = dict(shape.__annotations__)
    stated = {name: own[name] for name in own if name in ("type", "id", "workspace")}
    return {**stated, **own}


def _component(type_name: str) -> str:
    return "".join(word.capitalize() for word in type_name.split("_")) + "Event"


# The events a client sends, each under the name of its component, and `Event`: any of them.
EVENT_SCHEMAS: Final[Mapping[str, JsonSchema]] = {
    **LEAF_SCHEMAS,
    **{_component(name): _object(shape) for name, shape in EVENT_TYPES.items()},
    "Event": {
        "description": "A snapshot of one record, as the client knows it at that moment.",
        "oneOf": [{"$ref": f"{_REF}{_component(name)}"} for name in EVENT_TYPES],
        "discriminator": {
            "propertyName": "type",
            "mapping": {name: f"{_REF}{_component(name)}" for name in EVENT_TYPES},
        },
    },
}


def _received(type_name: str) -> JsonSchema:
    """An event as it is kept: normalised, and without what was not stated."""
    schema = EVENT_SCHEMAS[_component(type_name)]
    properties = {
        # Nothing is null, and the organization is the key's.
        name: stated["anyOf"][0] if "anyOf" in stated else stated
        for name, stated in schema["properties"].items()
        if name != "organization"
    }
    properties["fields_dropped"] = {
        "type": "boolean",
        "description": "Unknown fields were left out (`Prefer: handling=lenient`).",
    }
    return {**schema, "properties": properties}


RECEIVED_EVENT_SCHEMAS: Final[Mapping[str, JsonSchema]] = {
    "ReceivedEvent": {
        "description": "An event as it was received, with ids in lower case and times in UTC.",
        "oneOf": [_received(name) for name in EVENT_TYPES],
    }
}
