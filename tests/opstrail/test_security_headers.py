"""What every answer of every address says to browsers and senders; a new route is in here, too."""

import asyncio

import httpx
import pytest

from opstrail.openapi import OPERATIONS
from opstrail.server import serve
from runtime.operation import Operation
from runtime.settings import Settings
from tests.opstrail.test_openapi import ask, everything, filled

WITH_KEY = [operation for operation in OPERATIONS if operation.role is not None]
# /metrics belongs to health, which stands for itself.
WITHOUT_KEY = [operation for operation in OPERATIONS if operation.role is None]


def name_of(operation: Operation) -> str:
    return operation.id


def check_headers(answer: httpx.Response) -> None:
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    assert answer.headers.get_list("x-frame-options") == ["DENY"]
    assert answer.headers.get_list("referrer-policy") == ["no-referrer"]
    assert answer.headers.get_list("cross-origin-resource-policy") == ["same-origin"]
    (policy,) = answer.headers.get_list("content-security-policy")
    assert policy.startswith("default-src 'none';")
    assert len(answer.headers.get_list("x-request-id")) == 1
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert "strict-transport-security" not in answer.headers


@pytest.mark.parametrize("operation", WITH_KEY, ids=name_of)
def test_an_answer_about_somebodys_trail_is_kept_nowhere(operation: Operation) -> None:
    app = everything()
    for headers in ({}, {"Authorization": "Bearer key"}):
        answer = ask(app, filled(operation), operation.method, Origin="https://x.test", **headers)

        check_headers(answer)
        assert answer.headers.get_list("cache-control") == ["no-store"]
        assert answer.headers["content-security-policy"] == (
            "default-src 'none'; frame-ancestors 'none'"
        )
        assert (answer.headers.get("www-authenticate") == "Bearer") == (answer.status_code == 401)


@pytest.mark.parametrize("operation", WITHOUT_KEY, ids=name_of)
def test_an_answer_to_everybody_has_the_same_headers(operation: Operation) -> None:
    check_headers(ask(everything(), filled(operation), Origin="https://x.test"))


@pytest.mark.parametrize("operation", WITH_KEY, ids=name_of)
def test_no_address_is_beyond_the_rate_of_a_key(operation: Operation) -> None:
    # After its first request a key is in debt for a quarter of an hour.
    app = everything(Settings(rate_requests_per_s=1, rate_processes=1_000))
    first, second = (
        ask(app, filled(operation), operation.method, Authorization="Bearer key") for _ in range(2)
    )

    assert first.status_code == 403
    assert second.status_code == 429
    assert second.json()["type"] == "urn:opstrail:problem:request_rate_exceeded"
    assert int(second.headers["retry-after"]) > 900
    check_headers(second)


def test_the_server_says_nothing_of_itself() -> None:
    class AskedError(Exception):
        """Ends the server."""

    answers: list[httpx.Response] = []

    async def ask_it(address: str) -> None:
        async with httpx.AsyncClient(base_url=address) as client:
            answers.extend([await client.get("/healthz"), await client.get("/v1/timeline")])
        raise AskedError

    with pytest.raises(AskedError):
        asyncio.run(serve(everything(), "127.0.0.1", 0, on_listening=ask_it))

    assert [answer.status_code for answer in answers] == [200, 401]
    for answer in answers:
        check_headers(answer)
        assert "server" not in answer.headers
        assert "x-powered-by" not in answer.headers
