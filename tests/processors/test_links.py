"""The link rules with their boundaries: the contract, section 4."""

from typing import Any

import pytest

from schemas.kinds import Kind
from tests.processors.builders import (
    INSTANCE,
    OTHER_INSTANCE,
    OTHER_SHA,
    SHA,
    entry_of,
    id_of,
    run,
    sent,
    session,
    sync,
)
from tests.simulation.core import Core
from tests.simulation.oracle import Delivery

RUN = Kind.ACTION_RUN
SESSION = Kind.SSH_SESSION


def links_of(core: Core, kind: Kind, number: int = 1) -> list[tuple[str, int]]:
    """(rule, number of the target) in the order shown."""
    return [(link["rule"], number_of(link)) for link in entry_of(core, kind, number)["links"]]


def number_of(link: dict[str, Any]) -> int:
    return int(link["target"]["id"].rpartition("-")[2], 16)


def numbers_of(core: Core, kind: Kind, rule: str) -> list[int]:
    return [number for each, number in links_of(core, kind) if each == rule]


def configuration_of(*deliveries: Delivery) -> dict[str, Any] | None:
    """`configured_by` of the first run of them."""
    found: dict[str, Any] | None = entry_of(sent(deliveries), RUN)["configured_by"]
    return found


def found_sync(*deliveries: Delivery) -> tuple[int, str, bool]:
    """(number, confidence, behind) of the sync that configured the first run."""
    found = configuration_of(*deliveries)
    assert found is not None
    number = int(found["sync_id"].rpartition("-")[2], 16)
    return number, found["confidence"], found["behind"]


# during, after, before: which of them


@pytest.mark.parametrize(
    ("session_span", "on_session", "on_run"),
    [
        # A run from 10:00 to 10:05, seen from sessions around it.
        (("10:02", "10:03"), "during", "during"),
        (("09:00", "11:00"), "during", "during"),
        (("10:00", "10:05"), "during", "during"),
        (("10:04:59.999999", "10:06"), "during", "during"),
        (("10:05", "10:06"), "after", "before"),
        (("09:59", "10:00:00.000001"), "during", "during"),
        (("09:59", "10:00"), "before", "after"),
        # 60 minutes are in, a microsecond more is out.
        (("11:04:59.999999", "11:06"), "after", "before"),
        (("11:05", "11:06"), "after", "before"),
        (("11:05:00.000001", "11:06"), None, None),
        (("08:00", "09:00:00.000001"), "before", "after"),
        (("08:00", "09:00"), "before", "after"),
        (("08:00", "08:59:59.999999"), None, None),
        # A moment overlaps inside [start, end).
        (("10:00", "10:00"), "during", "during"),
        (("10:04:59.999999", "10:04:59.999999"), "during", "during"),
        (("10:05", "10:05"), "after", "before"),
        (("09:59:59.999999", "09:59:59.999999"), "before", "after"),
    ],
)
def test_a_session_stands_to_a_run_by_its_times(
    session_span: tuple[str, str], on_session: str | None, on_run: str | None
) -> None:
    deliveries = [run(), session(1, *session_span)]

    for order in (deliveries, deliveries[::-1]):
        core = sent(order)
        assert links_of(core, SESSION) == ([] if on_session is None else [(on_session, 1)])
        assert links_of(core, RUN) == ([] if on_run is None else [(on_run, 1)])
        assert entry_of(core, SESSION)["unexplained"] is (on_session is None)


@pytest.mark.parametrize(
    ("session_at", "rule"),
    [("10:00", "during"), ("10:00:00.000001", "after"), ("09:59:59.999999", "before")],
)
def test_two_moments_overlap_only_at_the_same_time(session_at: str, rule: str) -> None:
    core = sent([run(end="10:00"), session(1, session_at, session_at)])

    assert links_of(core, SESSION) == [(rule, 1)]


@pytest.mark.parametrize(
    ("start", "is_linked"),
    [("11T09:59:59.999999", True), ("11T10:00", False), ("11T10:00:00.000001", False)],
)
def test_an_open_run_covers_a_day_and_nothing_comes_after_it(start: str, is_linked: bool) -> None:
    core = sent([run(end=None), session(1, start, "11T11:00")])

    assert links_of(core, SESSION) == ([("during", 1)] if is_linked else [])


def test_an_open_session_can_come_after_a_run_though_it_never_ended() -> None:
    core = sent([run(), session(1, "10:30", None)])

    assert links_of(core, SESSION) == [("after", 1)]
    assert links_of(core, RUN) == [("before", 1)]


