"""What every HTTP server of ours does at its edge: problems, the Bearer header, headers, counting.

Must stay true:
- Every error is an RFC 9457 problem, `application/problem+json`, of the type
  `urn:opstrail:problem:<slug>`; slugs are public names.
- No answer and no log line repeats a value that came in, or the text of an unexpected exception:
  such a text may hold a body's values. What is logged of one is its class and where it arose.
- The one exception is an id that the client gave its request, when it is short, of harmless
  characters and does not look like a secret. It stands in the header alone, never in a problem:
  two refusals of the same thing are the same bytes.
- No answer lets a page of another origin read or show it, and none may be kept unless its route
  says so. There are no CORS headers.

Source: the contract, section 3; RFC 9457; RFC 6750; RFC 6797.
"""

import re
import secrets
import time
import traceback
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, ExceptionHandler, Lifespan, Message, Receive, Scope, Send

from runtime.errors import (
    LogUnavailableError,
    RefusedError,
    TimelineUnavailableError,
    UnavailableError,
)
from runtime.metrics import REQUEST_SECONDS, REQUESTS
from schemas.secrets import looks_like_secret

PROBLEM_TYPE_PREFIX: Final = "urn:opstrail:problem:"
PROBLEM_MEDIA_TYPE: Final = "application/problem+json"
# Long enough that a dependency can restart, short enough that no one waits in vain.
RETRY_AFTER_S: Final = 5

_log = structlog.get_logger(__name__)


class Problem(Exception):
    """An answer other than the good one. Raise it anywhere below `build_app`.

    `slug` names the type of problem and `title` says the same in words; `detail` is about this one
    request and holds no value of it. `members` are added to the object, such as `rejected`.
    """

    def __init__(
        self,
        slug: str,
        *,
        status: int,
        title: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail)
        self.slug = slug
        self.status = status
        self.title = title
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = dict(members or {})


def build_app(
    routes: Sequence[BaseRoute],
    *,
    exception_handlers: Mapping[Any, ExceptionHandler] | None = None,
    lifespan: Lifespan[Starlette] | None = None,
) -> Starlette:
    """An app in which errors are problems and each answer is counted and carries our headers.

    `exception_handlers` come on top of those for the errors of `runtime/errors.py`.
    """
    app = Starlette(
        routes=routes,
        middleware=[Middleware(EdgeMiddleware)],
        exception_handlers={**_PROBLEM_HANDLERS, **(exception_handlers or {})},
        lifespan=lifespan,
    )
    # A redirect would repeat whatever host the sender stated; a wrong path is a wrong path.
    app.router.redirect_slashes = False
    return app


def json_response(
    content: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(
        msgspec.json.encode(content),
        status_code=status,
        headers=headers,
        media_type="application/json",
    )


def problem_json(problem: Problem) -> dict[str, object]:
    """As RFC 9457 has it."""
    return {
        "type": PROBLEM_TYPE_PREFIX + problem.slug,
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        **problem.members,
    }


def problem_response(problem: Problem) -> Response:
    return Response(
        msgspec.json.encode(problem_json(problem)),
        status_code=problem.status,
        headers=problem.headers,
        media_type=PROBLEM_MEDIA_TYPE,
    )


# RFC 6750, section 2.1.
_BEARER: Final = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*) *", re.ASCII | re.IGNORECASE)


def bearer_token(request: Request) -> str:
    """The token of `Authorization: Bearer <token>`. Raises a 401 Problem: none, or not one."""
    stated = request.headers.getlist("authorization")
    found = _BEARER.fullmatch(stated[0]) if len(stated) == 1 else None
    if found is None:
        raise unauthenticated()
    return found[1]


def unauthenticated() -> Problem:
    """401: the same for every key that is missing, malformed, unknown or no longer good."""
    return Problem(
        "unauthenticated",
        status=401,
        title="No valid API key",
        detail="Send a valid API key as `Authorization: Bearer <key>`.",
        headers={"WWW-Authenticate": "Bearer"},
    )


def forbidden(detail: str) -> Problem:
    """403: the key is good but may not do this."""
    return Problem("forbidden", status=403, title="The key may not do this", detail=detail)


def unavailable(error: UnavailableError) -> Problem:
    """503. The error's own text stays inside: it may name hosts and ports."""
    slug, title, detail = next(
        said for kind, said in _UNAVAILABLE.items() if isinstance(error, kind)
    )
    return Problem(
        slug,
        status=503,
        title=title,
        detail=detail,
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )


# The nearest class first.
_UNAVAILABLE: Final[dict[type[UnavailableError], tuple[str, str, str]]] = {
    LogUnavailableError: (
        "log_unavailable",
        "The log does not answer",
        "The events may or may not have been stored. Send them again: that is always safe.",
    ),
    TimelineUnavailableError: (
        "timeline_unavailable",
        "The timeline does not answer",
        "Nothing is lost. Ask again later.",
    ),
    UnavailableError: (
        "unavailable",
        "Not available now",
        "Something this needs does not answer or is busy. Try again later.",
    ),
}

