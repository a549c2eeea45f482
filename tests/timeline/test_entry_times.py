import uuid
from collections.abc import Sequence
from typing import Any

import pytest

from tests.timeline.trail import (
    Trail,
    id_of,
    link_row,
    run,
    run_entry,
    session_entry,
    sync_entry,
)
from timeline import ddl, migrations
from timeline.entry_document import DOCUMENTED, TAGS, entry_of
from timeline.entry_query import read_entries
from timeline.entry_row import EntryColumns, entry_row, selected
from timeline.entry_times import (
    ENTRY_TIMES,
    ENTRY_TIMES_VIEW,
    ENTRY_TIMES_VIEW_AGAIN,
    is_view_current,
    searched_table,
)
from timeline.filters import parse_filters
from timeline.migrations import MIGRATIONS, migrate
from timeline.scope import Scope
from timeline.sql_views import BASE_TABLES, VIEWS
from timeline.statement import Statement
from timeline.store import Store

# Whatever a sender may say: what JSON escapes, what other formats take for an end, any script.
TEXTS = (
    "\"quoted\" 'single' `back`",
    "back\\slash \\n \\u0041 a/b </script>",
    "".join(map(chr, range(1, 32))) + "\x7f\x00",
    "\u2028\u2029\u0085\ufeff\ufffd",
    "Zoë 名前 🦆 \U0010ffff",
    "{} [] , : null true 1e9 NaN",
    "\t\r\n",
)


def test_an_entry_reads_the_same_from_its_document_as_from_its_columns(trail: Trail) -> None:
    links = [link_row(explanation=text, gap_ms=2**63 - 1) for text in TEXTS]
    trail.put(
        *(
            build(number, "10:00", reason=text, hostname=text, actor=text, links=links[:number])
            for number, text in enumerate(TEXTS)
            for build in (run_entry, session_entry, sync_entry)
        ),
        run_entry(20, "11:00", None, exit_code=2**63 - 1, block_version=TEXTS[0]),
        run_entry(21, "11:00", exit_code=-(2**63), duration_ms=None, links_omitted=True),
        session_entry(22, unexplained=True, flags=["late", "orphan"]),
        session_entry(23, unexplained=False, revision=2**64 - 1),
        sync_entry(24, encryption_enabled=False, configured_by=None),
        sync_entry(25, encryption_enabled=True),
        run_entry(26, "1970-01-01T00:00:00Z", "2199-12-31T23:59:59Z"),
        session_entry(
            27,
            configured_by={
                "sync_id": id_of(25),
                "commit": "a42b9e1",
                "branch": TEXTS[3],
                "confidence": "likely",
                "behind": True,
                "explanation": TEXTS[1],
            },
        ),
    )

    by_document, by_columns = both(trail)
    assert len(by_columns) == 3 * len(TEXTS) + 8
    assert by_document == by_columns


@pytest.mark.parametrize("setting", [0, 1])
def test_settings_of_whoever_inserts_do_not_matter(trail: Trail, setting: int) -> None:
    trail.put(run_entry(1, exit_code=2**63 - 1, reason="a/b"))
    columns = ", ".join(f"`{column.name}`" for column in ddl.ENTRIES.columns)
    copied = columns.replace("`revision`", "`revision` + 1")
    names = ("quote_64bit_integers", "escape_forward_slashes")
    settings = ", ".join(f"output_format_json_{name} = {setting}" for name in names)
    command(
        trail.store,
        f"INSERT INTO entries ({columns}) SELECT {copied} FROM entries"
        f" WHERE organization = '{trail.organization}' SETTINGS {settings}",
    )

    # The engine may have brought the two revisions together by now, in one table or in both.
    by_document, by_columns = map(newest, both(trail))
    assert by_document == by_columns
    assert (trail.page().rows[0]["exit_code"], trail.page().rows[0]["revision"]) == (2**63 - 1, 2)


