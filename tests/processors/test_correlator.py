"""The core against the oracle: any order, duplication, cut and crash gives the same timeline."""

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.envelope import Event, decode_envelope
from schemas.event_json import event_of_json
from tests.simulation.core import Core, requests_of
from tests.simulation.histories import disputed_histories, mixed_history, undisputed_histories
from tests.simulation.oracle import Delivery, timeline

many = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))

# Not part of what order and duplication must leave alone (the contract, section 4).
_BY_RECEIPT = ("received_at", "key_id")
_FLAGS_BY_RECEIPT = {"late", "clock_ahead"}


def sent(deliveries: list[Delivery], size: int) -> Core:
    core = Core()
    for request in requests_of(deliveries, size):
        core.send(request)
    return core


def without_receipt(entries: dict) -> dict:  # type: ignore[type-arg]
    return {
        key: {
            **{name: value for name, value in entry.items() if name not in _BY_RECEIPT},
            "flags": [flag for flag in entry["flags"] if flag not in _FLAGS_BY_RECEIPT],
        }
        for key, entry in entries.items()
    }


@many
@given(deliveries=undisputed_histories(), size=st.integers(1, 20))
def test_an_undisputed_timeline_is_what_the_contract_says_and_sent_again_emits_no_entry(
    deliveries: list[Delivery], size: int
) -> None:
    core = sent(deliveries, size)

    assert core.timeline() == timeline(deliveries).entries
    assert core.dead == []

    emissions = core.emissions
    for request in requests_of(deliveries, size):
        core.send(request)

    assert core.emissions == emissions


@many
@given(deliveries=disputed_histories(), size=st.integers(1, 20))
def test_a_disputed_timeline_is_what_the_contract_says_and_snapshots_say_what_was_used(
    deliveries: list[Delivery], size: int
) -> None:
    core = sent(deliveries, size)
    judged = timeline(deliveries)

    assert core.timeline() == judged.entries
    assert [reason for reason, _ in core.dead] == [reason for _, reason in judged.dead]
    rows = [core.snapshots[place] for place in sorted(core.snapshots)]
    dead = [(row["dead_reason"], row["index"]) for row in rows if row["dead_reason"]]
    assert dead == core.dead


@many
@given(
    deliveries=undisputed_histories(),
    order=st.randoms(use_true_random=False),
    size=st.integers(1, 20),
)
def test_order_duplication_and_cuts_do_not_change_the_timeline(
    deliveries: list[Delivery], order: Random, size: int
) -> None:
    again = order.choices(deliveries, k=len(deliveries) // 2) if deliveries else []
    shuffled = order.sample([*deliveries, *again], len(deliveries) + len(again))

    assert without_receipt(sent(shuffled, size).timeline()) == without_receipt(
        sent(deliveries, 20).timeline()
    )


def logged(core: Core) -> dict[tuple[int, int], tuple[Event, str | None]]:
    """Every event on the log with its workspace, by its place."""
    return {
        (offset, index): (event, envelope.workspace)
        for offset, envelope in enumerate(map(decode_envelope, core.messages))
        for index, event in enumerate(envelope.events)
    }


@many
@given(
    deliveries=disputed_histories(),
    random=st.randoms(use_true_random=False),
    size=st.integers(1, 5),
)
def test_crashes_and_replays_change_neither_the_timeline_nor_the_snapshots_kept_of_the_log(
    deliveries: list[Delivery], random: Random, size: int
) -> None:
    core = Core()
    for request in requests_of(deliveries, size):
        core.send(request)
        if random.random() < 0.4:
            core.crash()
        if core.messages and random.random() < 0.4:
            # What was not committed is read again, in order, up to the last message.
            for offset in range(random.randrange(len(core.messages)), len(core.messages)):
                core.handle(offset)  # which asserts that a row never says something else

    assert core.timeline() == timeline(deliveries).entries
    # So the log can be written anew from the snapshots that were emitted.
    kept = {place: event_of_json(row["event"]) for place, row in core.snapshots.items()}
    assert kept == logged(core)


@many
@given(deliveries=disputed_histories(), random=st.randoms(use_true_random=False))
def test_a_lost_table_row_or_a_lost_emission_is_made_good_by_the_replay(
    deliveries: list[Delivery], random: Random
) -> None:
    core = sent(deliveries, 3)
    if not core.messages:
        return
    # The process died after `kept` messages were in the table; nothing from `committed` on got out.
    committed = random.randrange(len(core.messages))
    kept = random.randrange(committed, len(core.messages) + 1)
    survivor = Core()
    survivor.messages = core.messages
    for offset in range(kept):
        survivor.handle(offset)
        if offset + 1 == committed:
            before = dict(survivor.entries)
    survivor.entries = before if committed else {}
    survivor.crash()
    for offset in range(committed, len(core.messages)):
        survivor.handle(offset)

    assert survivor.timeline() == timeline(deliveries).entries


@many
@given(deliveries=disputed_histories(), size=st.integers(1, 5))
def test_one_revision_of_an_entry_has_one_content(deliveries: list[Delivery], size: int) -> None:
    core = Core()
    seen: dict[tuple[object, int], object] = {}
    for request in requests_of(deliveries, size):
        core.send(request)
        for offset in range(max(0, len(core.messages) - 3), len(core.messages)):
            core.handle(offset)
        for key, row in core.entries.items():
            assert seen.setdefault((key, row["revision"]), row) == row


@pytest.mark.parametrize("seed", [1, 2])
def test_a_month_of_mixed_automation_is_what_the_contract_says(seed: int) -> None:
    deliveries = mixed_history(seed, 3_000)

    assert sent(deliveries, 100).timeline() == timeline(deliveries).entries