def test_the_gap_is_in_whole_milliseconds_on_both_sides() -> None:
    core = sent([run(), session(1, "10:05:01.000999", "10:06")])

    assert entry_of(core, SESSION)["links"][0]["gap_ms"] == 1000
    assert entry_of(core, RUN)["links"][0]["gap_ms"] == 1000


def test_an_overlap_has_no_gap() -> None:
    core = sent([run(), session()])

    assert "gap_ms" not in entry_of(core, SESSION)["links"][0]


def test_records_of_one_kind_are_not_linked_by_time() -> None:
    core = sent(
        [run(1), run(2), session(1, "2T10:00", "2T10:05"), session(2, "2T10:00", "2T10:05")]
    )

    assert links_of(core, RUN) == []
    assert links_of(core, SESSION) == []


def test_closing_a_run_moves_its_links() -> None:
    core = sent([run(end=None), session(1, "12:00", "12:05")])
    assert links_of(core, SESSION) == [("during", 1)]

    core.send([run(end="11:30")])
    assert links_of(core, SESSION) == [("after", 1)]


def test_closing_a_run_long_before_a_session_leaves_that_unexplained() -> None:
    core = sent([run(end=None), session(1, "12:00", "12:05")])

    core.send([run()])

    assert links_of(core, SESSION) == []
    assert entry_of(core, SESSION)["unexplained"] is True


def test_another_workspace_is_no_neighbour() -> None:
    core = sent([run(workspace="web"), session()])

    assert links_of(core, SESSION) == []


# Confidence and what is unexplained


def test_the_same_actor_is_the_same_origin() -> None:
    core = sent([run(), session()])

    assert entry_of(core, SESSION)["links"][0]["confidence"] == "exact"


def test_the_same_instance_is_the_same_origin_for_two_actors() -> None:
    core = sent([run(cli_instance_id=INSTANCE), session(actor="bert", cli_instance_id=INSTANCE)])

    assert entry_of(core, SESSION)["links"][0]["confidence"] == "exact"
    assert entry_of(core, SESSION)["unexplained"] is False


def test_the_same_actor_is_enough_when_the_instances_differ() -> None:
    core = sent([run(cli_instance_id=INSTANCE), session(cli_instance_id=OTHER_INSTANCE)])

    assert entry_of(core, SESSION)["links"][0]["confidence"] == "exact"


@pytest.mark.parametrize("instance_of_session", [None, OTHER_INSTANCE])
def test_another_origin_is_likely_and_leaves_a_session_unexplained(
    instance_of_session: str | None,
) -> None:
    foreign = session(actor="bert", cli_instance_id=instance_of_session)
    core = sent([run(cli_instance_id=INSTANCE), foreign])

    assert entry_of(core, SESSION)["links"][0]["confidence"] == "likely"
    assert entry_of(core, RUN)["links"][0]["confidence"] == "likely"
    assert entry_of(core, SESSION)["unexplained"] is True


def test_two_actors_without_an_instance_share_no_origin() -> None:
    core = sent([run(), session(actor="bert")])

    assert entry_of(core, SESSION)["unexplained"] is True


def test_only_sessions_are_explained_or_not() -> None:
    core = sent([run(), sync()])

    assert entry_of(core, RUN)["unexplained"] is None
    assert entry_of(core, Kind.WORKSPACE_SYNC)["unexplained"] is None


# The nearest ten


@pytest.mark.parametrize(("runs", "is_omitted"), [(9, False), (10, False), (11, True)])
def test_ten_links_of_a_rule_are_shown(runs: int, is_omitted: bool) -> None:
    core = sent([session(), *(run(number) for number in range(1, runs + 1))])

    entry = entry_of(core, SESSION)

    assert len(entry["links"]) == min(runs, 10)
    assert entry["links_omitted"] is is_omitted


def test_overlaps_at_one_distance_are_shown_by_the_higher_id() -> None:
    core = sent([session(), *(run(number) for number in range(1, 12))])

    assert numbers_of(core, SESSION, "during") == list(range(11, 1, -1))


def test_overlaps_to_either_side_tie_by_the_higher_id() -> None:
    core = sent([session(), run(1, "09:59", "10:01"), run(2, "10:01"), run(3, "09:59:30", "10:01")])

    assert numbers_of(core, SESSION, "during") == [3, 2, 1]


def test_the_nearest_starts_are_shown_of_overlaps() -> None:
    runs = [run(number, f"09:{60 - number}", "10:01") for number in range(1, 12)]
    core = sent([session(), *runs])

    assert numbers_of(core, SESSION, "during") == list(range(1, 11))
    assert entry_of(core, SESSION)["links_omitted"] is True


