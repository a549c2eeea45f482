"""The API's document in OpenAPI 3.0, for what does not know 3.1 yet. Pure.

Must stay true: it says no more than the document of 3.1. What 3.0 cannot say is left out.
"""

from typing import Any, Final

_LEFT_OUT: Final = frozenset({"propertyNames"})
# Inside these, the names are ours and no keywords.
_NAMED: Final = frozenset(
    {
        "properties",
        "schemas",
        "headers",
        "content",
        "responses",
        "paths",
        "mapping",
        "securitySchemes",
    }
)
_VALUES: Final = frozenset({"example", "value", "default", "enum", "required"})
_NULL: Final = {"type": "null"}


def as_openapi_30(document: dict[str, Any]) -> dict[str, Any]:
    """The same document for OpenAPI 3.0.3; `document` stays as it is."""
    translated: dict[str, Any] = _translated(document)
    license_ = {"name": document["info"]["license"]["name"]}
    return {
        **translated,
        "openapi": "3.0.3",
        "info": {**translated["info"], "license": license_},
    }


def _translated(node: Any) -> Any:
    if isinstance(node, list):
        return [_translated(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {name: value for name, value in node.items() if name not in _LEFT_OUT}
    for rule in (_types, _alternatives, _example):
        node = rule(node)
    return _beside_ref({name: _member(name, value) for name, value in node.items()})


def _member(name: str, value: Any) -> Any:
    if name in _VALUES:
        return value
    if name in _NAMED and isinstance(value, dict):
        return {inner: _translated(held) for inner, held in value.items()}
    return _translated(value)


def _types(schema: dict[str, Any]) -> dict[str, Any]:
    """A list of types is one type, alternatives, or either with null."""
    types = schema.get("type")
    if types == "null":
        return {**_without(schema, "type"), "nullable": True, "enum": [None]}
    if not isinstance(types, list):
        return schema
    rest = _without(schema, "type")
    known = [name for name in types if name != "null"]
    one = {"type": known[0]} if len(known) == 1 else {"anyOf": [{"type": name} for name in known]}
    return {**rest, **one, **({"nullable": True} if "null" in types else {})}


def _alternatives(schema: dict[str, Any]) -> dict[str, Any]:
    """Null is no alternative there, but a property of the other one."""
    stated = schema.get("anyOf")
    if not isinstance(stated, list) or _NULL not in stated:
        return schema
    others = [other for other in stated if other != _NULL]
    rest = {**_without(schema, "anyOf"), "nullable": True}
    if len(others) > 1:
        return {**rest, "anyOf": others}
    only = others[0]
    return {**rest, "allOf": [only]} if "$ref" in only else {**only, **rest}


def _example(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema's examples are a list in 3.1; those of an answer have names in both."""
    examples = schema.get("examples")
    if not isinstance(examples, list):
        return schema
    return {**_without(schema, "examples"), "example": examples[0]}


def _beside_ref(schema: dict[str, Any]) -> dict[str, Any]:
    """In 3.0 nothing may stand beside a reference."""
    if "$ref" not in schema or len(schema) == 1:
        return schema
    return {**_without(schema, "$ref"), "allOf": [{"$ref": schema["$ref"]}]}


def _without(schema: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != name}
