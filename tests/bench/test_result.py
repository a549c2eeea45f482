"""What was measured comes back as it was kept."""

from pathlib import Path

import pytest

from tests.bench.machine import this_machine
from tests.bench.result import Plot, Result, load, number, rows, save


def _result() -> Result:
    result = Result("ingest", "about it", this_machine(), at="2026-01-02T03:04:05+00:00")
    result.add("Accepting", {"server": "a", "batch": 100}, "events", "/s", [1, 5, 2, 4, 3])
    result.add_once("Accepting", {"server": "a", "batch": 100}, "CPU", "%", 12.5)
    result.plots = [Plot(table="Accepting", what="events", along="batch", lines="server")]
    return result


def test_a_result_is_kept_with_each_of_its_repetitions(tmp_path: Path) -> None:
    # Once: it notes how busy the machine is.
    result = _result()
    save(result, tmp_path)

    assert load("ingest", tmp_path) == result


def test_what_has_not_run_is_not_there(tmp_path: Path) -> None:
    assert load("core", tmp_path) is None


def test_a_row_says_median_least_and_most() -> None:
    heading, cells = rows(_result(), "Accepting")

    assert heading == ["server", "batch", "events, /s", "CPU, %"]
    assert cells == [["a", "100", "3.00 (1.00 to 5.00)", "12.5"]]


def test_fewer_than_five_repetitions_are_a_mistake_of_ours() -> None:
    with pytest.raises(AssertionError, match="too few repetitions"):
        _result().add("Accepting", {}, "events", "/s", [1, 2, 3, 4])


@pytest.mark.parametrize(
    ("value", "text"), [(0.123, "0.12"), (12.34, "12.3"), (123.4, "123"), (1234567, "1,234,567")]
)
def test_a_number_has_about_three_digits(value: float, text: str) -> None:
    assert number(value) == text
