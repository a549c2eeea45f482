"""What the answers of the read API have in common."""

from collections.abc import Mapping
from typing import Any, Final

from query.export_format import ExportFormat
from query.export_pages import COMPLETE_UNTIL_HEADER
from query.missing import not_found
from runtime.operation import (
    Answer,
    Content,
    Header,
    JsonSchema,
    array_of,
    json_content,
    object_of,
    or_null,
    ref,
)
from runtime.problem_answer import problem_answer, unavailable_answer

COUNT: Final[JsonSchema] = {"type": "integer", "minimum": 0}
STRING: Final[JsonSchema] = {"type": "string"}
STRING_OR_NULL: Final = or_null(STRING)
BOOLEAN: Final[JsonSchema] = {"type": "boolean"}
UTC_TIME: Final = ref("UtcTime")

COMMON_SCHEMAS: Final[Mapping[str, JsonSchema]] = {
    "UtcTime": {
        "type": "string",
        "format": "date-time",
        "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$",
        "description": "RFC 3339 in UTC, always with six digits after the point.",
    },
    "Watermark": object_of(
        {"complete_until": or_null(UTC_TIME)},
        description="All that was accepted before `complete_until` is in the answer; null: nothing"
        " is known yet.",
    ),
    "NextCursor": {
        "anyOf": [{"type": "string", "pattern": "^[A-Za-z0-9_-]+$"}, {"type": "null"}],
        "description": "For the next page; null: this is the last one.",
    },
}


def page_schema(item: JsonSchema) -> JsonSchema:
    return object_of(
        {
            "items": array_of(item),
            "next_cursor": ref("NextCursor"),
            "watermark": ref("Watermark"),
        }
    )


def page_example(*items: Any) -> dict[str, Any]:
    return {"items": list(items), "next_cursor": None, "watermark": WATERMARK_EXAMPLE}


WATERMARK_EXAMPLE: Final = {"complete_until": "2026-03-24T10:30:00.000000Z"}

BAD_PARAMETER: Final = problem_answer(
    "A parameter is unknown (`unknown_parameter`), or holds what it may not (`bad_value`);"
    " `field` names it."
)
FORBIDDEN: Final = problem_answer("The key lacks the role this takes (`forbidden`).")
UNAVAILABLE: Final = unavailable_answer(
    "The timeline (`timeline_unavailable`) or another dependency (`unavailable`) does not answer."
)
NOT_ACCEPTABLE: Final = problem_answer(
    "The header `Accept` allows no form there is (`not_acceptable`)."
)
_UNREAD_BODY: Final[Mapping[int, Answer]] = {
    408: problem_answer("The body did not arrive in time (`body_too_slow`)."),
    413: problem_answer("The body is too large (`body_too_large`)."),
    415: problem_answer(
        "The body is not `application/json` in UTF-8 (`unsupported_media_type`), or is compressed"
        " (`unsupported_encoding`)."
    ),
}


def missing(what: str) -> Answer:
    """404."""
    return problem_answer(
        f"There is no such {what}, or it is another organization's (`not_found`).",
        example=not_found(f"there is no such {what}"),
    )


def reading(ok: Answer, **more: Answer) -> dict[int, Answer]:
    """What every reading answers; `more` by `status_404`."""
    return {
        200: ok,
        400: BAD_PARAMETER,
        403: FORBIDDEN,
        503: UNAVAILABLE,
        **{int(name.removeprefix("status_")): answer for name, answer in more.items()},
    }


def with_body(answers: Mapping[int, Answer], bad_request: str) -> dict[int, Answer]:
    """The same of an operation that takes a JSON object."""
    return {**answers, **_UNREAD_BODY, 400: problem_answer(bad_request)}


def ok(description: str, schema: JsonSchema, **examples: Any) -> Answer:
    return Answer(description=description, content=json_content(schema, **examples))


_EXPORT_HEADERS: Final = {
    "Content-Disposition": Header(
        description="The name of the file; of forms other than JSON.",
        schema=STRING,
        is_required=False,
    ),
    "Vary": Header(description="Of forms other than JSON.", schema=STRING, is_required=False),
    COMPLETE_UNTIL_HEADER: Header(
        description="What `watermark` says in JSON, of the other forms.",
        schema=UTC_TIME,
        is_required=False,
    ),
}
_EXPORT_SCHEMAS: Final[Mapping[ExportFormat, JsonSchema | None]] = {
    ExportFormat.NDJSON: {"type": "string", "description": "One item a line."},
    ExportFormat.CSV: {
        "type": "string",
        "description": "The first line names the columns. What a spreadsheet would take for a"
        " formula begins with an apostrophe.",
    },
    ExportFormat.PARQUET: None,
    ExportFormat.ARROW: None,
}


def exportable(answer: Answer) -> Answer:
    """The same also as a file."""
    files = {
        form.media_type.partition(";")[0]: Content(schema=schema)
        for form, schema in _EXPORT_SCHEMAS.items()
    }
    return Answer(
        description=f"{answer.description} The forms but JSON hold every item, not a page, unless"
        " `limit` is given, and take a key with the role `analyst`.",
        content={**answer.content, **files},
        headers={**answer.headers, **_EXPORT_HEADERS},
    )
