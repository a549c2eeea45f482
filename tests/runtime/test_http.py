"""The edge of every server: problems, request ids, headers, the Bearer header and the count."""

import asyncio
import logging
import re
from collections.abc import Sequence
from typing import Any, cast

import httpx
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Mount, Route
from structlog.testing import capture_logs

from runtime.errors import (
    LogUnavailableError,
    RefusedError,
    TimelineUnavailableError,
    UnavailableError,
)
from runtime.http import (
    REQUEST_ID_PATTERN,
    AnswerBrokenOffError,
    Problem,
    bearer_token,
    build_app,
    forbidden,
    json_response,
    unauthenticated,
)

SECRET = "hunter2"


async def record(request: Request) -> Response:
    return json_response({"id": request.path_params["id"]})


async def cached(_request: Request) -> Response:
    return json_response({}, headers={"Cache-Control": "max-age=60"})


async def echo_token(request: Request) -> Response:
    return json_response({"token": bearer_token(request)})


async def half_an_answer(_request: Request) -> Response:
    async def chunks() -> Any:
        yield b"half"
        raise ValueError(SECRET)

    return StreamingResponse(chunks())


class Raises:
    """An endpoint that raises."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def __call__(self, _request: Request) -> Response:
        raise self.error


def raising(error: Exception) -> Route:
    async def endpoint(request: Request) -> Response:
        return await Raises(error)(request)

    return Route("/fail", endpoint)


ROUTES = [
    Route("/v1/records/{id}", record),
    Route("/v1/records/{id}", record, methods=["PUT"]),
    Route("/cached", cached),
    Route("/token", echo_token),
    Route("/half", half_an_answer),
    Mount("/inner", routes=[Route("/records/{id}", record)]),
]


def ask(
    path: str,
    *routes: Route,
    method: str = "GET",
    headers: Sequence[tuple[str, str]] = (),
    handlers: dict[Any, Any] | None = None,
    base_url: str = "http://test",
) -> httpx.Response:
    async def send() -> httpx.Response:
        app = build_app([*ROUTES, *routes], exception_handlers=handlers)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url=base_url) as client:
            return await client.request(method, path, headers=list(headers))

    return asyncio.run(send())


def problem_of(answer: httpx.Response) -> dict[str, Any]:
    """The problem, its frame checked."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["type"].startswith("urn:opstrail:problem:")
    assert problem["title"]
    assert problem["detail"]
    return problem


# --- Problems -------------------------------------------------------------------------------------


def test_a_problem_is_answered_as_it_was_raised() -> None:
    problem = Problem(
        "too_many_events",
        status=413,
        title="Too many events",
        detail="At most 10,000.",
        headers={"Retry-After": "7"},
        members={"rejected": [{"index": 0}]},
    )

    answer = ask("/fail", raising(problem))

    assert answer.status_code == 413
    assert answer.headers["retry-after"] == "7"
    assert problem_of(answer) == {
        "type": "urn:opstrail:problem:too_many_events",
        "title": "Too many events",
        "status": 413,
        "detail": "At most 10,000.",
        "rejected": [{"index": 0}],
    }


@pytest.mark.parametrize(
    ("error", "status", "slug"),
    [
        (LogUnavailableError(SECRET), 503, "log_unavailable"),
        (TimelineUnavailableError(SECRET), 503, "timeline_unavailable"),
        (UnavailableError(SECRET), 503, "unavailable"),
        (unauthenticated(), 401, "unauthenticated"),
        (forbidden("It may only read."), 403, "forbidden"),
        (HTTPException(404, detail=SECRET), 404, "not_found"),
        (HTTPException(405, detail=SECRET), 405, "method_not_allowed"),
        (HTTPException(418, detail=SECRET), 418, "http_418"),
        (ValueError(SECRET), 500, "internal_error"),
        (AssertionError(SECRET), 500, "internal_error"),
    ],
)
def test_every_error_is_a_problem_that_repeats_nothing_from_inside(
    error: Exception, status: int, slug: str
) -> None:
    answer = ask("/fail", raising(error))

    assert answer.status_code == status
    assert problem_of(answer)["type"] == f"urn:opstrail:problem:{slug}"
    assert SECRET not in answer.text
    assert ("retry-after" in answer.headers) == (status == 503)
    assert ("www-authenticate" in answer.headers) == (status == 401)


