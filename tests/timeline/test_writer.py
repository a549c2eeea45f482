import uuid
from dataclasses import replace
from typing import Any

import pytest

from runtime.errors import TimelineUnavailableError
from schemas.entry import TIMELINE_CODEC, ObservationRow, TimelineBatch
from schemas.kinds import Kind
from schemas.records import COMMON_FIELDS, RECORD_KINDS
from tests.timeline.trail import (
    Trail,
    id_of,
    link_row,
    run,
    run_entry,
    session_entry,
    snapshot_row,
    sync_entry,
)
from timeline import ddl
from timeline.column import Table
from timeline.connection import Connection
from timeline.statement import Statement
from timeline.store import Store
from timeline.writer import EntryWriter, entry_columns, observation_columns, snapshot_columns

OBSERVATION: ObservationRow = {
    "cli_instance_id": "cli-8f3891b2",
    "observed_at": 5,
    "is_sighting": True,
    "actor": "alice",
}
COUNTED = snapshot_row(run_entry(1), cli_instance_id="cli-8f3891b2", client_seq=2**63 - 1)
DEAD = snapshot_row(run_entry(1), 1, dead_reason="conflicting_snapshot")


def counts(trail: Trail) -> dict[str, int]:
    """Rows by table, repetitions that were not merged yet included."""

    def count(connection: Connection) -> dict[str, int]:
        return {
            table: connection.rows(
                Statement(
                    f"SELECT count() FROM {table} WHERE organization = {{organization:String}}",
                    {"organization": trail.organization},
                )
            )[0][0]
            for table in (
                *("entries", "entry_ids", "cli_observations"),
                *("snapshots", "client_seqs", "dead_letters"),
            )
        }

    return trail.store.read_now(count)


def read(trail: Trail, select: str, order: str) -> list[Any]:
    statement = Statement(
        f"{select} WHERE organization = {{organization:String}} ORDER BY `{order}`",
        {"organization": trail.organization},
    )
    return trail.store.read_now(lambda connection: connection.rows(statement))


def test_columns_are_those_of_the_tables_and_in_step() -> None:
    batch: TimelineBatch = {
        "organization": "acme",
        "workspace": "infra",
        "partition": 0,
        "offset": 1,
        "received_at": 1,
        "is_last": True,
        "entries": [run_entry(1), session_entry(2), sync_entry(3)],
        "observations": [OBSERVATION],
        "actor": "alice",
        "actor_kind": "person",
        "key_id": "key-1",
        "snapshots": [COUNTED, snapshot_row(session_entry(2), 1)],
    }

    entries, observations = entry_columns([batch, batch]), observation_columns([batch, batch])
    snapshots = snapshot_columns([batch, batch])

    assert set(entries) == {column.name for column in ddl.ENTRIES.columns}
    assert {len(column) for column in entries.values()} == {6}
    assert set(observations) == {column.name for column in ddl.OBSERVATIONS.columns}
    assert {len(column) for column in observations.values()} == {2}
    assert set(snapshots) == {column.name for column in ddl.SNAPSHOTS.columns}
    assert {len(column) for column in snapshots.values()} == {4}


@pytest.mark.parametrize("kind", Kind)
def test_every_field_comes_back_as_it_was_written(trail: Trail, kind: Kind) -> None:
    own: dict[str, Any] = {
        own.column: {"string": f"value of {own.column}", "integer": -7, "boolean": False}[own.type]
        for own in RECORD_KINDS[kind].own_fields
    }
    common = {name: f"value of {name}" for name in COMMON_FIELDS}
    configured_by = {
        "sync_id": id_of(9),
        "commit": "a42b9e1",
        "branch": "main",
        "confidence": "exact",
        "behind": True,
        "explanation": "last successful sync",
    }
    links = [link_row("after", 8, gap_ms=95), link_row()]
    row = run_entry(
        1,
        **own,
        **common,
        configured_by=configured_by,
        links=links,
        links_omitted=True,
        unexplained=True,
        flags=["late"],
        revision=2**63,
        kind=kind.value,
    )

    trail.put(row, run_entry(2, "10:01", None))
    bare, read = trail.page().rows

    for name in (*own, *common, "occurred_at", "ended_at", "duration_ms", "revision", "flags"):
        assert read[name] == row[name], name
    assert {name: read[f"configured_by_{name}"] for name in configured_by} == configured_by
    assert [read[f"link_{name}"] for name in links[0]] == [
        [links[0][name], links[1][name]] for name in links[0]
    ]
    assert (read["unexplained"], read["links_omitted"], read["is_open"]) == (True, True, False)
    assert (bare["ended_at"], bare["duration_ms"], bare["is_open"]) == (None, None, True)
    assert (bare["exit_code"], bare["encryption_enabled"], bare["unexplained"]) == (None,) * 3
    assert (bare["ticket"], bare["configured_by_sync_id"], bare["link_rule"]) == ("", "", [])