def test_the_smallest_gaps_are_shown_before_and_after() -> None:
    ended = [run(n, "09:00", f"09:{60 - n}") for n in range(1, 12)]
    started = [run(20 + n, f"10:{10 + n}", "11:00") for n in range(1, 12)]
    core = sent([session(), *ended, *started])

    assert numbers_of(core, SESSION, "after") == list(range(1, 11))
    assert numbers_of(core, SESSION, "before") == list(range(21, 31))


def test_equal_gaps_are_shown_by_the_higher_id() -> None:
    ended = [run(n, "09:00", "09:50") for n in range(1, 12)]
    started = [run(20 + n, "10:10", "11:00") for n in range(1, 12)]
    core = sent([session(), *ended, *started])

    assert numbers_of(core, SESSION, "after") == list(range(11, 1, -1))
    assert numbers_of(core, SESSION, "before") == list(range(31, 21, -1))


def test_ten_of_each_rule_leave_nothing_out() -> None:
    during = [run(n) for n in range(1, 11)]
    ended = [run(20 + n, "09:00", "09:50") for n in range(1, 11)]
    core = sent([session(), *during, *ended])

    assert len(entry_of(core, SESSION)["links"]) == 20
    assert entry_of(core, SESSION)["links_omitted"] is False


def test_a_late_nearer_run_pushes_the_farthest_out() -> None:
    runs = [run(number, f"09:{60 - number}", "10:01") for number in range(2, 13)]
    core = sent([session(), *runs])

    core.send([run(1, "10:00")])

    assert numbers_of(core, SESSION, "during") == list(range(1, 11))


def test_a_session_is_explained_by_a_run_that_was_cut_off() -> None:
    foreign = [run(number, actor="bert") for number in range(1, 12)]
    own = run(20, "09:00", "10:01")
    for order in ([session(), *foreign, own], [own, *foreign, session()]):
        core = sent(order)

        assert 20 not in numbers_of(core, SESSION, "during")
        assert entry_of(core, SESSION)["unexplained"] is False


def test_a_session_is_explained_by_a_run_of_its_instance_that_was_cut_off() -> None:
    foreign = [run(number, actor="bert") for number in range(1, 12)]
    own = run(20, "09:00", "10:01", actor="bert", cli_instance_id=INSTANCE)
    core = sent([session(cli_instance_id=INSTANCE), *foreign, own])

    assert entry_of(core, SESSION)["unexplained"] is False


def test_a_session_among_many_foreign_runs_stays_unexplained() -> None:
    core = sent([session(), *(run(number, actor="bert") for number in range(1, 13))])

    assert entry_of(core, SESSION)["unexplained"] is True


# retriggered_from and retriggered_as


def test_a_retriggered_run_names_another_known_or_not() -> None:
    core = sent([run(2, retriggered_from=id_of(1))])
    assert links_of(core, RUN, 2) == [("retriggered_from", 1)]

    core.send([run(1, "09:00", "09:05")])
    assert links_of(core, RUN, 1) == [("retriggered_as", 2)]


def test_a_run_in_another_workspace_that_names_it_is_no_other_side() -> None:
    core = sent([run(1), run(2, retriggered_from=id_of(1), workspace="web")])

    assert links_of(core, RUN) == []


def test_retriggers_are_exact_for_two_actors() -> None:
    core = sent([run(1), run(2, actor="bert", retriggered_from=id_of(1))])

    assert entry_of(core, RUN, 1)["links"][0]["confidence"] == "exact"
    assert entry_of(core, RUN, 2)["links"][0]["confidence"] == "exact"


def test_the_nearest_ten_repeats_are_shown_ties_by_the_higher_id() -> None:
    tied = [run(n, "10:02", retriggered_from=id_of(1)) for n in range(2, 12)]
    nearer = run(12, "10:01", retriggered_from=id_of(1))
    core = sent([run(1), *tied, nearer])

    assert numbers_of(core, RUN, "retriggered_as") == [12, *range(11, 2, -1)]
    assert entry_of(core, RUN)["links_omitted"] is True


def test_ten_repeats_leave_nothing_out() -> None:
    core = sent([run(1), *(run(n, retriggered_from=id_of(1)) for n in range(2, 12))])

    assert len(numbers_of(core, RUN, "retriggered_as")) == 10
    assert entry_of(core, RUN)["links_omitted"] is False


# configured_by


@pytest.mark.parametrize(
    ("at", "is_found"), [("09:59:59.999999", True), ("10:00", True), ("10:00:00.000001", False)]
)
def test_a_sync_is_in_force_at_or_before_the_start(at: str, is_found: bool) -> None:
    assert (configuration_of(run(), sync(1, at)) is not None) is is_found


@pytest.mark.parametrize("result", ["failed", "conflict"])
def test_only_a_successful_sync_configures(result: str) -> None:
    assert configuration_of(run(), sync(result=result)) is None