def test_a_refusal_names_its_code_and_its_field() -> None:
    error = RefusedError("limit must be 1 to 1000", code="bad_filter", field="limit")

    problem = problem_of(ask("/fail", raising(error)))

    assert problem["type"] == "urn:opstrail:problem:bad_filter"
    assert (problem["status"], problem["field"]) == (400, "limit")
    assert problem["detail"] == "limit must be 1 to 1000"


def test_a_refusal_without_code_and_field_is_just_refused() -> None:
    problem = problem_of(ask("/fail", raising(RefusedError("no"))))

    assert problem["type"] == "urn:opstrail:problem:refused"
    assert "field" not in problem


@pytest.mark.parametrize(
    "path", ["/", "/nothing", "/v1/records", "/v1/records/1/", "/cached/", f"/{SECRET}"]
)
def test_a_wrong_path_is_a_404_and_never_a_redirect(path: str) -> None:
    answer = ask(path)

    assert answer.status_code == 404
    assert problem_of(answer)["type"] == "urn:opstrail:problem:not_found"
    assert SECRET not in answer.text


def test_a_wrong_method_is_a_405_that_says_which_are_right() -> None:
    answer = ask("/cached", method="DELETE")

    assert answer.status_code == 405
    assert problem_of(answer)["type"] == "urn:opstrail:problem:method_not_allowed"
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_a_405_names_the_methods_of_all_routes_at_the_address() -> None:
    answer = ask("/v1/records/1", method="DELETE")

    assert answer.headers["allow"] == "GET, HEAD, PUT"


def test_an_app_may_add_errors_of_its_own() -> None:
    class BusyError(Exception):
        pass

    async def on_busy(_request: Request, _error: Exception) -> Response:
        return json_response({"busy": True}, status=429)

    answer = ask("/fail", raising(BusyError()), handlers={BusyError: on_busy})

    assert (answer.status_code, answer.json()) == (429, {"busy": True})
    assert answer.headers["x-request-id"]


def test_a_bug_is_logged_by_its_class_and_place_under_the_answers_id() -> None:
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        answer = ask("/fail", raising(ValueError(SECRET)))

    (line,) = lines
    assert (line["event"], line["log_level"], line["error"]) == (
        "unexpected_error",
        "error",
        "ValueError",
    )
    assert line["request_id"] == answer.headers["x-request-id"]
    assert any("test_http" in place for place in line["at"])
    assert len(line["at"]) <= 12
    assert SECRET not in str(line)


def test_a_dependency_that_is_away_is_a_warning_that_says_which() -> None:
    with capture_logs() as lines:
        ask("/fail", raising(LogUnavailableError("Kafka at kafka:9092 does not answer")))

    (line,) = lines
    assert (line["event"], line["log_level"]) == ("dependency_unavailable", "warning")
    assert line["reason"] == "Kafka at kafka:9092 does not answer"


def test_a_bug_after_half_an_answer_breaks_the_connection_off() -> None:
    with capture_logs() as lines, pytest.raises(AnswerBrokenOffError) as caught:
        ask("/half")

    assert [line["error"] for line in lines] == ["ValueError"]
    assert SECRET not in str(lines)
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__, "so that no server prints the cause"


# --- Ids and headers ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1/records/1", "/nothing", "/fail"])
def test_every_answer_has_its_own_id_and_says_what_browsers_must_not_do(path: str) -> None:
    answers = [ask(path, raising(ValueError())) for _ in range(3)]

    assert len({answer.headers["x-request-id"] for answer in answers}) == 3
    for answer in answers:
        assert len(answer.headers["x-request-id"]) == 16
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "stated", ["a", "7", "ci-42_build.7", "4bf92f3577b34da6a3ce929d0e0e4736", "x" * 64]
)
@pytest.mark.parametrize("path", ["/v1/records/1", "/nothing", "/fail"])
def test_an_id_that_the_client_chose_comes_back_and_is_on_the_lines(stated: str, path: str) -> None:
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        answer = ask(path, raising(ValueError()), headers=[("X-Request-Id", stated)])

    assert answer.headers.get_list("x-request-id") == [stated]
    assert {line["request_id"] for line in lines} <= {stated}
    assert bool(lines) == (path == "/fail")


