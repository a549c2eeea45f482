import json
from typing import Any

import pytest

from ingest.cloudevents import split_batch, split_one
from runtime.http import Problem
from schemas.rejections import RejectionCode
from schemas.validation import Refusal
from tests.ingest.world import cloudevent


def body_of(value: object) -> bytes:
    return json.dumps(value).encode()


def refusal(split: Any, body: bytes) -> Problem:
    with pytest.raises(Problem) as raised:
        split(body)
    return raised.value


def test_the_event_is_data_as_it_was_sent() -> None:
    body = b'{"data" : {"a":  [1]} ,"specversion":"1.0","id":"1","source":"/","type":"t","x":"y"}'

    (event,) = split_one(body)

    assert not isinstance(event, Refusal)
    assert bytes(event) == b'{"a":  [1]}'


def test_a_lone_surrogate_in_data_is_left_to_the_verdict_on_the_event() -> None:
    item = body_of(cloudevent(data={"user": "\ud800", "id": "\ue000"}, comment="\udc00"))

    for split, body in ((split_one, item), (split_batch, b"[" + item + b"]")):
        (event,) = split(body)
        assert not isinstance(event, Refusal)
        assert json.loads(bytes(event)) == {"user": "\ud800", "id": "\ue000"}


def test_of_data_stated_twice_the_last_counts_with_a_lone_surrogate_too() -> None:
    body = body_of(cloudevent(x="\ud800"))[:-1] + b', "data": {"b": 2}}'

    (event,) = split_one(body)

    assert not isinstance(event, Refusal)
    assert bytes(event) == b'{"b": 2}'


@pytest.mark.parametrize(
    "changes",
    [
        {"specversion": None},
        {"specversion": "0.3"},
        {"specversion": 1.0},
        {"id": None},
        {"id": ""},
        {"id": 5},
        {"source": None},
        {"source": ""},
        {"type": None},
        {"type": ""},
    ],
)
def test_without_the_required_attributes_it_is_no_cloudevent(changes: dict[str, Any]) -> None:
    item = cloudevent(**changes)

    assert refusal(split_one, body_of(item)).slug == "not_a_cloudevent"
    (refused,) = split_batch(body_of([item]))
    assert isinstance(refused, Refusal)
    assert refused.code is RejectionCode.NOT_A_CLOUDEVENT


@pytest.mark.parametrize("changes", [{"data": None}, {"data": None, "data_base64": "e30="}])
def test_without_data_there_is_no_event_in_it(changes: dict[str, Any]) -> None:
    item = cloudevent(**changes)

    for split, body in ((split_one, item), (split_batch, [item])):
        (refused,) = split(body_of(body))
        assert isinstance(refused, Refusal)
        assert (refused.code, refused.field) == (RejectionCode.NOT_A_CLOUDEVENT, "data")


def test_null_data_is_no_data() -> None:
    (refused,) = split_one(body_of(cloudevent())[:-1] + b', "data": null}')

    assert isinstance(refused, Refusal)


@pytest.mark.parametrize("body", [b"[]", b"5", b"null", b'"x"', b"{}", b"[{}]"])
def test_a_single_one_is_an_object(body: bytes) -> None:
    assert refusal(split_one, body).status == 400


@pytest.mark.parametrize("body", [b"", b" ", b"[]", b"{}", b"5", b"[NaN]", b"[", b"[{}"])
def test_a_batch_is_an_array_that_holds_something(body: bytes) -> None:
    assert refusal(split_batch, body).status == 400


def test_what_is_no_object_in_a_batch_is_refused_alone() -> None:
    first, second, third = split_batch(body_of([5, cloudevent(), None]))

    assert isinstance(first, Refusal)
    assert not isinstance(second, Refusal)
    assert isinstance(third, Refusal)
