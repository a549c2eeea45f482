import pytest

from runtime.errors import RefusedError
from tests.timeline.trail import at_us
from timeline.cursor import Cursor, Order, write_cursor
from timeline.filters import FILTERS, TEXT_COLUMNS, Filters, Period, parse_filters

NOON = "2026-03-24T12:00:00Z"
ONE = "2026-03-24T13:00:00Z"
CURSOR = write_cursor(Cursor(1, "action_run", "x", "w"), Order.DESC)


def refused(*pairs: tuple[str, str]) -> str | None:
    with pytest.raises(RefusedError) as caught:
        parse_filters(pairs)
    return caught.value.field


def test_nothing_asked_for_is_the_newest_hundred() -> None:
    assert parse_filters([]) == Filters()
    assert (Filters().order, Filters().limit) == (Order.DESC, 100)


def test_values_of_one_name_are_collected() -> None:
    filters = parse_filters([("actor", "a"), ("kind", "ssh_session"), ("actor", "b")])
    assert filters.texts == {"actor": ("a", "b")}
    assert filters.kinds == ("ssh_session",)


def test_times_are_read_with_any_offset_and_with_a_bare_plus() -> None:
    for text in (NOON, "2026-03-24T14:00:00+02:00", "2026-03-24T14:00:00 02:00"):
        assert parse_filters([("from", text)]).from_us == at_us("12:00")


def test_periods_are_an_instant_or_both_ends() -> None:
    asked = [("active_at", NOON), ("active_from", NOON), ("active_to", ONE)]
    noon, one = at_us("12:00"), at_us("13:00")
    assert parse_filters(asked).active == (Period(noon, noon), Period(noon, one))
    assert parse_filters([("active_from", NOON), ("active_to", NOON)]).active == (
        Period(noon, noon),
    )


BAD = [
    *((name, value) for name in ("from", "to", "active_at") for value in ("", "yesterday")),
    ("from", "2026-03-24T10:00:00"),
    ("from", "2026-03-24"),
    ("from", "1969-12-31T23:59:59Z"),
    ("to", "2200-01-01T00:00:00Z"),
    ("from", "2026-03-24T10:00:60Z"),
    ("kind", "cli_instance"),
    ("kind", ""),
    ("kind", "Action_Run"),
    ("workspace", ""),
    ("workspace", "-x"),
    ("workspace", "a b"),
    ("workspace", "x" * 129),
    ("environment", ""),
    *((name, "") for name in TEXT_COLUMNS),
    ("actor", "x" * 257),
    ("actor", "a\x00b"),
    ("host", "a\u202eb"),
    ("cli_instance_id", "8f3891b2"),
    ("cli_instance_id", "cli-8f3891b"),
    ("status", "success"),
    ("status", "LOST"),
    ("exit_code", "x"),
    ("exit_code", "1.0"),
    ("exit_code", "4294967296"),
    ("exit_code", "-2147483649"),
    ("exit_code", "9" * 40),
    ("exit_code", "٣"),
    ("commit", "abc"),
    ("commit", "x" * 8),
    ("commit", "a" * 65),
    ("unexplained", "yes"),
    ("unexplained", "1"),
    ("flag", "unknown"),
    ("order", "up"),
    ("order", ""),
    ("limit", "0"),
    ("limit", "1001"),
    ("limit", "-1"),
    ("limit", "ten"),
    ("limit", ""),
    ("cursor", ""),
    ("cursor", "garbage"),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_bad_value_is_refused_by_its_name(name: str, value: str) -> None:
    assert refused((name, value)) == name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "1"),
        ("limit", "1000"),
        ("exit_code", "4294967295"),
        ("exit_code", "-2147483648"),
        ("commit", "abcd"),
        ("commit", "a" * 64),
        ("actor", "x" * 256),
        ("workspace", "x" * 128),
        ("to", "2199-12-31T23:59:59.999999Z"),
        ("from", "1970-01-01T00:00:00Z"),
    ],
)
def test_values_just_inside_are_taken(name: str, value: str) -> None:
    parse_filters([(name, value)])


SINGLE = ("from", "to", "active_at", "active_from", "active_to", "unexplained", "order", "limit")


@pytest.mark.parametrize("name", [*SINGLE, "cursor"])
def test_a_single_parameter_given_twice_is_refused(name: str) -> None:
    value = {"unexplained": "true", "order": "asc", "limit": "1", "cursor": CURSOR}.get(name, NOON)
    assert refused((name, value), (name, value)) == name


def test_an_unknown_filter_is_refused_by_its_name_unless_that_is_odd() -> None:
    assert refused(("colour", "red")) == "colour"
    assert refused(("Actor", "alice")) == "Actor"
    assert refused(("ghp_abcd1234", "x")) is None
    assert refused(("a b", "x")) is None


def test_ends_that_need_each_other_are_asked_for() -> None:
    assert refused(("active_from", NOON)) == "active_to"
    assert refused(("active_to", NOON)) == "active_from"


def test_ends_before_their_starts_are_refused() -> None:
    assert refused(("from", ONE), ("to", NOON)) == "to"
    assert refused(("active_from", ONE), ("active_to", NOON)) == "active_to"


def test_a_cursor_and_another_order_contradict() -> None:
    assert parse_filters([("cursor", CURSOR)]).order is Order.DESC
    assert parse_filters([("cursor", CURSOR), ("order", "desc")]).order is Order.DESC
    assert refused(("cursor", CURSOR), ("order", "asc")) == "cursor"


def test_too_many_values_are_refused() -> None:
    parse_filters([("actor", str(n)) for n in range(100)])
    assert refused(*[("actor", str(n)) for n in range(101)]) == "actor"


def test_a_refusal_never_repeats_a_value() -> None:
    for name in FILTERS:
        with pytest.raises(RefusedError) as caught:
            parse_filters([(name, "hunter2\x00")])
        assert "hunter2" not in str(caught.value)
