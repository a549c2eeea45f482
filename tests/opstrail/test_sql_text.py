import pytest

from opstrail.sql_text import ROWS_SHOWN_MAX, print_result, print_schema
from tests.opstrail.printed import printed
from tests.opstrail.samples import LONG, MARKUP, result


def test_rows_stand_side_by_side_with_numbers_to_the_right() -> None:
    answer = result({"actor": "Nullable(String)", "runs": "UInt64"}, ["alice", 12], [None, 3])

    assert printed(print_result, answer) == (
        "actor  runs\nalice    12\nNULL      3\n\n2 rows in 0.01 s\n"
    )


def test_too_many_columns_stand_one_below_the_other() -> None:
    names = [f"column_{number}" for number in range(20)]

    text = printed(print_result, result(dict.fromkeys(names, "String"), ["a value"] * 20))

    assert text.startswith("row 1\n  column_0   a value\n  column_1   a value\n")


def test_values_that_are_no_text_are_shown_as_json() -> None:
    columns = {"flags": "Array(String)", "is": "Bool", "git": "Tuple(a String)"}

    text = printed(print_result, result(columns, [["late"], True, {"a": "ä"}]))

    assert '["late"]  true  {"a": "ä"}' in text


def test_what_would_act_on_the_terminal_is_shown_as_its_code() -> None:
    text = printed(print_result, result({"a": "String"}, ["\x1b[31mred\r\nnext"]))

    assert "\\x1b[31mred\\r\\nnext" in text


@pytest.mark.parametrize("text", [MARKUP, LONG])
def test_values_are_shown_as_they_are_and_fit(text: str) -> None:
    shown = printed(print_result, result({text: "String", "b": "String"}, [text, text]))

    assert "".join(text.split()) in "".join(shown.split())


def test_no_rows_are_said_to_be_none() -> None:
    assert printed(print_result, result({"a": "String"})) == "\n0 rows in 0.01 s\n"


@pytest.mark.parametrize("rows", [ROWS_SHOWN_MAX, ROWS_SHOWN_MAX + 1])
def test_more_rows_than_anyone_reads_are_counted_and_not_shown(rows: int) -> None:
    text = printed(print_result, result({"n": "UInt64"}, *([number] for number in range(rows))))

    assert text.count("\n") < ROWS_SHOWN_MAX + 10
    assert f"{rows:,} rows" in text
    assert ("Only the first 1,000 are shown" in text) is (rows > ROWS_SHOWN_MAX)


def test_an_answer_that_was_cut_says_so() -> None:
    text = printed(print_result, result({"n": "UInt64"}, [1], truncated=True))

    assert "The answer was cut after 1 row;" in text


def test_the_schema_shows_each_column_with_what_it_means() -> None:
    view = {
        "name": "timeline",
        "comment": "Runs, sessions and syncs",
        "columns": [{"name": "kind", "type": "String", "comment": "Kind of the record"}],
    }

    assert printed(print_schema, [view, {**view, "name": "links"}]) == (
        "timeline\nRuns, sessions and syncs\n  kind  String\n        Kind of the record\n"
        "\nlinks\nRuns, sessions and syncs\n  kind  String\n        Kind of the record\n"
    )