@pytest.mark.parametrize(
    "stated",
    [
        "",
        " ",
        "a b",
        "a\tb",
        "a/b",
        "a:b",
        "a\u00e9",
        '"a"',
        "<b>",
        "%0a",
        "x" * 65,
        "ghp_1234abcd",
        "AKIA1234567890ABCDEF",
        "opstrail_0123456789ABCDEFGHIJ",
        "eyJhbGciOiJ.eyJzdWIiOiI.c2ln",
    ],
)
def test_an_id_that_may_do_harm_or_be_a_secret_goes_nowhere(stated: str) -> None:
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        answer = ask(
            "/fail",
            raising(ValueError()),
            headers=[("X-Request-Id", cast("Any", stated.encode("latin-1")))],
        )

    (request_id,) = answer.headers.get_list("x-request-id")
    assert re.fullmatch("[0-9a-f]{16}", request_id)
    assert [line["request_id"] for line in lines] == [request_id]


def test_of_two_ids_neither_is_taken() -> None:
    answer = ask("/v1/records/1", headers=[("X-Request-Id", "one"), ("X-Request-Id", "two")])

    (request_id,) = answer.headers.get_list("x-request-id")
    assert request_id not in ("one", "two", "one, two")


@given(stated=st.binary(max_size=80))
def test_no_bytes_in_the_place_of_an_id_make_an_answer_unsafe(stated: bytes) -> None:
    answer = ask("/v1/records/1", headers=cast("Any", [(b"X-Request-Id", stated)]))

    assert answer.status_code == 200
    assert re.fullmatch(REQUEST_ID_PATTERN, answer.headers["x-request-id"])


def test_no_problem_holds_the_id_so_that_equal_refusals_are_equal() -> None:
    answers = [ask("/nothing", headers=[("X-Request-Id", stated)]) for stated in ("one", "two")]

    assert answers[0].content == answers[1].content


@pytest.mark.parametrize("path", ["/v1/records/1", "/nothing", "/fail", "/cached"])
def test_no_answer_is_of_use_to_a_page_of_another_origin(path: str) -> None:
    answer = ask(path, raising(ValueError()), headers=[("Origin", "https://elsewhere.example")])

    assert answer.headers.get_list("content-security-policy") == [
        "default-src 'none'; frame-ancestors 'none'"
    ]
    assert answer.headers.get_list("cross-origin-resource-policy") == ["same-origin"]
    assert answer.headers.get_list("referrer-policy") == ["no-referrer"]
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    assert answer.headers.get_list("x-frame-options") == ["DENY"]
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert "server" not in answer.headers


def test_a_preflight_of_a_browser_is_a_wrong_method_that_allows_nothing() -> None:
    answer = ask(
        "/v1/records/1",
        method="OPTIONS",
        headers=[
            ("Origin", "https://elsewhere.example"),
            ("Access-Control-Request-Method", "PUT"),
            ("Access-Control-Request-Headers", "authorization"),
        ],
    )

    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_only_over_tls_a_browser_is_told_to_stay_with_tls() -> None:
    assert "strict-transport-security" not in ask("/v1/records/1").headers
    for path in ("/v1/records/1", "/nothing", "/fail"):
        answer = ask(path, raising(ValueError()), base_url="https://test")
        assert answer.headers.get_list("strict-transport-security") == ["max-age=31536000"]


def test_a_route_may_have_a_policy_of_its_own() -> None:
    async def page(_request: Request) -> Response:
        return Response("", headers={"Content-Security-Policy": "default-src 'self'"})

    answer = ask("/page", Route("/page", page))

    assert answer.headers.get_list("content-security-policy") == ["default-src 'self'"]
    assert answer.headers["x-frame-options"] == "DENY"


def test_an_answer_that_may_be_cached_says_so_itself() -> None:
    assert ask("/cached").headers.get_list("cache-control") == ["max-age=60"]


def test_the_id_of_one_request_is_not_on_the_lines_of_the_next() -> None:
    ask("/v1/records/1")

    assert "request_id" not in structlog.contextvars.get_contextvars()


# --- The Bearer header ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stated", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer abc", "abc"),
        ("BEARER   abc  ", "abc"),
        ("Bearer opstrail_AZaz09", "opstrail_AZaz09"),
        ("Bearer a.b-c_d~e+f/g==", "a.b-c_d~e+f/g=="),
    ],
)
def test_a_bearer_header_holds_a_token(stated: str, token: str) -> None:
    assert ask("/token", headers=[("Authorization", stated)]).json() == {"token": token}


