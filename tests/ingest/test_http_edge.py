"""`runtime/http.py`: what holds for every answer of every server of ours."""

import asyncio
import io
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import structlog
from prometheus_client import REGISTRY
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from runtime.errors import (
    LogUnavailableError,
    RefusedError,
    TimelineUnavailableError,
    UnavailableError,
)
from runtime.http import Problem, bearer_token, build_app, forbidden, json_response
from tests.ingest.world import SECRET, problem


async def fine(request: Request) -> Response:
    return json_response({"name": request.path_params["name"]})


async def cached(_request: Request) -> Response:
    return JSONResponse({}, headers={"Cache-Control": "max-age=60"})


async def token(request: Request) -> Response:
    return json_response(bearer_token(request))


async def broken_off(_request: Request) -> Response:
    async def rows() -> AsyncIterator[bytes]:
        yield b"one"
        raise ValueError(SECRET)

    return StreamingResponse(rows())


def raising(error: Exception) -> Route:
    async def endpoint(_request: Request) -> Response:
        raise error

    return Route("/raise", endpoint)


def get(
    path: str, *extra: Route, method: str = "GET", headers: list[tuple[str, str]] | None = None
) -> httpx.Response:
    routes = [
        Route("/things/{name}", fine),
        Route("/cached", cached),
        Route("/token", token),
        Route("/broken-off", broken_off),
        *extra,
    ]
    return ask(build_app(routes), path, method, headers)


def ask(
    app: Starlette, path: str, method: str = "GET", headers: list[tuple[str, str]] | None = None
) -> httpx.Response:
    async def exchange() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://audit") as client:
            latin = [(name.encode(), value.encode("latin-1")) for name, value in headers or []]
            return await client.request(method, path, headers=latin)

    return asyncio.run(exchange())


def count(route: str, method: str, status: int) -> float:
    labels = {"route": route, "method": method, "status": str(status)}
    return REGISTRY.get_sample_value("opstrail_http_requests_total", labels) or 0.0


@pytest.fixture
def log_lines() -> Any:
    """Everything logged, as the operator would read it."""
    out = io.StringIO()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    logging.root.addHandler(handler)
    yield out.getvalue
    logging.root.removeHandler(handler)
    structlog.reset_defaults()


def test_every_answer_has_an_id_and_may_be_neither_sniffed_nor_stored() -> None:
    answers = [get("/things/a"), get("/nothing"), get("/raise", raising(ValueError("x")))]

    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
    assert len({answer.headers["x-request-id"] for answer in answers}) == 3


def test_the_id_is_the_clients_own_unless_it_is_no_harmless_one() -> None:
    assert get("/things/a", headers=[("X-Request-Id", "mine")]).headers["x-request-id"] == "mine"
    answer = get("/things/a", headers=[("X-Request-Id", SECRET)])

    assert SECRET not in str(answer.headers)


def test_an_answer_may_say_itself_how_long_it_keeps() -> None:
    assert get("/cached").headers.get_list("cache-control") == ["max-age=60"]


def test_a_wrong_address_is_a_problem_and_never_a_redirect() -> None:
    problem(get("/nothing"), 404, "not_found")
    problem(get("/cached/"), 404, "not_found")


def test_a_wrong_method_is_a_problem_that_names_the_right_ones() -> None:
    answer = get("/cached", method="DELETE")

    problem(answer, 405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


@pytest.mark.parametrize(
    ("error", "slug"),
    [
        (LogUnavailableError("broker at 10.0.0.7"), "log_unavailable"),
        (TimelineUnavailableError("server at 10.0.0.7"), "timeline_unavailable"),
        (UnavailableError("something at 10.0.0.7"), "unavailable"),
    ],
)
def test_a_dependency_that_is_away_is_a_503_that_says_when_to_come_again(
    error: Exception, slug: str
) -> None:
    answer = get("/raise", raising(error))

    problem(answer, 503, slug)
    assert int(answer.headers["retry-after"]) >= 1
    assert "10.0.0.7" not in answer.text


def test_a_refusal_names_its_code_and_its_field() -> None:
    answer = get("/raise", raising(RefusedError("no such filter", code="bad_filter", field="x")))

    content = problem(answer, 400, "bad_filter")
    assert (content["detail"], content["field"]) == ("no such filter", "x")


def test_a_problem_may_have_headers_and_members() -> None:
    error = Problem(
        "odd", status=409, title="Odd", detail="d", headers={"X-Odd": "1"}, members={"even": 2}
    )
    answer = get("/raise", raising(error))

    assert problem(answer, 409, "odd")["even"] == 2
    assert answer.headers["x-odd"] == "1"
    problem(get("/raise", raising(forbidden("not this key"))), 403, "forbidden")


def test_our_own_mistake_leaks_nothing_into_the_answer_or_the_log(log_lines: Any) -> None:
    answer = get("/raise", raising(ValueError(f"{SECRET} is no number")))

    problem(answer, 500, "internal_error")
    assert SECRET not in answer.text
    assert "ValueError" not in answer.text
    logged = log_lines()
    assert "ValueError" in logged
    assert "test_http_edge.py" in logged
    assert answer.headers["x-request-id"] in logged
    assert SECRET not in logged


def test_an_answer_that_breaks_off_is_cut_and_leaks_nothing(log_lines: Any) -> None:
    with pytest.raises(Exception, match=r"^$") as raised:
        get("/broken-off")

    assert type(raised.value).__name__ == "AnswerBrokenOffError"
    assert raised.value.__suppress_context__
    assert SECRET not in log_lines()


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
def test_a_bearer_token_is_what_follows_the_scheme(scheme: str) -> None:
    answer = get("/token", headers=[("Authorization", f"{scheme} opstrail_aB9-._~+/=")])

    assert answer.json() == "opstrail_aB9-._~+/="


@pytest.mark.parametrize(
    "stated",
    [
        [],
        [""],
        ["Bearer"],
        ["Bearer "],
        ["Basic YTpi"],
        ["opstrail_key"],
        ["Bearer one two"],
        ["Bearer k\u00e9y"],
        ["Bearer one", "Bearer one"],
        ["Bearerone"],
    ],
)
def test_anything_else_is_no_key(stated: list[str]) -> None:
    answer = get("/token", headers=[("Authorization", value) for value in stated])

    problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_answers_are_counted_by_the_route_and_not_by_the_address() -> None:
    before = count("/things/{name}", "GET", 200)

    get("/things/one")
    get("/things/two")

    assert count("/things/{name}", "GET", 200) == before + 2


def test_what_a_sender_invents_makes_no_new_label() -> None:
    unmatched, odd = count("unmatched", "GET", 404), count("/cached", "other", 405)

    get("/invented")
    get("/cached", method="INVENTED")

    assert count("unmatched", "GET", 404) == unmatched + 1
    assert count("/cached", "other", 405) == odd + 1


def test_a_failure_is_counted_too() -> None:
    before = count("/raise", "GET", 500)

    get("/raise", raising(ValueError("x")))

    assert count("/raise", "GET", 500) == before + 1
