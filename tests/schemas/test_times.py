"""RFC 3339 in, whole microseconds of UTC out, and back."""

import contextlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.times import format_us, parse_us, to_datetime, to_us
from tests.schemas.events import spellings_of

END_US = 7_258_118_400_000_000  # 2200-01-01T00:00:00Z
times_us = st.integers(0, END_US - 1)


@pytest.mark.parametrize(
    ("text", "time_us"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("2026-03-24T10:12:03Z", 1_774_347_123_000_000),
        ("2026-03-24t10:12:03z", 1_774_347_123_000_000),
        ("2026-03-24T12:12:03+02:00", 1_774_347_123_000_000),
        ("2026-03-24T04:42:03-05:30", 1_774_347_123_000_000),
        ("2026-03-24T10:12:03+00:00", 1_774_347_123_000_000),
        ("2026-03-24T10:12:03-00:00", 1_774_347_123_000_000),
        ("2026-03-24T10:12:03.5Z", 1_774_347_123_500_000),
        ("2026-03-24T10:12:03.000001Z", 1_774_347_123_000_001),
        ("2024-02-29T00:00:00Z", 1_709_164_800_000_000),
    ],
)
def test_a_time_with_an_offset_is_an_instant(text: str, time_us: int) -> None:
    assert parse_us(text) == time_us


@pytest.mark.parametrize(
    "digits", ["123456", "1234560", "1234569", "123456999999999", "123456" + "9" * 300]
)
def test_digits_past_the_microsecond_are_cut_and_not_rounded(digits: str) -> None:
    assert parse_us(f"1970-01-01T00:00:00.{digits}Z") == 123_456


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-24T10:12:03",
        "2026-03-24 10:12:03Z",
        "2026-03-24T10:12Z",
        "2026-03-24",
        "10:12:03Z",
        "",
        "Z",
        "now",
        "1774347123",
        "20260324T101203Z",
        "2026-W13-2T10:12:03Z",
        "2026-3-24T10:12:03Z",
        "26-03-24T10:12:03Z",
        "+2026-03-24T10:12:03Z",
        "2026-03-24T10:12:03.Z",
        "2026-03-24T10:12:03,5Z",
        "2026-03-24T10:12:03+0200",
        "2026-03-24T10:12:03+02",
        "2026-03-24T10:12:03+02:0",
        "2026-03-24T10:12:03 Z",
        " 2026-03-24T10:12:03Z",
        "2026-03-24T10:12:03Z ",
        "2026-03-24T10:12:03Z\n",
        "2026-03-24T10:12:03Zz",
        "\u0662026-03-24T10:12:03Z",
        "2026-03-24T10:12:03\uff3a",
        "\ud800",
        "2026-03-24T10:12:03UTC",
    ],
)
def test_anything_but_rfc_3339_with_an_offset_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an RFC 3339 time with an offset"):
        parse_us(text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-24T10:12:60Z",
        "2016-12-31T23:59:60Z",
        "2026-03-24T10:60:00Z",
        "2026-03-24T24:00:00Z",
        "2026-03-24T10:12:03+24:00",
        "2026-03-24T10:12:03+00:60",
        "2026-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-32T00:00:00Z",
        "0000-01-01T00:00:00Z",
    ],
)
def test_what_no_clock_or_calendar_shows_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_us(text)


@pytest.mark.parametrize(
    ("text", "time_us"),
    [
        ("1969-12-31T23:59:59.999999Z", None),
        ("1970-01-01T00:00:00.000000Z", 0),
        ("1970-01-01T00:00:00.000001Z", 1),
        ("1970-01-01T00:59:59.999999+01:00", None),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1969-12-31T23:00:00-01:00", 0),
        ("1969-12-31T22:59:59.999999-01:00", None),
        ("2199-12-31T23:59:59.999999Z", END_US - 1),
        ("2199-12-31T23:59:59.9999999Z", END_US - 1),
        ("2200-01-01T00:00:00Z", None),
        ("2200-01-01T00:59:59.999999+01:00", END_US - 1),
        ("2200-01-01T01:00:00+01:00", None),
        ("2199-12-31T22:59:59.999999-01:00", END_US - 1),
        ("2199-12-31T23:00:00-01:00", None),
        ("9999-12-31T23:59:59Z", None),
    ],
)
def test_years_run_from_1970_to_2199_by_utc_and_not_by_the_text(
    text: str, time_us: int | None
) -> None:
    if time_us is None:
        with pytest.raises(ValueError, match="1970 to 2199"):
            parse_us(text)
    else:
        assert parse_us(text) == time_us


def test_a_refusal_repeats_nothing_of_the_text() -> None:
    with pytest.raises(ValueError) as caught:
        parse_us("hunter2 is no time")

    assert "hunter2" not in str(caught.value)


@given(time_us=times_us)
def test_what_is_written_reads_as_the_same_instant(time_us: int) -> None:
    assert parse_us(format_us(time_us)) == time_us
    assert to_us(to_datetime(time_us)) == time_us


@given(time_us=times_us, data=st.data())
def test_every_offset_spells_the_same_instant(time_us: int, data: st.DataObject) -> None:
    assert parse_us(data.draw(spellings_of(time_us))) == time_us


@given(one=times_us, other=times_us)
def test_text_sorts_as_time_does(one: int, other: int) -> None:
    assert (format_us(one) < format_us(other)) == (one < other)


@given(text=st.text(max_size=40) | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"))
def test_any_text_is_a_time_of_the_range_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert 0 <= parse_us(text) < END_US


def test_times_are_written_in_utc_with_six_digits() -> None:
    assert format_us(1_774_347_123_000_000) == "2026-03-24T10:12:03.000000Z"
    assert to_datetime(0) == datetime(1970, 1, 1, tzinfo=UTC)
    assert to_us(datetime(1970, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))) == 0


def test_a_naive_datetime_is_our_own_mistake() -> None:
    with pytest.raises(TypeError):
        to_us(datetime(2026, 1, 1))
