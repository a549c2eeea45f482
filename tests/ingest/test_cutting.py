import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ingest.cutting import SizedEvent, cut
from schemas.envelope import Envelope, Event, Sender
from schemas.limits import ENVELOPE_BYTES_MAX

SENDER = Sender(organization="acme", actor="alice", actor_kind="person", key_id="key-1")


def a_run(name: str, workspace: str = "one", size_bytes: int = 400) -> SizedEvent:
    return SizedEvent(Event("action_run", {"id": name}), workspace, size_bytes)


def an_instance(name: str, workspace: str | None = None) -> SizedEvent:
    return SizedEvent(Event("cli_instance", {"id": name}), workspace, 200)


def ids(envelopes: list[Envelope]) -> list[tuple[str | None, list[Any]]]:
    return [
        (envelope.workspace, [event.fields["id"] for event in envelope.events])
        for envelope in envelopes
    ]


def cut_up(*events: SizedEvent) -> list[Envelope]:
    return cut(events, sender=SENDER, received_at=7)


def test_nothing_makes_no_envelope() -> None:
    assert cut_up() == []


def test_each_workspace_gets_one_envelope_in_the_order_of_its_first_event() -> None:
    envelopes = cut_up(a_run("a", "two"), a_run("b", "one"), a_run("c", "two"))

    assert ids(envelopes) == [("two", ["a", "c"]), ("one", ["b"])]
    assert {envelope.sender for envelope in envelopes} == {SENDER}
    assert {envelope.received_at for envelope in envelopes} == {7}


def test_each_cli_instance_gets_its_own_whatever_workspace_it_states() -> None:
    envelopes = cut_up(
        an_instance("cli-11111111"), an_instance("cli-22222222"), an_instance("cli-11111111", "one")
    )

    assert ids(envelopes) == [
        (None, ["cli-11111111", "cli-11111111"]),
        (None, ["cli-22222222"]),
    ]


def test_a_workspace_that_is_named_like_an_instance_is_another_one() -> None:
    envelopes = cut_up(a_run("a", "cli-11111111"), an_instance("cli-11111111"))

    assert [envelope.key for envelope in envelopes] == ["acme/cli-11111111"] * 2
    assert ids(envelopes) == [("cli-11111111", ["a"]), (None, ["cli-11111111"])]


def test_an_envelope_is_filled_to_the_limit_and_not_above() -> None:
    half = ENVELOPE_BYTES_MAX // 2

    exactly = cut_up(a_run("a", size_bytes=half), a_run("b", size_bytes=half))
    above = cut_up(a_run("a", size_bytes=half), a_run("b", size_bytes=half + 1))

    assert ids(exactly) == [("one", ["a", "b"])]
    assert ids(above) == [("one", ["a"]), ("one", ["b"])]


@given(
    events=st.lists(
        st.tuples(st.sampled_from(["one", "two"]), st.integers(1, ENVELOPE_BYTES_MAX)), max_size=30
    )
)
def test_every_workspace_keeps_its_order_and_no_envelope_is_too_large(
    events: list[tuple[str, int]],
) -> None:
    sizes = {str(number): size for number, (_, size) in enumerate(events)}
    envelopes = cut_up(
        *(a_run(str(number), name, size) for number, (name, size) in enumerate(events))
    )

    for workspace in ("one", "two"):
        sent = [str(number) for number, (name, _) in enumerate(events) if name == workspace]
        kept = [names for name, names in ids(envelopes) if name == workspace]
        assert list(itertools.chain.from_iterable(kept)) == sent
    assert all(
        sum(sizes[name] for name in names) <= ENVELOPE_BYTES_MAX for _, names in ids(envelopes)
    )
