"""The sentences a person reads beside what configured a record."""

from processors.explanation import explain_configuration
from processors.links import ConfiguredBy
from schemas.kinds import Confidence
from tests.processors.builders import INSTANCE, SHA, id_of

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US


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
