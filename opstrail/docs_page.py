"""GET /openapi.json and GET /docs: the API's description for programs and for people.

Must stay true: a browser that shows /docs loads nothing from anywhere else. The page is put
together of files of the package swagger-ui-bundle, and its Content-Security-Policy forbids the
rest.
"""

import asyncio
from collections.abc import Mapping
from functools import cache
from pathlib import PurePath
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from swagger_ui_bundle import swagger_ui_path  # type: ignore[import-untyped]

from opstrail.docs_operations import ASSET_PATH, DOCS_PATH, OPENAPI_PATH
from query.missing import not_found

_MEDIA_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
}
# Of the package; the page needs no other of its files.
_PACKAGED: Final = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")
_START: Final = "start.js"
# The packaged Swagger UI knows OpenAPI up to 3.0.
_DOCUMENT: Final = "openapi-3.0.json"

_PAGE: Final = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Opstrail API</title>
<link rel="stylesheet" href="{DOCS_PATH}/swagger-ui.css">
<link rel="icon" type="image/png" href="{DOCS_PATH}/favicon-32x32.png">
</head>
<body>
<div id="api"></div>
<script src="{DOCS_PATH}/swagger-ui-bundle.js"></script>
<script src="{DOCS_PATH}/{_START}"></script>
</body>
</html>
"""
# No badge of validator.swagger.io, no bar to load documents from elsewhere.
_SCRIPT: Final = f"""SwaggerUIBundle({{
  url: "{DOCS_PATH}/{_DOCUMENT}",
  dom_id: "#api",
  deepLinking: true,
  docExpansion: "none",
  layout: "BaseLayout",
  presets: [SwaggerUIBundle.presets.apis],
  validatorUrl: null
}});
"""
# Swagger UI sets styles of its own and has its pictures inside its style sheet.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
_PAGE_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
}
# These change with an upgrade only, and half an hour after one everybody has the new ones.
_ASSET_HEADERS: Final = {"Cache-Control": "public, max-age=1800"}


def docs_routes() -> list[Route]:
    """For every process that serves the API; none takes a key."""
    return [
        Route(OPENAPI_PATH, _openapi, methods=["GET"]),
        Route(DOCS_PATH, _page, methods=["GET"]),
        Route(ASSET_PATH, _asset, methods=["GET"]),
    ]


async def _openapi(request: Request) -> Response:
    return Response(await asyncio.to_thread(_document), media_type="application/json")


async def _page(request: Request) -> Response:
    return Response(_PAGE, headers=_PAGE_HEADERS, media_type="text/html")


async def _asset(request: Request) -> Response:
    name = request.path_params["asset"]
    if name == _DOCUMENT:
        return Response(await asyncio.to_thread(_document_30), media_type="application/json")
    media_type = _MEDIA_TYPES.get(PurePath(name).suffix)
    content = _content(name)
    if media_type is None or content is None:
        raise not_found("there is no such file")
    return Response(content, media_type=media_type, headers=_ASSET_HEADERS)


# The document is made of all that any process answers, in a process that may answer little of it:
# imported when somebody asks, and in a thread, because it takes half a second.
@cache
def _document() -> bytes:
    from opstrail.openapi import openapi_document

    return msgspec.json.encode(openapi_document())


@cache
def _document_30() -> bytes:
    from opstrail.openapi import openapi_document
    from opstrail.openapi_30 import as_openapi_30

    return msgspec.json.encode(as_openapi_30(openapi_document()))


def _content(name: str) -> bytes | None:
    if name == _START:
        return _SCRIPT.encode()
    return _packaged(name) if name in _PACKAGED else None


@cache
def _packaged(name: str) -> bytes:
    """`name` is one of `_PACKAGED`: read once, so that a request reads no disk."""
    content: bytes = (swagger_ui_path / name).read_bytes()
    return content
