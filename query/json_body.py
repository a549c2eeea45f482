"""A request's body as one JSON object, bounded while it is read."""

import asyncio
from typing import Any, Final, TypeAlias

import msgspec
from starlette.requests import Request

from runtime.errors import RefusedError
from runtime.http import Problem
from schemas.limits import KIB

JsonObject: TypeAlias = dict[str, Any]

# What people write by hand; nothing here is a stream of data.
JSON_BODY_BYTES_MAX: Final = 64 * KIB
# A slow line brings that in a few seconds.
_BODY_WAIT_S: Final = 30.0
_MEDIA_TYPE: Final = "application/json"


async def read_json_object(
    request: Request, *, body_bytes_max: int = JSON_BODY_BYTES_MAX
) -> JsonObject:
    """Raises a Problem: 415 another media type or encoding, 413, 408; RefusedError: no JSON object.

    No refusal repeats anything of the body.
    """
    _check_headers(request)
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_WAIT_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > body_bytes_max:
                    raise _too_large(body_bytes_max)
    except TimeoutError:
        raise _too_slow() from None
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RefusedError("The body is not JSON in UTF-8.", code="not_json") from None
    if not isinstance(value, dict):
        raise RefusedError("The body is a JSON object.", code="not_an_object")
    return value


def _check_headers(request: Request) -> None:
    media_type, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.replace(" ", "").replace('"', "").lower()
    if media_type.strip().lower() != _MEDIA_TYPE or charset not in ("", "charset=utf-8"):
        raise Problem(
            "unsupported_media_type",
            status=415,
            title="Unsupported media type",
            detail=f"Send the body as {_MEDIA_TYPE}, in UTF-8.",
            headers={"Accept": _MEDIA_TYPE},
        )
    if request.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise Problem(
            "unsupported_encoding",
            status=415,
            title="Unsupported content encoding",
            detail="Send the body as it is; nothing here is large enough to be compressed.",
            headers={"Accept-Encoding": "identity"},
        )


def _too_large(body_bytes_max: int) -> Problem:
    return Problem(
        "body_too_large",
        status=413,
        title="The body is too large",
        detail=f"At most {body_bytes_max // KIB} KiB.",
    )


def _too_slow() -> Problem:
    return Problem(
        "body_too_slow",
        status=408,
        title="The body did not arrive in time",
        detail="Nothing was changed. Send it again.",
        headers={"Connection": "close"},
    )