# The classes of Starlette's own errors that a sender can meet.
_HTTP_PROBLEMS: Final = {
    404: ("not_found", "Nothing here", "There is no such address or it holds nothing."),
    405: ("method_not_allowed", "Method not allowed", "See the header Allow for what may be done."),
}


def internal_error() -> Problem:
    """500: our own mistake, about which an answer says nothing but the request's id."""
    return Problem(
        "internal_error",
        status=500,
        title="An error of the server",
        detail="This is a bug. The header X-Request-Id says where to look in the server's log.",
    )


async def _on_problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return problem_response(error)


async def _on_unavailable(_request: Request, error: Exception) -> Response:
    assert isinstance(error, UnavailableError)
    _log.warning("dependency_unavailable", error=type(error).__name__, reason=str(error))
    return problem_response(unavailable(error))


async def _on_refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return problem_response(
        Problem(
            error.code or "refused",
            status=400,
            title="The request was refused",
            detail=str(error),
            members={} if error.field is None else {"field": error.field},
        )
    )


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = _allowed(request)
    slug, title, detail = _HTTP_PROBLEMS.get(
        error.status_code,
        (f"http_{error.status_code}", "The request was refused", "See the status."),
    )
    return problem_response(
        Problem(slug, status=error.status_code, title=title, detail=detail, headers=headers)
    )


def _allowed(request: Request) -> str:
    """The methods of every route at this address; Starlette names those of one."""
    methods: set[str] = set()
    for route in request.app.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    return ", ".join(sorted(methods))


_PROBLEM_HANDLERS: Final[dict[Any, Any]] = {
    Problem: _on_problem,
    UnavailableError: _on_unavailable,
    RefusedError: _on_refused,
    HTTPException: _on_http_exception,
}


class AnswerBrokenOffError(Exception):
    """Raised so that the server closes the connection: half of an answer is out already."""


# Labels are a closed list: a sender may invent methods.
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_UNMATCHED_ROUTE: Final = "unmatched"
# What a proxy logs when the client went away before its answer.
_CLIENT_CLOSED_STATUS: Final = 499
_FRAMES_LOGGED_MAX: Final = 12

_REQUEST_ID_HEADER: Final = b"x-request-id"
REQUEST_ID_PATTERN: Final = "[A-Za-z0-9_.-]{1,64}"
_REQUEST_ID: Final = re.compile(REQUEST_ID_PATTERN)
_REQUEST_ID_BYTES: Final = 8

# What every answer says, unless its route says otherwise.
_HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
# For this name alone and not those below it, which may be others' servers.
_TLS_HEADERS: Final = (*_HEADERS, (b"strict-transport-security", b"max-age=31536000"))


class EdgeMiddleware:
    """Outermost: the request's id, headers and a count for each answer, and the last net."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        headers = _TLS_HEADERS if scope.get("scheme") == "https" else _HEADERS
        started_s = time.perf_counter()
        status = 0

        async def send_answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(message, headers, request_id)
            await send(message)

        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            await self._app(scope, receive, send_answer)
        except ClientDisconnect:
            status = status or _CLIENT_CLOSED_STATUS
        except AnswerBrokenOffError:
            # Whoever raised it has said why.
            raise
        except Exception as error:
            _log.error("unexpected_error", error=type(error).__name__, at=_places(error))
            if status:
                raise AnswerBrokenOffError from None
            await problem_response(internal_error())(scope, receive, send_answer)
        finally:
            structlog.contextvars.unbind_contextvars("request_id")
            _count(scope, status, time.perf_counter() - started_s)


def _request_id(scope: Scope) -> str:
    """The client's own, which it finds again in its log and ours; or a new one."""
    stated = [value for name, value in scope["headers"] if name == _REQUEST_ID_HEADER]
    if len(stated) == 1:
        text: str = stated[0].decode("latin-1")
        if _REQUEST_ID.fullmatch(text) is not None and not looks_like_secret(text):
            return text
    return secrets.token_hex(_REQUEST_ID_BYTES)


def _add_headers(message: Message, headers: Sequence[tuple[bytes, bytes]], request_id: str) -> None:
    answered: list[tuple[bytes, bytes]] = list(message.get("headers", ()))
    stated = {name.lower() for name, _ in answered}
    answered += [header for header in headers if header[0] not in stated]
    answered.append((_REQUEST_ID_HEADER, request_id.encode()))
    message["headers"] = answered


def _count(scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", _UNMATCHED_ROUTE)
    method = scope["method"] if scope["method"] in _METHODS else "other"
    REQUESTS.labels(route, method, str(status)).inc()
    REQUEST_SECONDS.labels(route).observe(seconds)


def _places(error: BaseException) -> list[str]:
    """Where an exception arose, innermost last, without its text, which may hold values."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES_LOGGED_MAX:]
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
