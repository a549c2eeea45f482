import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from query.access_target import SECRET_MARKER, target_text, told_of_change

TEXTS = st.text(max_size=400)
TARGETS = st.dictionaries(
    st.sampled_from(["path", "query", "sql", "parameters"]),
    st.one_of(TEXTS, st.dictionaries(TEXTS, st.lists(TEXTS, max_size=30), max_size=20)),
)


@given(TARGETS, st.integers(min_value=64, max_value=4_096))
def test_whatever_is_asked_for_the_target_is_a_json_object_within_its_bound(
    target: dict[str, object], bytes_max: int
) -> None:
    text = target_text(target, bytes_max=bytes_max)

    assert len(text.encode()) <= bytes_max
    assert isinstance(json.loads(text), dict)


def test_what_fits_is_told_as_it_was_and_what_is_empty_is_left_out() -> None:
    target = {"path": {"kind": "action_run"}, "query": {}, "sql": "SELECT 1"}

    assert json.loads(target_text(target, bytes_max=100)) == {
        "path": {"kind": "action_run"},
        "sql": "SELECT 1",
    }


def test_what_was_cut_says_so_and_keeps_its_beginning() -> None:
    found = json.loads(target_text({"sql": "SELECT " + "x" * 9_000}, bytes_max=1_000))

    assert found["cut"] is True
    assert found["sql"].startswith("SELECT xxx")
    assert found["sql"].endswith("…")


@pytest.mark.parametrize(
    "secret",
    [
        "ghp_0123456789abcdef",
        "x" * 5_000 + "AGE-SECRET-KEY-1",
        "opstrail_" + "a" * 38,
        "SELECT 'eyJhbGciOi.eyJzdWIi.c2ln'",
    ],
)
def test_what_looks_like_a_secret_is_replaced_wherever_it_stands(secret: str) -> None:
    target = {
        "path": {"id": secret},
        "query": {secret: ["a", secret]},
        "sql": f"SELECT '{secret}'",
        "parameters": {"list": [secret, 1, None]},
    }

    text = target_text(target, bytes_max=16_384)

    assert secret[-16:] not in text
    assert json.loads(text) == {
        "path": {"id": SECRET_MARKER},
        "query": {SECRET_MARKER: ["a", SECRET_MARKER]},
        "sql": SECRET_MARKER,
        "parameters": {"list": [SECRET_MARKER, 1, None]},
    }


def test_half_of_a_pair_of_surrogates_can_be_written() -> None:
    assert json.loads(target_text({"sql": "\ud800"}, bytes_max=100)) == {"sql": "?"}


def test_of_a_new_key_its_text_is_not_told() -> None:
    key = {"key_id": "key-0123456789ab", "name": "ci", "key": "the text", "active": True}

    assert told_of_change(key) == {"key_id": "key-0123456789ab", "name": "ci"}
    assert told_of_change({"name": "acme", "admin": {**key, "principal": "admin"}}) == {
        "name": "acme",
        "admin": {"key_id": "key-0123456789ab", "name": "ci", "principal": "admin"},
    }
    assert told_of_change([key]) is None
