"""The sentences a person reads beside a link."""

import pytest

from processors.explanation import duration_text, explain_configuration, explain_link
from processors.links import ConfiguredBy, Link
from schemas.kinds import Confidence, Kind, Rule
from tests.processors.builders import INSTANCE, SHA, id_of

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US


@pytest.mark.parametrize(
    ("duration_us", "text"),
    [
        (0, "less than 1 s"),
        (SECOND_US - 1, "less than 1 s"),
        (SECOND_US, "1 s"),
        (2 * SECOND_US - 1, "1 s"),
        (MINUTE_US - 1, "59 s"),
        (MINUTE_US, "1 min"),
        (MINUTE_US + SECOND_US - 1, "1 min"),
        (MINUTE_US + SECOND_US, "1 min 1 s"),
        (4 * MINUTE_US + 21 * SECOND_US, "4 min 21 s"),
        (HOUR_US - 1, "59 min 59 s"),
        (HOUR_US, "1 h"),
        (HOUR_US + MINUTE_US - 1, "1 h"),
        (HOUR_US + MINUTE_US, "1 h 1 min"),
        (2 * HOUR_US + 10 * MINUTE_US, "2 h 10 min"),
        (DAY_US - 1, "23 h 59 min"),
        (DAY_US, "1 d"),
        (DAY_US + HOUR_US - 1, "1 d"),
        (DAY_US + HOUR_US, "1 d 1 h"),
        (3 * DAY_US + HOUR_US, "3 d 1 h"),
        (400 * DAY_US, "400 d"),
    ],
)
def test_a_duration_is_its_two_greatest_units_rounded_down(duration_us: int, text: str) -> None:
    assert duration_text(duration_us) == text


def link(rule: Rule, *, origin: str | None = "actor anna", gap_us: int | None = None) -> Link:
    return Link(rule, Kind.ACTION_RUN, id_of(1), origin, gap_us)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (link(Rule.DURING), "the run overlaps in time; same actor anna"),
        (
            link(Rule.DURING, origin=None),
            "the run overlaps in time; same workspace, another origin",
        ),
        (
            link(Rule.AFTER, gap_us=4 * MINUTE_US),
            "the run ended 4 min before the start; same actor anna",
        ),
        (
            link(Rule.BEFORE, gap_us=0),
            "the run started less than 1 s after the end; same actor anna",
        ),
        (
            link(Rule.RETRIGGERED_FROM, origin="stated"),
            "this run repeats that one, as its sender stated",
        ),
        (
            link(Rule.RETRIGGERED_AS, origin="stated"),
            "that run repeats this one, as its sender stated",
        ),
    ],
)
def test_a_link_says_why_it_is_there(given: Link, sentence: str) -> None:
    assert explain_link(given) == sentence


def test_a_link_to_a_session_names_a_session() -> None:
    to_session = link(Rule.DURING)._replace(target_kind=Kind.SSH_SESSION)

    assert "session overlaps in time" in explain_link(to_session)


def configured(
    *, gap_us: int, instance_id: str | None = None, is_stated: bool = False
) -> ConfiguredBy:
    return ConfiguredBy(
        id_of(1), SHA, "main", Confidence.EXACT, False, gap_us, instance_id, is_stated
    )


def test_a_sync_found_by_the_instance_names_it() -> None:
    # Published in the contract, section 4.
    found = configured(gap_us=2 * HOUR_US + 10 * MINUTE_US, instance_id=INSTANCE)

    assert explain_configuration(found) == (
        "last successful sync from cli-8f3891b2 before the start, 2 h 10 min earlier"
    )


def test_a_sync_found_by_the_stated_commit_says_so() -> None:
    found = configured(gap_us=SECOND_US, is_stated=True)

    assert explain_configuration(found) == (
        "last successful sync of the stated commit, 1 s earlier"
    )


def test_a_sync_found_by_the_workspace_says_so() -> None:
    found = configured(gap_us=MINUTE_US)

    assert explain_configuration(found) == (
        "last successful sync in the workspace before the start, 1 min earlier"
    )


def test_a_sync_at_the_very_start_was_at_the_same_moment() -> None:
    assert explain_configuration(configured(gap_us=0)).endswith(", at the same moment")


def test_a_sync_a_microsecond_earlier_was_not_at_the_same_moment() -> None:
    assert explain_configuration(configured(gap_us=1)).endswith(", less than 1 s earlier")