@pytest.mark.parametrize("document", ["", '["00000000", "another", "layout"]', f'["{TAGS[0]}"]'])
def test_what_has_no_document_of_ours_is_read_by_its_columns(trail: Trail, document: str) -> None:
    trail.put(*(run_entry(n, f"10:{n:02}", reason=f"reason {n}") for n in range(6)))
    trail.put(run_entry(2, "10:02", reason="later", revision=2))
    # What is of one workspace alone is read by its columns anyway.
    trail.put(run_entry(9, "09:00", reason="elsewhere"), workspace="other")
    before = trail.page().rows

    command(
        trail.store,
        f"ALTER TABLE entry_times UPDATE document = '{document}'"
        f" WHERE organization = '{trail.organization}' AND id IN ('{id_of(1)}', '{id_of(2)}')"
        " SETTINGS mutations_sync = 2",
    )

    assert documents(trail).count(document) >= 2  # the revisions may be merged by now
    assert trail.page().rows == before
    assert [row["reason"] for row in before] == [
        *("reason 5", "reason 4", "reason 3", "later", "reason 1", "reason 0", "elsewhere")
    ]
    assert trail.found(("ticket", "none")) == []
    (entry,) = run(read_entries(trail.store, Scope(trail.organization), "action_run", id_of(2)))
    assert entry["reason"] == "later"


def test_a_repeated_insert_adds_no_row(trail: Trail) -> None:
    batch = trail.batch(run_entry(1), session_entry(2))
    token = uuid.uuid4().hex
    for _ in range(3):
        trail.insert(batch, token=token)

    assert len(documents(trail)) == 2


def test_rows_that_stand_twice_are_one_entry(trail: Trail) -> None:
    for _ in range(3):
        trail.put(run_entry(1), session_entry(2))

    assert trail.found() == [2, 1]


QUESTIONS: list[list[tuple[str, str]]] = [
    [],
    [("order", "asc")],
    [("limit", "2")],
    [("status", "failed")],
    [("status", "lost")],
    [("kind", "ssh_session")],
    [("block", "web")],
    [("action", "deploy"), ("exit_code", "1")],
    [("unexplained", "true")],
    [("active_at", "2026-03-24T10:02:00Z")],
    [("environment", "production")],
]


@pytest.mark.parametrize("pairs", QUESTIONS)
def test_a_page_is_the_same_whichever_table_is_searched(
    trail: Trail, pairs: list[tuple[str, str]]
) -> None:
    trail.put(
        run_entry(1, exit_code=1, status="failed"),
        run_entry(2, "10:01", None),
        run_entry(3, "10:01", "10:03", block="db"),
        session_entry(4, "10:01", "10:02", unexplained=True),
        session_entry(5, "09:00", "11:00", unexplained=False),
        sync_entry(6, "10:02"),
    )
    trail.put(run_entry(1, status="successful", exit_code=0, revision=2))
    everywhere = Scope(trail.organization)
    # Sees as much, but is searched by workspace.
    named = Scope(trail.organization, ["*"])
    assert searched_table(everywhere, parse_filters(pairs)) == ENTRY_TIMES.name
    assert searched_table(named, parse_filters(pairs)) == ddl.ENTRIES.name

    assert trail.page(*pairs, scope=everywhere) == trail.page(*pairs, scope=named)


def test_other_organizations_and_workspaces_do_not_exist_by_time_either(trail: Trail) -> None:
    trail.put(run_entry(1))
    Trail(trail.store).put(run_entry(2))
    trail.put(run_entry(3), workspace="other")

    assert trail.found() == [3, 1]
    page = trail.page(scope=Scope(trail.organization, ["acm*"]))
    assert [row["id"] for row in page.rows] == [id_of(1)]


def test_the_table_is_nothing_that_sql_can_name() -> None:
    assert ENTRY_TIMES.name not in BASE_TABLES
    assert not any(ENTRY_TIMES.name in view.source for view in VIEWS)
    assert not any(column.name == "document" for view in VIEWS for column in view.columns)


