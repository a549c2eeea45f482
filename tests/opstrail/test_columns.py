import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from opstrail.columns import Column, Row, fits, print_facts, print_rows, print_text, print_title
from tests.opstrail.printed import printed, squeezed

WHAT = Column("what")
SIZE = Column("size", is_fixed=True, is_right=True)


def row(*cells: str, below: tuple[str, ...] = ()) -> Row:
    return Row([Text(cell) for cell in cells], [Text(line) for line in below])


def test_numbers_stand_right_and_lines_below_under_the_second_column() -> None:
    rows = [row("nginx", "5", below=("deployed by bob",)), row("db", "1,200")]

    assert printed(print_rows, [WHAT, SIZE], rows) == (
        "  what    size\n  nginx      5\n         deployed by bob\n  db     1,200\n"
    )


def test_the_widest_column_gives_way_and_fixed_ones_do_not() -> None:
    rows = [row("one two three four", "123456789", "ab")]

    assert printed(print_rows, [WHAT, SIZE, Column("by")], rows, width=28) == (
        "  what              size  by\n  one two      123456789  ab\n  three four\n"
    )


def test_no_column_is_narrower_than_its_heading() -> None:
    rows = [row("x" * 50, "0.18.3-rc.1")]

    assert "  version\n" in printed(print_rows, [WHAT, Column("version")], rows, width=20)


def test_names_break_after_a_sign_rather_than_anywhere() -> None:
    text = printed(print_rows, [WHAT], [row("gitlab-runner-42")], width=14)

    assert text == "  what\n  gitlab-\n  runner-42\n"


def test_a_word_without_a_place_to_break_is_cut_where_it_must() -> None:
    assert printed(print_text, Text("x" * 25), width=10) == f"{'x' * 10}\n{'x' * 10}\n{'x' * 5}\n"


@given(
    cells=st.lists(
        st.tuples(*[st.text(st.characters(exclude_categories=["C", "Z", "M"]), max_size=60)] * 3),
        min_size=1,
        max_size=4,
    ),
    below=st.text(alphabet="ab北-/ .", max_size=120),
    width=st.integers(30, 100),
)
def test_whatever_stands_in_them_rows_fit_and_nothing_is_lost(
    cells: list[tuple[str, str, str]], below: str, width: int
) -> None:
    columns = [Column(""), Column(""), Column("", is_right=True)]
    rows = [row(*texts, below=(below,)) for texts in cells]

    text = printed(print_rows, columns, rows, width=width)

    wanted = "".join(sorted(squeezed("".join("".join(texts) + below for texts in cells))))
    assert "".join(sorted(squeezed(text))) == wanted


def test_facts_without_a_value_are_left_out() -> None:
    facts = [("who", Text("alice")), ("ticket", Text(""))]

    assert printed(print_facts, facts) == "  who  alice\n"


def test_a_title_says_how_many_or_that_there_are_none() -> None:
    assert printed(print_title, "Before", 2) == "\nBefore (2)\n"
    assert printed(print_title, "Before", 0) == "\nBefore: none\n"
    assert printed(print_title, "Before") == "\nBefore\n"


@pytest.mark.parametrize(("width", "is_fitting"), [(28, True), (27, False)])
def test_columns_fit_while_words_stay_whole(width: int, is_fitting: bool) -> None:
    columns = [Column("a"), Column("b")]
    rows = [row("x" * 100, "y" * 100)]

    def check(console: object) -> None:
        assert fits(console, columns, rows) is is_fitting  # type: ignore[arg-type]

    printed(check, width=width)
