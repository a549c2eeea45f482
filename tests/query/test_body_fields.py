"""The fields of a JSON body."""

from collections.abc import Callable
from typing import Any

import pytest

from query.body_fields import BodyFields
from runtime.errors import RefusedError
from schemas.times import to_datetime

KNOWN = ("text", "list", "time")


def refusal(read: Callable[[BodyFields], object], body: dict[str, Any]) -> RefusedError:
    with pytest.raises(RefusedError) as refused:
        read(BodyFields(body, KNOWN))
    return refused.value


def test_fields_are_read_as_they_are() -> None:
    fields = BodyFields({"text": "a", "list": ["b", "c"], "time": "1970-01-01T00:00:01Z"}, KNOWN)

    assert fields.text("text") == fields.choice("text", ["a", "b"]) == "a"
    assert fields.texts("list") == fields.choices("list", "abc") == ("b", "c")
    assert fields.optional_time("time") == to_datetime(1_000_000)


@pytest.mark.parametrize("body", [{}, {"list": None, "time": None}])
def test_null_is_absent(body: dict[str, Any]) -> None:
    fields = BodyFields(body, KNOWN)

    assert fields.optional_texts("list") is None
    assert fields.optional_time("time") is None
    refused = refusal(lambda fields: fields.texts("list"), body)
    assert (refused.code, refused.field) == ("missing_field", "list")


@pytest.mark.parametrize(
    ("read", "value", "code"),
    [
        (lambda fields: fields.text("text"), 1, "wrong_type"),
        (lambda fields: fields.choice("text", ["a"]), "a secret", "bad_value"),
        (lambda fields: fields.texts("text"), "a secret", "wrong_type"),
        (lambda fields: fields.optional_texts("text"), ["a secret", None], "wrong_type"),
        (lambda fields: fields.choices("text", ["a"]), ["a", "a secret"], "bad_value"),
        (lambda fields: fields.optional_time("text"), 0, "wrong_type"),
        (lambda fields: fields.optional_time("text"), "a secret", "bad_value"),
    ],
)
def test_a_value_that_cannot_be_is_named_and_not_repeated(
    read: Callable[[BodyFields], object], value: Any, code: str
) -> None:
    refused = refusal(read, {"text": value})

    assert (refused.code, refused.field) == (code, "text")
    assert "a secret" not in str(refused)


@pytest.mark.parametrize(("name", "field"), [("txet", "txet"), ("a secret\n", None)])
def test_an_unknown_field_is_named_when_that_is_harmless(name: str, field: str | None) -> None:
    refused = refusal(lambda fields: fields.text("text"), {"text": "a", name: "b"})

    assert (refused.code, refused.field) == ("unknown_field", field)
    assert "a secret" not in str(refused)
