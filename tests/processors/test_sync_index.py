"""The usable syncs of a workspace, found by "the latest at or before"."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.record import Record
from processors.snapshot import snapshot_of
from processors.sync_index import SyncIndex, after_sha, is_same_commit, is_usable
from schemas.envelope import Event, Sender
from tests.processors.builders import INSTANCE, OTHER_INSTANCE, SHA, id_of, record, sync

SENDER = Sender(organization="default", actor="anna", actor_kind="person", key_id="key-1")
# All but the last share the digits that the index groups by.
COMMITS = ["a" * 7, "a" * 40, "a" * 7 + "c" * 33, "b" * 40]
INSTANCES = [None, INSTANCE, OTHER_INSTANCE]


def sync_at(
    number: int, at_us: int, commit: str = SHA, instance_id: str | None = INSTANCE
) -> Record:
    fields = {
        "id": id_of(number),
        "timestamp": at_us,
        "result": "success",
        "git": {"after_sha": commit},
    }
    if instance_id is not None:
        fields["cli_instance_id"] = instance_id
    return Record(snapshot_of(Event("workspace_sync", fields), SENDER, at_us), 1)


def indexed(*syncs: Record) -> SyncIndex:
    index = SyncIndex()
    for each in syncs:
        index.add(each)
    return index


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("a" * 7, "a" * 40, True),
        ("a" * 40, "a" * 7, True),
        ("a" * 40, "a" * 40, True),
        ("a" * 7, "a" * 6 + "b", False),
        ("a" * 7 + "b", "a" * 7 + "c", False),
    ],
)
def test_two_shas_are_one_commit_when_one_begins_the_other(
    one: str, other: str, is_same: bool
) -> None:
    assert is_same_commit(one, other) is is_same


def test_a_sync_is_usable_when_it_succeeded_and_says_its_commit() -> None:
    assert is_usable(record(sync()))
    assert not is_usable(record(sync(result="failed")))
    assert not is_usable(record(sync(result="conflict")))
    assert not is_usable(record(sync(sha=None)))
    assert not is_usable(record(sync(git={"branch": "main"})))


def test_the_commit_of_a_sync_that_states_none_is_empty() -> None:
    assert after_sha(record(sync(sha=None))) == ""


def test_an_empty_index_finds_nothing() -> None:
    index = SyncIndex()

    assert index.latest(10) is None
    assert index.latest_of_instance(INSTANCE, 10) is None
    assert index.latest_of_commit(SHA, 10) is None


@pytest.mark.parametrize(("at_us", "is_found"), [(9, False), (10, True), (11, True)])
def test_a_sync_is_found_from_its_own_time_on(at_us: int, is_found: bool) -> None:
    only = sync_at(1, 10)
    index = indexed(only)
    expected = only if is_found else None

    assert index.latest(at_us) is expected
    assert index.latest_of_instance(INSTANCE, at_us) is expected
    assert index.latest_of_commit(SHA, at_us) is expected


def test_of_two_at_once_the_higher_id_is_the_latest_whatever_came_first() -> None:
    lower, higher = sync_at(1, 10), sync_at(2, 10)

    for index in (indexed(lower, higher), indexed(higher, lower)):
        assert index.latest(10) is higher
        assert index.latest_of_instance(INSTANCE, 10) is higher
        assert index.latest_of_commit(SHA, 10) is higher


def test_another_commit_with_the_same_first_digits_is_passed_over() -> None:
    wanted, newer = sync_at(1, 10, "a" * 40), sync_at(2, 20, "a" * 7 + "c" * 33)

    assert indexed(wanted, newer).latest_of_commit("a" * 12, 30) is wanted


def test_the_next_start_is_of_the_sync_that_follows_by_time_then_id() -> None:
    first, tied, last = sync_at(1, 10), sync_at(2, 10, instance_id=None), sync_at(3, 20)
    index = indexed(last, tied, first)

    assert index.next_start(first) == 10
    assert index.next_start(tied) == 20
    assert index.next_start(last) is None
    assert index.next_start_of_instance(first) == 20
    assert index.next_start_of_instance(last) is None
    assert index.next_start_of_instance(tied) is None


syncs_stated = st.lists(
    st.tuples(
        st.integers(0, 6), st.sampled_from(COMMITS), st.sampled_from(INSTANCES), st.booleans()
    ),
    max_size=20,
)


@settings(max_examples=200, deadline=None)
@given(syncs_stated, st.integers(-1, 7), st.sampled_from(COMMITS), st.sampled_from(INSTANCES[1:]))
def test_every_search_is_a_filter_over_all(
    stated: list[tuple[int, str, str | None, bool]], at_us: int, commit: str, instance_id: str
) -> None:
    index = SyncIndex()
    held: list[Record] = []
    for number, (start_us, sha, instance, is_discarded) in enumerate(stated, start=1):
        each = sync_at(number, start_us, sha, instance)
        index.add(each)
        if is_discarded:
            index.discard(each)
        else:
            held.append(each)

    def latest(candidates: list[Record]) -> Record | None:
        started = [each for each in candidates if each.start <= at_us]
        return max(started, key=lambda each: (each.start, each.id), default=None)

    def of(instance: str | None) -> list[Record]:
        return [each for each in held if each.fields.get("cli_instance_id") == instance]

    def next_start(candidates: list[Record], of_sync: Record) -> int | None:
        later = [
            (x.start, x.id) for x in candidates if (x.start, x.id) > (of_sync.start, of_sync.id)
        ]
        return min(later)[0] if later else None

    same = [each for each in held if is_same_commit(after_sha(each), commit)]
    assert index.latest(at_us) is latest(held)
    assert index.latest_of_instance(instance_id, at_us) is latest(of(instance_id))
    assert index.latest_of_commit(commit, at_us) is latest(same)
    for each in held:
        assert index.next_start(each) == next_start(held, each)
        if (own := each.fields.get("cli_instance_id")) is not None:
            assert index.next_start_of_instance(each) == next_start(of(own), each)
