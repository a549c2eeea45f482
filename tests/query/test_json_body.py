import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from starlette.requests import Request

from query.json_body import read_json_object
from runtime.errors import RefusedError
from runtime.http import Problem

JSON = "application/json"


def request(chunks: Sequence[bytes], media_type: str = JSON, *, hangs: bool = False) -> Request:
    left = list(chunks)

    async def receive() -> dict[str, Any]:
        if not left:
            await asyncio.sleep(600 if hangs else 0)
            return {"type": "http.request", "body": b"", "more_body": False}
        return {"type": "http.request", "body": left.pop(0), "more_body": True}

    headers = [(b"content-type", media_type.encode())] if media_type else []
    return Request({"type": "http", "method": "PUT", "headers": headers}, receive)


def read(chunks: Sequence[bytes], media_type: str = JSON, **more: Any) -> Any:
    return asyncio.run(read_json_object(request(chunks, media_type, **more), body_bytes_max=16))


def test_an_object_is_read_in_however_many_parts_it_comes() -> None:
    assert read([b'{"a"', b"", b": [1]}"]) == {"a": [1]}
    assert read([b'{"a": 1, "a": 2}']) == {"a": 2}


@pytest.mark.parametrize("body", [b"", b"{", b"nul", b"\xef\xbb\xbf{}", b'{"a":"\xff"}', b"{}{}"])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(RefusedError) as caught:
        read([body])
    assert caught.value.code == "not_json"


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"{}"'])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(RefusedError) as caught:
        read([body])
    assert caught.value.code == "not_an_object"


def test_the_bound_is_on_the_body_as_a_whole_while_it_arrives() -> None:
    assert read([b'{"a": 1}', b" " * 8]) == {"a": 1}
    with pytest.raises(Problem) as caught:
        read([b'{"a": 1}', b" " * 9], hangs=True)
    assert caught.value.status == 413


@pytest.mark.parametrize("media_type", ["", "text/json", "application/json; charset=utf-16"])
def test_another_media_type_is_refused_unread(media_type: str) -> None:
    with pytest.raises(Problem) as caught:
        read([], media_type, hangs=True)
    assert caught.value.status == 415


def test_a_body_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("query.json_body._BODY_WAIT_S", 0.05)
    with pytest.raises(Problem) as caught:
        read([b"{"], hangs=True)
    assert caught.value.status == 408
