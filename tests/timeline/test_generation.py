"""Which generation is read and which are filled, and that no answer is of two of them."""

import asyncio
from typing import Any

import pytest

from schemas.topics import REVISION_BITS
from tests.timeline.test_access_query import access
from tests.timeline.trail import Trail, id_of, run, run_entry, snapshot_row
from timeline import writer as writer_module
from timeline.access_query import AccessFilters, read_access_log
from timeline.access_writer import AccessWriter
from timeline.connection import Connection
from timeline.generation import (
    FRESH_S,
    Generations,
    LivingGeneration,
    Stage,
    generation_database,
    one_generation,
    present_one,
    say_stage,
)
from timeline.generation_change import GenerationChange
from timeline.migrations import migrate, migrate_generation
from timeline.statement import Statement
from timeline.store import Store
from timeline.watermark_query import read_watermarks
from timeline.writer import EntryWriter, InsertCounts, insert_into, revision_in

IDS = Statement("SELECT id, max(revision) FROM entries GROUP BY id ORDER BY id")


def say(store: Store, generation: int, stage: Stage) -> None:
    store.write_now(
        lambda connection: say_stage(connection, generation, stage), database=store.database
    )


def known(store: Store) -> Generations:
    return run(store.generations())


def forget(store: Store) -> None:
    """As after a second: what lives is asked for again."""
    store._living._known_until_s = float("-inf")


def begun(store: Store, generation: int = 1) -> int:
    """With its tables, and filled by the sinks."""
    migrate_generation(store, generation)
    say(store, generation, Stage.FILLING)
    return generation


def ids_in(store: Store, generation: int) -> list[int]:
    database = generation_database(store.database, generation)
    rows = store.read_now(lambda connection: connection.rows(IDS), database=database)
    return [int(row[0][-12:], 16) for row in rows]


def test_the_first_generation_lives_before_any_other_was_begun(alone: Store) -> None:
    assert known(alone) == Generations(living=0, filling=(), dropped=frozenset(), newest=0)
    assert known(alone).present == [0]


def test_a_store_of_an_earlier_version_has_its_first_generation(alone: Store) -> None:
    alone.write_now(lambda connection: connection.command("DROP TABLE generations"))
    forget(alone)

    assert known(alone) == Generations()
    assert Trail(alone).found() == []


def test_a_generation_is_filled_then_lives_and_the_highest_living_counts(alone: Store) -> None:
    begun(alone, 1)
    assert known(alone) == Generations(0, (1,), frozenset(), 1)
    say(alone, 1, Stage.LIVING)
    begun(alone, 2)
    assert known(alone) == Generations(1, (2,), frozenset(), 2)
    say(alone, 2, Stage.DROPPED)
    assert known(alone) == Generations(1, (), frozenset({2}), 2)
    begun(alone, 3)
    say(alone, 3, Stage.LIVING)
    # Said late, or twice: never back.
    say(alone, 1, Stage.LIVING)
    assert known(alone) == Generations(3, (), frozenset({2}), 3)
    assert known(alone).present == [0, 1, 3]


def test_each_generation_has_a_database_of_its_own_and_the_first_that_of_the_settings() -> None:
    assert [generation_database("opstrail", each) for each in (0, 1, 12)] == [
        "opstrail",
        "opstrail_g1",
        "opstrail_g12",
    ]


def test_revisions_of_a_generation_are_above_all_of_those_before() -> None:
    assert revision_in(7, 1) == (1 << REVISION_BITS) + 7
    # Once stamped, stamped anew: what counts is the place on the log.
    assert revision_in(revision_in(7, 1), 2) == (2 << REVISION_BITS) + 7
    assert revision_in(2**REVISION_BITS - 1, 1) < revision_in(0, 2)


def test_an_answer_is_of_the_generation_that_it_began_with(alone: Store) -> None:
    trail = Trail(alone)
    trail.put(run_entry(1))
    begun(alone)
    run(insert_into(alone, 1, [trail.batch(run_entry(1), run_entry(2))], token="r"))

    async def answer() -> tuple[list[str], list[str], list[str]]:
        with one_generation():
            first = await rows(alone)
            await asyncio.to_thread(say, alone, 1, Stage.LIVING)
            forget(alone)
            # Tasks begun by the answer are of it, too.
            second = await asyncio.create_task(rows(alone))
            with one_generation():
                anew = await rows(alone)
            assert await rows(alone) == first
        return first, second, anew

    async def rows(store: Store) -> list[str]:
        return [row[0] for row in await store.rows(IDS)]

    first, second, anew = run(answer())

    assert first == second == [id_of(1)]
    assert anew == [id_of(1), id_of(2)]
    assert sorted(trail.found()) == [1, 2]


def test_a_switch_is_seen_within_a_second_without_a_statement_an_answer() -> None:
    asked: list[int] = []
    now_s = 100.0
    living = LivingGeneration("opstrail", monotonic_s=lambda: now_s)

    class Fake:
        def rows(self, statement: Statement) -> list[Any]:
            asked.append(1)
            return [(1, "living")] if now_s > 100.5 else []

    def ask() -> str:
        return living.chosen() or living.ask(lambda: Fake(), present_one())  # type: ignore[arg-type,return-value]

    assert [ask(), ask(), ask()] == ["opstrail"] * 3
    now_s = 100.0 + FRESH_S
    assert ask() == "opstrail"
    assert len(asked) == 1
    now_s = 100.001 + FRESH_S
    assert [ask(), ask()] == ["opstrail_g1"] * 2
    assert len(asked) == 2


