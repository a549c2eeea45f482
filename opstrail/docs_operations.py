"""What the API's own description answers, for the document it is part of."""

from typing import Final

from runtime.operation import Answer, Content, JsonSchema, Operation, Parameter, json_content
from runtime.problem_answer import problem_answer

OPENAPI_PATH: Final = "/openapi.json"
DOCS_PATH: Final = "/docs"
ASSET_PATH: Final = f"{DOCS_PATH}/{{asset}}"

_TAG: Final = "Running it"
_STRING: Final[JsonSchema] = {"type": "string"}
_DOCUMENT: Final[JsonSchema] = {
    "type": "object",
    "required": ["openapi", "info", "paths", "components"],
}

DOCS_OPERATIONS: Final = (
    Operation(
        id="getOpenapi",
        method="GET",
        path=OPENAPI_PATH,
        tag=_TAG,
        summary="This document",
        description="The whole API as OpenAPI 3.1, the same from every process.",
        role=None,
        answers={200: Answer(description="It.", content=json_content(_DOCUMENT))},
    ),
    Operation(
        id="getDocs",
        method="GET",
        path=DOCS_PATH,
        tag=_TAG,
        summary="This document for people",
        description="A page to read and to try; it loads nothing from elsewhere.",
        role=None,
        answers={
            200: Answer(description="The page.", content={"text/html": Content(schema=_STRING)})
        },
    ),
    Operation(
        id="getDocsAsset",
        method="GET",
        path=ASSET_PATH,
        tag=_TAG,
        summary="A file of that page",
        description="Its scripts, styles and pictures.",
        role=None,
        parameters=(
            Parameter(
                name="asset",
                place="path",
                schema=_STRING,
                description="The name of the file.",
                is_required=True,
                example="swagger-ui.css",
            ),
        ),
        answers={
            200: Answer(
                description="The file.",
                content={
                    "text/css": Content(schema=_STRING),
                    "text/javascript": Content(schema=_STRING),
                    "image/png": Content(),
                    "application/json": Content(schema=_DOCUMENT),
                },
            ),
            404: problem_answer("There is no such file (`not_found`)."),
        },
    ),
)
