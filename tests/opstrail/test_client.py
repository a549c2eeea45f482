import ssl

import pytest

from opstrail.client import Client
from runtime.errors import RefusedError, UnavailableError
from tests.opstrail.answering_server import Answer, AnsweringServer


@pytest.fixture
def client(server: AnsweringServer, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr("opstrail.client._TRIES_MAX", 1)
    return Client(server.url, "a-key")


def streamed(client: Client) -> bytes:
    with client.stream("POST", "/v1/sql", params=[("format", "csv")], body={"query": "q"}) as part:
        return b"".join(part)


def test_a_stream_gives_the_bytes_of_the_answer(client: Client, server: AnsweringServer) -> None:
    server.answer = Answer(b"a,b\n1,2\n")

    assert streamed(client) == b"a,b\n1,2\n"
    (asked,) = server.asked
    assert (asked.method, asked.path, asked.params) == ("POST", "/v1/sql", [("format", "csv")])
    assert asked.body == {"query": "q"}
    assert asked.key == "a-key"


def test_a_stream_that_is_refused_says_why(client: Client, server: AnsweringServer) -> None:
    server.answers({"title": "Refused", "detail": "The function `file` is not allowed."}, 400)

    with pytest.raises(RefusedError, match="400: The function `file` is not allowed"):
        streamed(client)


def test_a_stream_that_breaks_off_is_not_taken_for_the_whole(
    client: Client, server: AnsweringServer
) -> None:
    server.answer = Answer(b"a,b\n", stated_bytes=100)

    with pytest.raises(UnavailableError, match="broke off"):
        streamed(client)


def test_what_is_put_comes_back_as_it_stands(client: Client, server: AnsweringServer) -> None:
    server.answers({"name": "acme-prod", "environment": "production"})

    assert client.put("/v1/workspaces/acme-prod", {"environment": "production"}) == {
        "name": "acme-prod",
        "environment": "production",
    }
    assert server.asked[0].method == "PUT"
    assert server.asked[0].body == {"environment": "production"}


@pytest.mark.parametrize("scheme", ["http", "https", "HTTPS"])
def test_the_systems_authorities_are_read_for_https_alone(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[ssl.SSLContext] = []
    context = ssl.create_default_context

    def counted() -> ssl.SSLContext:
        read.append(context())
        return read[-1]

    monkeypatch.setattr("ssl.create_default_context", counted)

    Client(f"{scheme}://127.0.0.1:1", "a-key").close()

    assert len(read) == (scheme != "http")
