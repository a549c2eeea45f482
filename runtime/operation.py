"""What one operation of the HTTP API takes and answers: a value that the API's document is made of.

Must stay true: nothing here serves requests. An operation stands beside the handler it tells of
(docs/decisions/0012-openapi-beside-the-routes.md); schemas are JSON Schema of the 2020-12 draft.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

JsonSchema: TypeAlias = dict[str, Any]

_SCHEMAS: Final = "#/components/schemas/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """`is_repeatable`: `schema` is that of the list of all values."""

    name: str
    schema: JsonSchema
    description: str
    place: Literal["query", "path", "header"] = "query"
    is_required: bool = False
    is_repeatable: bool = False
    example: Any = None  # None: there is none


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A header of an answer. Not required: some of these answers lack it."""

    description: str
    schema: JsonSchema
    is_required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """`schema` None: bytes that JSON Schema cannot describe. `examples` by name."""

    schema: JsonSchema | None = None
    examples: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What is sent, by media type."""

    description: str
    content: Mapping[str, Content]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What comes back with one status, by media type."""

    description: str
    content: Mapping[str, Content]
    headers: Mapping[str, Header] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one address. `role` None: it takes no key."""

    id: str
    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    tag: str
    summary: str
    description: str
    role: str | None
    answers: Mapping[int, Answer]
    parameters: Sequence[Parameter] = ()
    body: Body | None = None


def ref(name: str) -> JsonSchema:
    """The schema of this name among the document's components."""
    return {"$ref": f"{_SCHEMAS}{name}"}


def or_null(schema: JsonSchema) -> JsonSchema:
    """The same, or null."""
    kind = schema.get("type")
    if isinstance(kind, str) and "enum" not in schema and "const" not in schema:
        return {**schema, "type": [kind, "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def object_of(
    properties: Mapping[str, JsonSchema],
    *,
    optional: Sequence[str] = (),
    description: str | None = None,
) -> JsonSchema:
    """An object with these members and no others; all are required but the `optional` ones."""
    schema: JsonSchema = {
        "type": "object",
        "properties": dict(properties),
        "additionalProperties": False,
    }
    if required := [name for name in properties if name not in optional]:
        schema["required"] = required
    return schema if description is None else {"description": description, **schema}


def array_of(items: JsonSchema, **more: Any) -> JsonSchema:
    return {"type": "array", "items": items, **more}


def enum_of(values: Sequence[str], description: str | None = None) -> JsonSchema:
    schema: JsonSchema = {"type": "string", "enum": [str(value) for value in values]}
    return schema if description is None else {"description": description, **schema}


def json_content(schema: JsonSchema, **examples: Any) -> dict[str, Content]:
    return {"application/json": Content(schema=schema, examples=examples)}
