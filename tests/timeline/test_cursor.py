import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import RefusedError
from schemas.kinds import Kind
from timeline.cursor import Cursor, Order, read_cursor, write_cursor

CURSOR = Cursor(1_774_347_123_000_000, "action_run", "00000000-0000-4000-8000-000000000001", "acme")


@given(
    st.builds(
        Cursor,
        st.integers(0, 7_258_118_400_000_000 - 1),
        st.sampled_from([kind.value for kind in Kind]),
        st.uuids().map(str),
        st.from_regex(r"[a-z][a-z0-9._-]{0,127}", fullmatch=True),
    ),
    st.sampled_from(Order),
)
def test_cursor_comes_back_as_written_in_url_safe_text(cursor: Cursor, order: Order) -> None:
    text = write_cursor(cursor, order)

    assert read_cursor(text) == (cursor, order)
    assert text.isascii()
    assert set(text).isdisjoint("+/=&?% ")


@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("=")))
def test_garbage_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(RefusedError) as caught:
        read_cursor(text)
    assert (caught.value.field, caught.value.code) == ("cursor", "bad_value")


def test_any_change_of_a_cursor_that_still_reads_is_another_cursor() -> None:
    text = write_cursor(CURSOR, Order.DESC)
    for changed in (text + "=", text + "A", text[:-1], " " + text, text + "\n", "A" * 2_000):
        with pytest.raises(RefusedError):
            read_cursor(changed)


@pytest.mark.parametrize(
    "changed",
    [{"occurred_at": -1}, {"occurred_at": 1 << 53}, {"kind": "cli_instance"}, {"id": "x" * 257}],
)
def test_what_no_entry_can_be_at_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(RefusedError):
        read_cursor(write_cursor(CURSOR._replace(**changed), Order.ASC))  # type: ignore[arg-type]
