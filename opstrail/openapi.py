"""The OpenAPI document of the whole API, whichever process serves it.

Must stay true: the document is made of the operations that stand beside the routes and of nothing
else, so it is the same in every process. Source: the contract, section 5; OpenAPI 3.1.1.
"""

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any, Final

from ingest.operations import INGEST_OPERATIONS, INGEST_SCHEMAS
from opstrail.docs_operations import DOCS_OPERATIONS
from query.operations.catalog import QUERY_OPERATIONS, QUERY_SCHEMAS
from runtime.http import REQUEST_ID_PATTERN
from runtime.operation import (
    Answer,
    Content,
    Header,
    JsonSchema,
    Operation,
    Parameter,
)
from runtime.problem_answer import (
    INTERNAL_ERROR_ANSWER,
    OVER_RATE_ANSWER,
    PROBLEM_SCHEMAS,
    UNAUTHENTICATED_ANSWER,
)
from schemas.event_schema import EVENT_SCHEMAS, RECEIVED_EVENT_SCHEMAS

OPERATIONS: Final[tuple[Operation, ...]] = (
    *INGEST_OPERATIONS,
    *QUERY_OPERATIONS,
    *DOCS_OPERATIONS,
)
SCHEMAS: Final[Mapping[str, JsonSchema]] = {
    **PROBLEM_SCHEMAS,
    **EVENT_SCHEMAS,
    **RECEIVED_EVENT_SCHEMAS,
    **INGEST_SCHEMAS,
    **QUERY_SCHEMAS,
}

_TAGS: Final[Mapping[str, str]] = {
    "Sending": "Events in, and when they show.",
    "Timeline": "Runs, sessions and syncs with their links.",
    "Investigation": "Everything about a record, or about a moment.",
    "Analysis": "Numbers, deployments and SQL.",
    "Command lines": "The register of CLI instances.",
    "Workspaces": "What is said about them.",
    "Access": "Organizations, principals and keys: who may do what.",
    "Administration": "For an organization's administrators.",
    "Running it": "For those who run this; no key.",
}
_DESCRIPTION: Final = (
    "A self-hosted audit trail for infrastructure automation.\n\n"
    "Send an API key as `Authorization: Bearer <key>`; it belongs to one organization, and nothing"
    " of another is ever visible: what is another's is answered as what does not exist.\n\n"
    "Errors are problems (RFC 9457) of the type `urn:opstrail:problem:<what>`. An address that is"
    " not in this document is answered with 404 (`not_found`), a method that is not with 405"
    " (`method_not_allowed`) and the header `Allow`; wherever GET is, HEAD is too. Unknown query"
    " parameters are refused."
)
_SECURITY: Final = "apiKey"
_REQUEST_ID: Final = Header(
    description="Of this request, in the server's log: the request's own `X-Request-Id` where that"
    " has this form and does not look like a secret, else a new one.",
    schema={"type": "string", "pattern": f"^{REQUEST_ID_PATTERN}$"},
)


def openapi_document() -> dict[str, Any]:
    """OpenAPI 3.1, as JSON."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Opstrail",
            "version": version("opstrail"),
            "description": _DESCRIPTION,
            "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": what} for name, what in _TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": dict(SCHEMAS),
            "headers": {"X-Request-Id": _header(_REQUEST_ID)},
            "securitySchemes": {
                _SECURITY: {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key, made with `opstrail keys create`.",
                }
            },
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description
        if operation.role is None
        else f"{operation.description}\n\nTakes a key with the role `{operation.role}`.",
        "security": [] if operation.role is None else [{_SECURITY: []}],
    }
    if operation.parameters:
        described["parameters"] = list(map(_parameter, operation.parameters))
    if operation.body is not None:
        described["requestBody"] = {
            "description": operation.body.description,
            "required": True,
            "content": _content(operation.body.content),
        }
    answers = {**operation.answers, 500: INTERNAL_ERROR_ANSWER}
    if operation.role is not None:
        answers |= {401: UNAUTHENTICATED_ANSWER, 429: OVER_RATE_ANSWER}
    described["responses"] = {str(status): _answer(answers[status]) for status in sorted(answers)}
    return described


def _parameter(parameter: Parameter) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.description,
        "required": parameter.is_required,
        "schema": parameter.schema,
    }
    if parameter.is_repeatable:
        described |= {"style": "form", "explode": True}
    if parameter.example is not None:
        described["example"] = parameter.example
    return described


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "description": answer.description,
        "headers": {
            "X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"},
            **{name: _header(header) for name, header in answer.headers.items()},
        },
        "content": _content(answer.content),
    }


def _header(header: Header) -> dict[str, Any]:
    return {
        "description": header.description,
        "required": header.is_required,
        "schema": header.schema,
    }


def _content(content: Mapping[str, Content]) -> dict[str, Any]:
    return {str(media_type): dict(_media_type(what)) for media_type, what in content.items()}


def _media_type(content: Content) -> Iterable[tuple[str, Any]]:
    if content.schema is not None:
        yield "schema", content.schema
    if content.examples:
        yield "examples", {name: {"value": value} for name, value in content.examples.items()}
