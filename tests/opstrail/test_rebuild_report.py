"""What a rebuild tells, and what it does not switch for."""

import pytest

from opstrail.rebuild_report import RebuildReport
from timeline.rebuild_check import Difference, GenerationCheck


def report(*, missing: int = 0, **found: int) -> RebuildReport:
    counts = {
        name: found.get(name, 0)
        for name in ("without_entry", "without_snapshot", "double", "only_before", "events_missing")
    }
    check = GenerationCheck(differences=[], **counts)
    return RebuildReport(generation=2, before=1, messages=10, missing=missing, check=check)


def test_a_whole_one_has_neither_faults_nor_losses() -> None:
    assert (report().faults(), report().losses()) == ([], [])


@pytest.mark.parametrize("name", ["missing", "double", "only_before", "events_missing"])
def test_what_somebody_may_accept_is_a_loss(name: str) -> None:
    (line,) = report(**{name: 1_234}).losses()

    assert line.startswith("1,234 ")
    assert report(**{name: 1_234}).faults() == []


@pytest.mark.parametrize("name", ["without_entry", "without_snapshot"])
def test_what_contradicts_itself_is_a_fault(name: str) -> None:
    assert len(report(**{name: 1}).faults()) == 1
    assert report(**{name: 1}).losses() == []


def test_stored_events_that_are_not_those_received_are_a_fault() -> None:
    found = report()
    found.unequal_partitions += [3, 7]

    assert [line.split(":")[0] for line in found.faults()] == ["partition 3", "partition 7"]


def test_the_json_holds_everything_once() -> None:
    difference = Difference("acme", "infra", "action_run", 3, 4, 0, 1)
    found = report(missing=2)
    found.check = GenerationCheck(
        without_entry=0,
        without_snapshot=0,
        double=0,
        only_before=0,
        events_missing=5,
        differences=[difference] * 25,
    )

    told = found.json()

    assert (told["generation"], told["before"], told["missing"]) == (2, 1, 2)
    assert told["check"]["events_missing"] == 5
    assert "differences" not in told["check"]
    assert len(told["differences"]) == 25
    assert told["differences"][0]["only_after"] == 1
    # A person reads some of them.
    lines = list(found.difference_lines())
    assert lines[0] == "acme/infra action_run: 3 before, 4 now (0 gone, 1 new)"
    assert len(lines) == 21
    assert lines[-1].startswith("and 5 more")


def test_one_that_was_stopped_before_it_was_checked_tells_so_much() -> None:
    stopped = RebuildReport(generation=1, before=0, is_stopped=True)

    assert stopped.json()["check"] is None
    assert (stopped.faults(), stopped.losses(), list(stopped.difference_lines())) == ([], [], [])
