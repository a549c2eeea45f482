from datetime import UTC, datetime, timedelta

import click
import pytest

from opstrail.expiry import Expiry


@pytest.mark.parametrize(
    ("text", "duration"), [("90d", timedelta(days=90)), ("12h", timedelta(hours=12))]
)
def test_a_duration_counts_from_now(text: str, duration: timedelta) -> None:
    before = datetime.now(UTC)
    end = Expiry().convert(text, None, None)

    assert before + duration <= end <= datetime.now(UTC) + duration


def test_a_time_is_taken_as_it_is() -> None:
    expected = datetime(2027, 3, 19, tzinfo=UTC)
    assert Expiry().convert("2027-03-19T01:00:00+01:00", None, None) == expected


@pytest.mark.parametrize("text", ["", "90", "0d", "-1d", "1w", "100000d", "2027-03-19", "tomorrow"])
def test_anything_else_is_wrong_usage(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Expiry().convert(text, None, None)