def test_a_sync_without_a_commit_does_not_configure() -> None:
    assert configuration_of(run(), sync(sha=None)) is None


def test_the_latest_of_the_workspace_is_likely() -> None:
    syncs = [sync(1, "09:00"), sync(2, "09:30")]

    assert found_sync(run(), *syncs) == (2, "likely", False)


def test_of_two_syncs_at_once_the_higher_id_counts() -> None:
    assert found_sync(run(), sync(2), sync(1)) == (2, "likely", False)
    assert found_sync(run(), sync(1), sync(2)) == (2, "likely", False)


def test_the_same_actor_does_not_make_a_sync_exact() -> None:
    assert found_sync(run(actor="anna"), sync(actor="anna")) == (1, "likely", False)


def test_the_latest_from_the_same_instance_is_exact_and_may_be_behind() -> None:
    own = sync(1, "09:00", cli_instance_id=INSTANCE)
    newer = sync(2, "09:30", sha=OTHER_SHA, cli_instance_id=OTHER_INSTANCE)

    assert found_sync(run(cli_instance_id=INSTANCE), own, newer) == (1, "exact", True)


def test_it_is_not_behind_when_the_latest_brought_the_same_commit() -> None:
    own = sync(1, "09:00", sha=SHA[:7], cli_instance_id=INSTANCE)
    newer = sync(2, "09:30", cli_instance_id=OTHER_INSTANCE)

    assert found_sync(run(cli_instance_id=INSTANCE), own, newer) == (1, "exact", False)


def test_a_stated_commit_finds_the_latest_sync_that_brought_it() -> None:
    syncs = [sync(1, "08:00"), sync(2, "09:00"), sync(3, "09:30", sha=OTHER_SHA)]
    stating = run(commit_sha=SHA)

    assert found_sync(stating, *syncs) == (2, "exact", True)
    assert "stated_commit_not_synced" not in entry_of(sent([stating, *syncs]), RUN)["flags"]


@pytest.mark.parametrize("stated", [SHA[:7], SHA[:12], SHA, "a" * 64])
def test_a_stated_commit_may_be_shorter_or_longer(stated: str) -> None:
    assert found_sync(run(commit_sha=stated), sync()) == (1, "exact", False)


def test_a_commit_that_shares_only_its_first_digits_is_another() -> None:
    stating = run(commit_sha="a" * 7 + "c" * 33)

    assert found_sync(stating, sync()) == (1, "likely", False)
    assert "stated_commit_not_synced" in entry_of(sent([stating, sync()]), RUN)["flags"]


def test_a_stated_commit_goes_before_the_instance() -> None:
    stated = sync(1, "08:00", cli_instance_id=OTHER_INSTANCE)
    own = sync(2, "09:00", sha=OTHER_SHA, cli_instance_id=INSTANCE)

    found = found_sync(run(commit_sha=SHA, cli_instance_id=INSTANCE), stated, own)

    assert found == (1, "exact", True)


def test_an_unsynced_commit_leaves_even_the_own_instance_only_likely() -> None:
    own = sync(1, sha=OTHER_SHA, cli_instance_id=INSTANCE)

    assert found_sync(run(commit_sha=SHA, cli_instance_id=INSTANCE), own) == (1, "likely", False)


def test_a_stated_commit_without_any_sync_is_flagged() -> None:
    entry = entry_of(sent([run(commit_sha=SHA)]), RUN)

    assert entry["configured_by"] is None
    assert "stated_commit_not_synced" in entry["flags"]


def test_a_late_sync_of_the_stated_commit_takes_the_flag_away() -> None:
    core = sent([run(commit_sha=SHA), sync(1, "09:30", sha=OTHER_SHA)])
    assert "stated_commit_not_synced" in entry_of(core, RUN)["flags"]

    core.send([sync(2, "08:00")])

    entry = entry_of(core, RUN)
    assert "stated_commit_not_synced" not in entry["flags"]
    assert entry["configured_by"]["commit"] == SHA


def test_a_session_is_configured_by_the_same_rules() -> None:
    core = sent([session(cli_instance_id=INSTANCE), sync(cli_instance_id=INSTANCE)])

    configured_by = entry_of(core, SESSION)["configured_by"]
    assert (configured_by["sync_id"], configured_by["confidence"]) == (id_of(1), "exact")
    assert (configured_by["commit"], configured_by["branch"]) == (SHA, "main")


def test_a_late_sync_in_between_makes_earlier_entries_look_again() -> None:
    core = sent([run(), sync(1, "08:00")])

    core.send([sync(2, "09:00", sha=OTHER_SHA)])

    assert entry_of(core, RUN)["configured_by"]["sync_id"] == id_of(2)