def test_rows_decoded_from_the_log_read_like_those_handed_on_in_process(trail: Trail) -> None:
    links = [link_row("before", gap_ms=1)]
    configured_by = {"sync_id": id_of(9), "commit": "a42b9e1", "branch": "", "confidence": "exact"}
    configured_by |= {"behind": False, "explanation": "why"}  # type: ignore[dict-item]
    rows = [run_entry(1, links=links, configured_by=configured_by), session_entry(2, end=None)]
    other = Trail(trail.store)
    decoded: Any = TIMELINE_CODEC.decode(TIMELINE_CODEC.encode(other.batch(*rows)))

    trail.put(*rows)
    other.insert(decoded)

    ours, theirs = trail.page().rows, other.page().rows
    assert [{**row, "organization": ""} for row in ours] == [
        {**row, "organization": ""} for row in theirs
    ]


def test_the_same_token_again_adds_no_row(trail: Trail) -> None:
    batch = trail.batch(run_entry(1), session_entry(2), observations=[OBSERVATION])
    token, other_token = uuid.uuid4().hex, uuid.uuid4().hex

    for _ in range(3):
        assert trail.insert(batch, token=token) == (2, 1, 0)
        assert trail.receive(COUNTED, DEAD, token=other_token) == (0, 0, 2)

    assert counts(trail) == {
        "entries": 2,
        "entry_ids": 2,
        "cli_observations": 1,
        "snapshots": 2,
        "client_seqs": 1,
        "dead_letters": 1,
    }


def test_a_token_stands_for_the_rows_it_came_with_first(trail: Trail) -> None:
    """Why it has to name exactly what it comes with: other rows under it are dropped unsaid."""
    token = uuid.uuid4().hex
    trail.put(run_entry(1), token=token)
    trail.put(run_entry(2), token=token)

    assert trail.found() == [1]


def test_the_same_rows_under_another_token_read_the_same(trail: Trail) -> None:
    batch = trail.batch(run_entry(1), session_entry(2), observations=[OBSERVATION])
    trail.insert(batch)
    before = trail.page()

    trail.insert(batch)

    assert trail.page() == before


def test_one_insert_may_span_hundreds_of_months_and_be_repeated(trail: Trail) -> None:
    # Each month is a partition; ClickHouse by itself takes 100 in one insert.
    months = [f"{year}-{year % 12 + 1:02}-01T00:00:00Z" for year in range(1970, 2200)]
    rows = [run_entry(n, start, start) for n, start in enumerate(months)]
    token = uuid.uuid4().hex

    trail.put(*rows, token=token)
    trail.put(*rows, token=token)

    assert counts(trail)["entries"] == len(months) == 230
    assert len(trail.page(("limit", "1000")).rows) == len(months)


def test_insert_of_nothing_is_fine(trail: Trail) -> None:
    assert trail.insert(trail.batch()) == (0, 0, 0)


def test_a_batch_without_snapshots_goes_with_one_that_holds_some(trail: Trail) -> None:
    """As a sink sees them while the correlation is upgraded."""
    older, newer = trail.batch(run_entry(1)), trail.envelope(COUNTED)

    assert trail.insert(older, newer) == (1, 0, 1)


