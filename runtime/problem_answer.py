"""The problems of `runtime/http.py` as the API's document tells of them."""

from collections.abc import Mapping
from typing import Final

from runtime.http import (
    PROBLEM_MEDIA_TYPE,
    PROBLEM_TYPE_PREFIX,
    RETRY_AFTER_S,
    Problem,
    internal_error,
    problem_json,
    unauthenticated,
)
from runtime.key_rates import request_rate_exceeded
from runtime.operation import Answer, Content, Header, JsonSchema, object_of, ref

_TYPE: Final[JsonSchema] = {
    "type": "string",
    "format": "uri",
    "pattern": f"^{PROBLEM_TYPE_PREFIX}[a-z0-9_]+$",
    "description": "Which problem it is, for programs.",
}
_MEMBERS: Final[Mapping[str, JsonSchema]] = {
    "type": _TYPE,
    "title": {"type": "string", "description": "The type in words."},
    "status": {"type": "integer", "minimum": 400, "maximum": 599},
    "detail": {"type": "string", "description": "What is wrong with this request."},
}
_FIELD: Final[JsonSchema] = {
    "type": "string",
    "description": "The parameter or field at fault. A name that may be unsafe is left out.",
}


def problem_schema(description: str, members: Mapping[str, JsonSchema]) -> JsonSchema:
    """A problem that always has these members too."""
    return object_of({**_MEMBERS, **members}, description=description)


PROBLEM_SCHEMAS: Final[Mapping[str, JsonSchema]] = {
    "Problem": object_of(
        {**_MEMBERS, "field": _FIELD},
        optional=["field"],
        description="An error as RFC 9457 describes it. Holds no value of the request.",
    ),
}

_RETRY_AFTER: Final = Header(
    description="Seconds to wait before trying again.",
    schema={"type": "integer", "minimum": 1, "examples": [RETRY_AFTER_S]},
)


def problem_answer(
    description: str,
    *,
    schema: JsonSchema | None = None,
    headers: Mapping[str, Header] | None = None,
    example: Problem | None = None,
) -> Answer:
    """An answer that is a problem; `schema`: of one with members of its own."""
    content = Content(
        schema=schema or ref("Problem"),
        examples={} if example is None else {example.slug: problem_json(example)},
    )
    return Answer(
        description=description, content={PROBLEM_MEDIA_TYPE: content}, headers=headers or {}
    )


def unavailable_answer(description: str, *, schema: JsonSchema | None = None) -> Answer:
    """503."""
    return problem_answer(description, schema=schema, headers={"Retry-After": _RETRY_AFTER})


UNAUTHENTICATED_ANSWER: Final = problem_answer(
    "No API key, or one that is malformed, unknown, expired or revoked (`unauthenticated`).",
    headers={
        "WWW-Authenticate": Header(
            description="How to say who you are.", schema={"type": "string", "enum": ["Bearer"]}
        )
    },
    example=unauthenticated(),
)
OVER_RATE_ANSWER: Final = problem_answer(
    "The key is over its rate, of requests (`request_rate_exceeded`) or of events"
    " (`event_rate_exceeded`). Nothing was done.",
    headers={"Retry-After": _RETRY_AFTER},
    example=request_rate_exceeded(2_000, 0.0),
)
INTERNAL_ERROR_ANSWER: Final = problem_answer(
    "A bug of the server (`internal_error`). `X-Request-Id` says where to look in its log.",
    example=internal_error(),
)