def test_a_store_of_before_gets_the_copy_of_what_it_holds(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = neighbour(store)
    try:
        with monkeypatch.context() as patched:
            patched.setattr(migrations, "MIGRATIONS", MIGRATIONS[:2])
            patched.setattr(migrations, "complete_view", lambda _: None)
            assert migrate(older) == [1, 2]
        trail = Trail(older)
        trail.put(*(run_entry(n, f"2026-0{1 + n % 3}-01T10:{n:02}:00Z", None) for n in range(20)))
        trail.put(run_entry(2, "2026-03-01T10:02:00Z", "2026-03-01T10:03:00Z", revision=2))
        monkeypatch.setattr("timeline.entry_times._FILL_ROWS", 3)

        assert migrate(older) == [each.number for each in MIGRATIONS[2:]]

        by_document, by_columns = map(newest, both(trail))
        assert by_document == by_columns
        assert len(trail.page().rows) == 20
        assert [row["is_open"] for row in trail.page(("to", "2026-01-01T11:00:00Z")).rows] == [
            True
        ] * 7
        # Cut off before its record was written: all of it once more.
        command(older, "TRUNCATE TABLE migrations")
        assert migrate(older) == [each.number for each in MIGRATIONS]
        assert len(trail.page().rows) == 20
        trail.put(session_entry(30, "2026-03-02T10:00:00Z", "2026-03-02T10:10:00Z"))
        assert trail.found(("limit", "1")) == [30]
    finally:
        command(older, f"DROP DATABASE `{older.database}`")
        older.close()


def test_a_view_that_makes_other_documents_is_made_anew(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = neighbour(store)
    try:
        with monkeypatch.context() as patched:
            # As a version would that does not know sessions yet.
            view = ENTRY_TIMES_VIEW.replace("kind = 'ssh_session'", "kind = 'none'")
            steps = [view if "VIEW" in str(step) else step for step in MIGRATIONS[2].steps]
            changed = (*MIGRATIONS[:2], MIGRATIONS[2]._replace(steps=steps), *MIGRATIONS[3:])
            patched.setattr(migrations, "MIGRATIONS", changed)
            patched.setattr(migrations, "complete_view", lambda _: None)
            migrate(older)
        trail = Trail(older)
        trail.put(session_entry(1))
        trail.put(run_entry(2), workspace="other")
        assert "" in documents(trail)
        assert trail.found() == [1, 2]

        command(older, _as_other_tag(TAGS[1]))
        assert not older.read_now(is_view_current)
        assert migrate(older) == []
        assert older.read_now(is_view_current)

        trail.put(session_entry(3))
        assert documents(trail).count("") == 1
        assert trail.found() == [3, 1, 2]
    finally:
        command(older, f"DROP DATABASE `{older.database}`")
        older.close()


def _as_other_tag(tag: str) -> str:
    return ENTRY_TIMES_VIEW_AGAIN.replace(tag, "00000000")


def neighbour(store: Store) -> Store:
    """An empty database of the same engine."""
    name = f"other_{uuid.uuid4().hex}"
    other = Store(store._connect, database=name, memory_bytes_max=2**31, name=store.name)
    other.is_embedded = store.is_embedded
    return other


def both(trail: Trail) -> tuple[list[EntryColumns], list[EntryColumns]]:
    """Every revision, by document and by columns."""
    order = " ORDER BY occurred_at, toString(kind), id, workspace, revision"
    documented = select(trail, f"SELECT DISTINCT {DOCUMENTED} FROM {ENTRY_TIMES.name}", order)
    rows = select(trail, f"SELECT {selected(ddl.ENTRIES.columns)} FROM entries", order)
    return (
        [entry_of(trail.organization, row) for row in documented],
        [entry_row(ddl.ENTRIES.columns, row) for row in rows],
    )


def newest(rows: list[EntryColumns]) -> dict[str, EntryColumns]:
    """By id, of rows in the order of their revisions."""
    return {row["id"]: row for row in rows}


def documents(trail: Trail) -> list[str]:
    return [row[0] for row in select(trail, f"SELECT document FROM {ENTRY_TIMES.name}", "")]


def select(trail: Trail, start: str, end: str) -> Sequence[Any]:
    statement = Statement(
        f"{start} WHERE organization = {{organization:String}}{end}",
        {"organization": trail.organization},
    )
    return trail.store.read_now(lambda connection: connection.rows(statement))


def command(store: Store, sql: str) -> None:
    store.write_now(lambda connection: connection.command(sql))