def test_a_snapshot_comes_back_as_it_was_written_and_is_counted_under_its_instance(
    trail: Trail,
) -> None:
    trail.receive(COUNTED, DEAD, offset=2**40, partition=7, received_at="11:00:00.000001")

    used, dead = read(trail, "SELECT * FROM snapshots FINAL", "index")
    columns = [column.name for column in ddl.SNAPSHOTS.columns]
    row = dict(zip(columns, used, strict=True))
    assert {name: row[name] for name in COUNTED if name != "occurred_at"} == {
        name: value for name, value in COUNTED.items() if name != "occurred_at"
    }
    assert (row["organization"], row["workspace"]) == (trail.organization, "acme")
    assert (row["partition"], row["offset"]) == (7, 2**40)
    assert row["received_at"].isoformat() == "2026-03-24T11:00:00.000001"
    assert row["occurred_at"].isoformat() == "2026-03-24T10:00:00"
    assert (row["actor"], row["actor_kind"], row["key_id"]) == ("alice", "person", "key of alice")
    assert row["dead_reason"] == ""
    bare = dict(zip(columns, dead, strict=True))
    assert (bare["cli_instance_id"], bare["client_seq"]) == ("", None)
    assert read(trail, "SELECT * FROM dead_letters FINAL", "index") == [dead]
    (seq,) = read(trail, "SELECT * FROM client_seqs", "client_seq")
    assert list(seq[1:3]) == ["cli-8f3891b2", 2**63 - 1]


def test_the_same_snapshots_under_another_token_read_the_same(trail: Trail) -> None:
    for _ in range(2):
        trail.receive(COUNTED, DEAD)

    assert len(read(trail, "SELECT * FROM snapshots FINAL", "index")) == 2
    assert len(read(trail, "SELECT * FROM dead_letters FINAL", "index")) == 1


def test_the_watermark_moves_after_the_snapshots(
    trail: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    partition = 500_000 + uuid.uuid4().int % 2**30
    missing = replace(ddl.SNAPSHOTS, name="snapshots_that_are_not_there")
    monkeypatch.setattr("timeline.writer.ddl.SNAPSHOTS", missing)

    with pytest.raises(TimelineUnavailableError):
        trail.insert({**trail.envelope(COUNTED, partition=partition), "is_last": True})

    assert partition not in run(EntryWriter(trail.store).read_watermarks())


def test_watermark_moves_with_the_last_part_of_an_envelope_only(store: Store) -> None:
    writer, partition = EntryWriter(store), 500_000 + uuid.uuid4().int % 2**30

    def step(offset: int, received_at: int, *, is_last: bool) -> Any:
        batch = {**Trail(store).batch(), "partition": partition, "offset": offset}
        return {**batch, "received_at": received_at, "is_last": is_last}

    run(writer.insert([step(4, 100, is_last=True), step(5, 200, is_last=False)], token="t1"))
    assert run(writer.read_watermarks())[partition] == (4, 100)
    run(writer.insert([step(5, 200, is_last=True)], token="t2"))
    assert run(writer.read_watermarks())[partition] == (5, 200)


def test_watermark_never_moves_back(store: Store) -> None:
    writer, partition = EntryWriter(store), 500_000 + uuid.uuid4().int % 2**30

    run(writer.advance_watermark({partition: (-1, 0)}))
    assert run(writer.read_watermarks())[partition] == (-1, None)
    run(writer.advance_watermark({partition: (7, 900)}))
    run(writer.advance_watermark({partition: (3, 1_000)}))
    run(writer.advance_watermark({partition: (9, 500)}))
    run(writer.advance_watermark({}))
    assert run(writer.read_watermarks())[partition] == (9, 1_000)


def test_failure_names_the_table_and_keeps_its_cause(
    trail: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "timeline.writer.ddl.ENTRIES",
        Table(
            name="entries_that_are_not_there",
            comment="",
            columns=ddl.ENTRIES.columns,
            engine="",
            order_by="",
        ),
    )

    with pytest.raises(TimelineUnavailableError, match="opstrail init") as caught:
        trail.put(run_entry(1))
    assert caught.value.__cause__ is not None
