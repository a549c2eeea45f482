import json
import re
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.json_events import (
    NotJsonError,
    check,
    decode,
    event_id,
    split_array,
    split_json,
    split_lines,
)
from runtime.http import Problem
from schemas.limits import BODY_BYTES_MAX
from tests.ingest.world import RUN_ID

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
# Python writes lone surrogates as escapes, which is JSON that msgspec refuses.
SURROGATES = st.text(st.characters(categories=["Cs", "L"]), max_size=5)
VALUES = st.recursive(
    SCALARS | SURROGATES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text() | SURROGATES, inner, max_size=4)
    ),
    max_leaves=12,
)


def alike(value: Any) -> str:
    """What a verdict can depend on: that there is a lone surrogate, not which one."""
    return re.sub(r"\\ud[89a-f]..", "#", ascii(value))


def refusal(body: bytes) -> Problem:
    with pytest.raises(Problem) as raised:
        split_json(body)
    return raised.value


def test_each_item_comes_out_as_it_was_sent_without_the_white_space_around_it() -> None:
    pieces = split_json(b' [ {"a": 1} , [2]\n,"x" ] ')

    assert [bytes(piece) for piece in pieces] == [b'{"a": 1}', b"[2]", b'"x"']


def test_an_object_is_one_event() -> None:
    assert [bytes(piece) for piece in split_json(b'\n{"a": [1, 2]} ')] == [b'{"a": [1, 2]}']


@given(values=st.lists(VALUES, min_size=1, max_size=5), indent=st.none() | st.integers(0, 2))
def test_cutting_and_decoding_agrees_with_the_standard_library(
    values: list[Any], indent: int | None
) -> None:
    body = json.dumps(values, indent=indent).encode()
    expected = json.loads(body)

    pieces = split_json(body)

    assert [alike(decode(piece)) for piece in pieces] == [alike(value) for value in expected]
    lengths = [len("".join(json.dumps(value, indent=indent).split())) for value in values]
    assert [len(b"".join(bytes(piece).split())) for piece in pieces] == lengths


@given(body=st.text(alphabet='[]{},:"\\ud8Dc0efn \t-+.19Eltrsa\x00', max_size=24))
def test_what_is_json_is_decided_as_the_standard_library_does(body: str) -> None:
    def refuse(name: str) -> None:
        raise ValueError(name)

    try:
        value = json.loads(body, parse_constant=refuse)
    except ValueError:
        with pytest.raises(NotJsonError):
            decode(body.encode())
        with pytest.raises(NotJsonError):
            check(body.encode())
    else:
        assert decode(body.encode()) == value
        check(body.encode())


def test_a_lone_surrogate_stays_in_its_own_event_and_pairs_stay_whole() -> None:
    body = (
        rb'[{"a": "\ud83d\ude00"}, {"a": "\ud83d"}, {"a": "\\ud83d \u00e9"}, {"\ude00\ud83d": 1},'
        rb' {"a": "\\ud83d\ude00"}]'
    )

    assert [decode(piece) for piece in split_json(body)] == [
        {"a": "\U0001f600"},
        {"a": "\ud800"},
        {"a": "\\ud83d é"},
        {"\ud800\ud800": 1},
        {"a": "\\ud83d\ud800"},
    ]


def test_escapes_that_look_like_the_mask_stay_what_they_are() -> None:
    body = rb'["\ue000 \ue001 \\ue002 \ud800", "\ue000"]'

    assert [decode(piece) for piece in split_json(body)] == [
        "\ue000 \ue001 \\ue002 \ud800",
        "\ue000",
    ]


def test_numbers_no_python_reads_are_still_numbers_out_of_range() -> None:
    long = b"9" * 5_000
    values = [decode(b"1e999"), decode(b"-1e999"), decode(long), decode(b"-" + long)]

    assert values[:2] == [float("inf"), float("-inf")]
    assert values[2] > 2**64
    assert values[3] < -(2**64)


def test_of_a_name_that_occurs_twice_the_last_counts_in_both_decoders() -> None:
    assert decode(b'{"a": 1, "a": 2}') == {"a": 2}
    assert decode(b'{"a": 1e999, "a": 2}') == {"a": 2}


def test_a_deep_body_is_refused_and_says_so() -> None:
    for body in (b"[" * 200_000 + b"]" * 200_000, b'{"a":' * 5_000 + b"1" + b"}" * 5_000):
        assert "deep" in refusal(body).detail
    assert "deep" not in refusal(b"[" * 50).detail


def test_a_deep_line_is_refused_alone() -> None:
    with pytest.raises(NotJsonError, match="deep"):
        decode(b'{"a":' * 2_000 + b"1" + b"}" * 2_000)


def test_lines_are_what_stands_between_line_feeds_and_is_not_blank() -> None:
    assert split_lines(b"\n \t\r\n{} \r\n\n5\n") == [b"{}", b"5"]
    assert split_lines(b"{}") == [b"{}"]


def test_ten_thousand_are_allowed_and_one_more_is_not() -> None:
    assert len(split_lines(b"1\n" * 10_000)) == 10_000
    assert len(split_array(b"[" + b",".join([b"1"] * 10_000) + b"]")) == 10_000
    for split, body in (
        (split_lines, b"1\n" * 10_001),
        (split_array, b"[" + b",".join([b"1"] * 10_001) + b"]"),
    ):
        with pytest.raises(Problem) as raised:
            split(body)
        assert raised.value.status == 413


def test_millions_of_items_are_counted_and_never_cut() -> None:
    body = b"[" + b"1," * (BODY_BYTES_MAX // 2 - 1) + b"1]"

    with pytest.raises(Problem) as raised:
        split_array(body)

    assert raised.value.slug == "too_many_events"


def test_commas_inside_events_and_strings_do_not_count_as_events() -> None:
    inside = b'{"a":[' + b"1," * 300_000 + b'1],"b":"' + b',\\"' * 300_000 + b'"}'

    assert len(split_array(b"[" + inside + b",2]")) == 2


def test_the_id_of_a_piece_too_large_to_decode_is_found_when_it_is_well_formed() -> None:
    filler = b'"x": "' + b"y" * 20_000 + b'", '

    assert event_id(b"{" + filler + b'"id": "' + RUN_ID.upper().encode() + b'"}') == RUN_ID
    assert event_id(b"{" + filler + b'"id": "x", "id": "' + RUN_ID.encode() + b'"}') == RUN_ID
    for body in (b'"id": "ghp_12345678"}', b'"id": 5}', b'"id": "\\ud800"}', b'"y": 1}'):
        assert event_id(b"{" + filler + body) is None
    assert event_id(b"[1]") is None


@given(
    text=st.lists(
        st.sampled_from(["\ud83d", "\ude00", "\U0001f600", "\\", "u", "d83d"]), max_size=12
    ).map("".join)
)
def test_surrogates_between_backslashes_are_told_apart(text: str) -> None:
    body = json.dumps([text, "\ud800"]).encode()

    assert [alike(decode(piece)) for piece in split_json(body)] == [
        alike(value) for value in json.loads(body)
    ]


@pytest.mark.parametrize("filler", [rb"\n", rb"\\", rb"\ud800", rb"\ud83d\ude00", rb"\ue000"])
def test_a_body_full_of_escapes_takes_no_more_memory_than_a_few_copies_of_it(filler: bytes) -> None:
    # The copies are as large as the body, whatever its size; tracing the largest takes long.
    body_bytes = BODY_BYTES_MAX // 8
    body = rb'["\ud800' + filler * (body_bytes // len(filler) - 2) + b'"]'
    tracemalloc.start()

    split_json(body)

    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 4 * body_bytes