def test_what_the_sink_inserts_is_also_in_the_generation_that_is_filled(alone: Store) -> None:
    trail, entries = Trail(alone), EntryWriter(alone)
    begun(alone)

    run(entries.insert([_last(trail.batch(run_entry(1)), 5)], token="t"))

    assert ids_in(alone, 0) == ids_in(alone, 1) == [1]
    revisions = alone.read_now(
        lambda connection: connection.rows(IDS), database=generation_database(alone.database, 1)
    )
    assert revisions == [(id_of(1), revision_in(1, 1))]
    # Only its rebuild knows up to where it is whole.
    assert run(read_watermarks(alone))[0].offset == 5
    assert run(read_watermarks(alone, generation_database(alone.database, 1))) == {}


@pytest.mark.parametrize("stage", [Stage.FILLING, Stage.LIVING])
def test_what_is_inserted_while_a_generation_changes_is_in_both(
    alone: Store, monkeypatch: pytest.MonkeyPatch, stage: Stage
) -> None:
    trail, entries = Trail(alone), EntryWriter(alone)
    run(entries.insert([trail.batch(run_entry(1))], token="t1"))
    migrate_generation(alone, 1)
    if stage == Stage.LIVING:
        say(alone, 1, Stage.FILLING)
        run(entries.insert([trail.batch(run_entry(1))], token="t2"))
    insert = insert_into

    async def insert_and_change(*arguments: Any, **more: Any) -> InsertCounts:
        counts = await insert(*arguments, **more)
        # The sink looked before, and slept over it.
        await asyncio.to_thread(say, alone, 1, stage)
        return counts

    monkeypatch.setattr(writer_module, "insert_into", insert_and_change)
    run(entries.insert([_last(trail.batch(run_entry(2)), 9)], token="t3"))

    if alone.is_embedded:
        return  # where nobody else can change it
    assert 2 in ids_in(alone, 0)
    assert 2 in ids_in(alone, 1)
    if stage == Stage.LIVING:
        assert run(read_watermarks(alone, generation_database(alone.database, 1)))[0].offset == 9


def test_after_a_switch_only_the_living_one_is_written_and_its_watermark_moves(
    alone: Store,
) -> None:
    trail, entries = Trail(alone), EntryWriter(alone)
    run(entries.insert([_last(trail.batch(run_entry(1)), 3)], token="t1"))
    begun(alone)
    say(alone, 1, Stage.LIVING)
    entries = EntryWriter(alone)

    run(entries.insert([_last(trail.batch(run_entry(2)), 4)], token="t2"))
    run(entries.advance_watermark({7: (70, 700)}))

    assert ids_in(alone, 0) == [1]
    assert ids_in(alone, 1) == [2]
    forget(alone)
    assert {key: value.offset for key, value in run(read_watermarks(alone)).items()} == {
        0: 4,
        7: 70,
    }
    assert run(read_watermarks(alone, alone.database))[0].offset == 3


def test_a_new_version_completes_every_generation(alone: Store) -> None:
    begun(alone)
    holder = generation_database(alone.database, 1)
    for database in (alone.database, holder):
        _run(alone, "DROP TABLE entry_ids_view", database)
        _run(alone, "TRUNCATE TABLE migrations", database)

    migrate(alone)

    run(insert_into(alone, 1, [Trail(alone).batch(run_entry(1))], token="n"))
    places = Statement("SELECT count() FROM entry_ids")
    assert alone.read_now(lambda connection: connection.rows(places), database=holder) == [(1,)]


def test_dropping_the_first_generation_leaves_what_does_not_follow_from_the_log(
    alone: Store,
) -> None:
    trail = Trail(alone)
    trail.put(run_entry(1))
    trail.receive(snapshot_row(run_entry(1)))
    AccessWriter(alone).insert_now([access(trail.organization)], token="a")
    begun(alone)
    say(alone, 1, Stage.LIVING)

    run(GenerationChange(alone).drop(0))

    assert ids_in(alone, 0) == []
    assert known(alone) == Generations(1, (), frozenset({0}), 1)
    assert known(alone).present == [0, 1]
    # Its tables stay, and a new version completes them.
    assert migrate(alone) == []
    assert run(read_access_log(alone, trail.organization, AccessFilters())).items != []


def test_dropping_another_generation_drops_its_database(alone: Store) -> None:
    begun(alone)
    run(GenerationChange(alone).drop(1))

    holders = alone.read_now(
        lambda connection: connection.rows(Statement("SELECT name FROM system.databases"))
    )
    assert generation_database(alone.database, 1) not in {row[0] for row in holders}
    # The number is gone with it.
    assert GenerationChange(alone).prepare()[1] == 2


def test_a_sink_goes_on_when_what_it_filled_was_given_up(alone: Store) -> None:
    trail, entries = Trail(alone), EntryWriter(alone)
    begun(alone)
    run(entries.insert([trail.batch(run_entry(1))], token="t1"))
    run(GenerationChange(alone).drop(1))
    if alone.is_embedded:
        entries = EntryWriter(alone)

    async def until_stored() -> None:
        for _ in range(3):
            try:
                await entries.insert([trail.batch(run_entry(2))], token="t2")
                return
            except Exception:
                continue
        raise AssertionError("it never came through")

    run(until_stored())
    assert ids_in(alone, 0) == [1, 2]


def _last(batch: Any, offset: int) -> Any:
    return {**batch, "offset": offset, "is_last": True}


def _run(store: Store, sql: str, database: str) -> None:
    def command(connection: Connection) -> None:
        connection.command(sql)

    store.write_now(command, database=database)
