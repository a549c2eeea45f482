"""The sentences a person reads beside a link."""

from typing import Any

import pytest

from schemas.explanation import SENTENCES, duration_text, explain_link
from schemas.kinds import Rule

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


def sentence(rule: str, **given: Any) -> str:
    link = {"target_kind": "action_run", "gap_ms": None, "origin": "actor", **given}
    return explain_link(rule, **link, actor="anna", cli_instance_id="cli-8f3891b2")


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (sentence("during"), "the run overlaps in time; same actor anna"),
        (
            sentence("during", origin="cli_instance"),
            "the run overlaps in time; same CLI instance cli-8f3891b2",
        ),
        (
            sentence("during", origin=""),
            "the run overlaps in time; same workspace, another origin",
        ),
        (
            sentence("after", gap_ms=261_999),
            "the run ended 4 min 21 s before the start; same actor anna",
        ),
        (
            sentence("before", gap_ms=0),
            "the run started less than 1 s after the end; same actor anna",
        ),
        (
            sentence("during", target_kind="ssh_session"),
            "the session overlaps in time; same actor anna",
        ),
        (
            sentence("retriggered_from", origin="stated"),
            "this run repeats that one, as its sender stated",
        ),
        (
            sentence("retriggered_as", origin="stated"),
            "that run repeats this one, as its sender stated",
        ),
    ],
)
def test_a_link_says_why_it_is_there(found: str, wanted: str) -> None:
    assert found == wanted


def test_every_rule_has_its_sentence() -> None:
    assert SENTENCES.keys() == set(Rule)


def test_a_rule_or_a_kind_of_a_newer_version_is_named() -> None:
    assert sentence("caused_by") == "linked by the rule caused_by"
    assert sentence("during", target_kind="backup").startswith("the backup overlaps")


def test_what_a_name_holds_stays_as_it_is() -> None:
    found = explain_link(
        "during", "action_run", None, "actor", actor="{gap} %s", cli_instance_id=""
    )

    assert found == "the run overlaps in time; same actor {gap} %s"