@pytest.mark.parametrize(
    "stated",
    [
        "",
        "Bearer",
        "Bearer ",
        "abc",
        "Basic abc",
        "Bearerabc",
        "Bearer a b",
        "Bearer a,b",
        "Bearer =",
        "Bearer a=b",
        'Bearer "abc"',
        "Token Bearer abc",
        "Bearer abc\tdef",
    ],
)
def test_anything_else_is_no_key(stated: str) -> None:
    answer = ask("/token", headers=[("Authorization", stated)])

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert problem_of(answer)["type"] == "urn:opstrail:problem:unauthenticated"


def test_no_header_and_two_headers_are_no_key() -> None:
    two = [("Authorization", "Bearer abc"), ("Authorization", "Bearer def")]

    assert ask("/token").status_code == 401
    assert ask("/token", headers=two).status_code == 401


@given(stated=st.binary(max_size=60))
def test_no_header_at_all_makes_the_parsing_fail(stated: bytes) -> None:
    scope = {"type": "http", "headers": [(b"authorization", b"Bearer " + stated)]}
    try:
        token = bearer_token(Request(scope))
    except Problem as problem:
        assert problem.status == 401
    else:
        assert token.isascii()
        assert " " not in token


# --- The count ------------------------------------------------------------------------------------


def counts() -> dict[tuple[str, str, str], float]:
    """Answers so far by route, method and status."""
    (family,) = (found for found in REGISTRY.collect() if found.name == "opstrail_http_requests")
    return {
        (sample.labels["route"], sample.labels["method"], sample.labels["status"]): sample.value
        for sample in family.samples
        if sample.name.endswith("_total")
    }


def counted(path: str, *routes: Route, method: str = "GET") -> dict[tuple[str, str, str], float]:
    """What one request added to the counts."""
    before = counts()
    ask(path, *routes, method=method)
    return {
        labels: value - before.get(labels, 0)
        for labels, value in counts().items()
        if value != before.get(labels, 0)
    }


def test_answers_are_counted_by_the_routes_template_and_not_by_the_path() -> None:
    assert counted(f"/v1/records/{SECRET}") == {("/v1/records/{id}", "GET", "200"): 1}
    assert SECRET not in str(counts())


def test_a_wrong_method_is_counted_with_its_route() -> None:
    assert counted("/cached", method="DELETE") == {("/cached", "DELETE", "405"): 1}


@pytest.mark.parametrize("path", ["/nothing", f"/{SECRET}"])
def test_paths_without_a_route_are_counted_as_one(path: str) -> None:
    assert counted(path) == {("unmatched", "GET", "404"): 1}


def test_methods_that_a_client_invents_are_counted_as_one() -> None:
    assert counted("/cached", method="HUNTER2") == {("/cached", "other", "405"): 1}


def test_errors_are_counted_by_their_status() -> None:
    assert counted("/fail", raising(ValueError())) == {("/fail", "GET", "500"): 1}
    assert counted("/fail", raising(LogUnavailableError())) == {("/fail", "GET", "503"): 1}


def test_a_client_that_went_away_is_counted_as_such() -> None:
    scope = {"type": "http", "method": "GET", "path": "/gone", "headers": []}
    app = build_app([Route("/gone", Raises(ClientDisconnect()).__call__)])
    before = counts()

    async def silence(*_: object) -> Any:
        raise AssertionError("nobody is there")

    asyncio.run(app(scope, silence, silence))

    labels = ("/gone", "GET", "499")
    assert counts()[labels] == before.get(labels, 0) + 1


def test_an_answer_takes_some_time() -> None:
    def seconds() -> float:
        labels = {"route": "/v1/records/{id}"}
        return REGISTRY.get_sample_value("opstrail_http_request_seconds_count", labels) or 0

    before = seconds()
    ask("/v1/records/1")

    assert seconds() == before + 1


def test_the_edge_logs_nothing_of_a_good_answer(caplog: pytest.LogCaptureFixture) -> None:
    with capture_logs() as lines, caplog.at_level(logging.WARNING):
        ask("/v1/records/1", headers=[("Authorization", f"Bearer {SECRET}")])

    assert lines == []
    assert SECRET not in caplog.text
