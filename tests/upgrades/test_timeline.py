"""The tables and rows of every earlier version of the timeline, brought to the present one."""

import asyncio
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import pytest

from schemas.entry import TimelineBatch
from tests.query.world import ADMIN, ANALYST, World
from tests.timeline.trail import id_of, run_entry, snapshot_row
from tests.upgrades.conftest import NewStore
from tests.upgrades.old_timeline import (
    VERSIONS,
    insert_rows,
    make_old_timeline,
    store_beside,
)
from timeline.connection import Connection
from timeline.migrations import MIGRATIONS, migrate
from timeline.statement import Statement
from timeline.store import Store
from timeline.writer import EntryWriter

RUN, SESSION = "4bb2ab1c-9f05-4f4e-8a0c-0f3d54d1e5aa", "c5f4411d-641a-4b0a-8ee6-291d1c725c20"
OPEN_SESSION = "0d4e2c8f-52f3-4b57-9f4f-5d6b1f0c7e11"
INSTANCE = "cli-8f3891b2"
# Made of the organization's name, among others: UUIDs of version 5.
LINK_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
# What any version can answer.
ASKED: Final = (
    *("timeline", "timeline?order=asc&limit=2", "timeline?workspace=acme-prod", "ssh-sessions"),
    *("ssh-sessions?host=server01", "timeline?ticket=CHG-17", "timeline?status=lost"),
    *(
        "timeline?block_version=0.3.1",
        "timeline?commit=a1b2c3d4",
        "timeline?environment=production",
    ),
    *("timeline?flag=late&actor=admin", "timeline?active_at=2026-03-24T10:35:00Z"),
    *("timeline?from=2026-03-24T10:00:00Z&to=2026-03-24T10:30:00Z", "deployments?latest=true"),
    *(f"records/action_run/{RUN}", "action-runs/summary?group_by=block", "cli-instances"),
    *(f"cli-instances/{INSTANCE}", "cli-instances?version_below=0.18.0"),
    *("workspaces", "workspaces/acme-prod"),
)
# What was received is kept since version 2, and only of what came since; gaps are found in it.
RECEIVED_SINCE: Final = 2
ASKED_OF_RECEIVED: Final = (
    *(f"records/action_run/{RUN}/history", "dead-letters", "gaps", f"cases/ssh_session/{SESSION}"),
    "incidents?at=2026-03-24T12:30:00Z&before=8h",
)
# Tables, and the columns of each.
TABLES: Final = Statement(
    "SELECT table, name, type, default_expression, compression_codec FROM system.columns"
    " WHERE database = currentDatabase() ORDER BY table, name"
)


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> int:
    found: int = request.param
    return found


@dataclass(frozen=True, slots=True)
class Fresh:
    """A store that the present version made itself, with the same rows: what it answers."""

    tables: list[tuple[Any, ...]]
    answers: Mapping[str, str]


@pytest.fixture(scope="module")
def fresh(new_store: NewStore) -> Fresh:
    store = new_store()
    migrate(store)
    with World(store) as world:
        insert_rows(store, world.trail.organization)
        return Fresh(_tables(store), answers(world, (*ASKED, *ASKED_OF_RECEIVED)))


@pytest.fixture
def old(new_store: NewStore, version: int) -> Iterator[World]:
    """A store that `version` left; not migrated yet."""
    store = new_store()
    with World(store) as world:
        make_old_timeline(store, version, world.trail.organization)
        yield world


def pending(version: int) -> list[int]:
    return [migration.number for migration in MIGRATIONS if migration.number > version]


def answers(world: World, asked: Sequence[str]) -> dict[str, str]:
    """By what was asked; without what the world's name is in."""
    found: dict[str, str] = {}
    for path in asked:
        answer = world.get(f"/v1/{path}", ADMIN)
        found[path] = LINK_ID.sub("…", answer.text.replace(world.trail.organization, "…"))
        assert answer.status_code == 200, (path, answer.text)
    return found


def assert_answers(old: World, fresh: Fresh, asked: Sequence[str]) -> None:
    assert answers(old, asked) == {path: fresh.answers[path] for path in asked}


def test_every_version_but_the_newest_has_its_frozen_tables() -> None:
    assert {migration.number for migration in MIGRATIONS[:-1]} <= set(VERSIONS)


def test_what_an_earlier_version_wrote_reads_as_if_the_present_one_had(
    old: World, fresh: Fresh, version: int
) -> None:
    store = old.services.store

    assert migrate(store) == pending(version)
    assert migrate(store) == []

    assert _tables(store) == fresh.tables
    assert_answers(old, fresh, ASKED)
    if version >= RECEIVED_SINCE:
        assert_answers(old, fresh, ASKED_OF_RECEIVED)
    else:
        # Counts that came before are not known, and not taken for lost.
        assert not old.json("/v1/gaps", ADMIN)["items"]
        case = old.json(f"/v1/cases/ssh_session/{SESSION}")
        assert [each["id"] for each in case["before"]] == [RUN]
    entry = old.json(f"/v1/records/action_run/{RUN}")
    assert [(link["rule"], link["target"]["id"]) for link in entry["links"]] == [
        ("before", SESSION)
    ]
    assert old.json(f"/v1/records/ssh_session/{OPEN_SESSION}")["status"] == "lost"
    assert old.json("/v1/workspaces/acme-prod")["environment"] == "production"


def test_what_comes_afterwards_stands_beside_it_and_revises_it(old: World) -> None:
    store = old.services.store
    migrate(store)
    organization = old.trail.organization
    before = len(old.json("/v1/timeline")["items"])
    closed: Any = run_entry(1, "12:00", "12:30", cli_instance_id=INSTANCE, cli_version="0.18.0")
    revised: Any = {**run_entry(2, "10:00", "10:05"), "id": RUN, "revision": 8, "actor": "admin"}
    seen: Any = {"cli_instance_id": INSTANCE, "observed_at": closed["ended_at"]}
    seen |= {"is_sighting": True, "actor": "alice", "cli_version": "0.18.0"}
    batch: TimelineBatch = {
        **old.trail.envelope(snapshot_row(closed), workspace="acme-prod", offset=8),
        "is_last": True,
        "entries": [closed, revised],
        "observations": [seen],
    }

    for _ in range(2):
        asyncio.run(EntryWriter(store).insert([batch], token="new"))

    assert len(old.json("/v1/timeline")["items"]) == before + 1
    assert old.json(f"/v1/records/action_run/{RUN}")["revision"] == 8
    assert old.json(f"/v1/records/action_run/{RUN}")["block"] == "web"
    page = old.json("/v1/timeline?workspace=acme-prod&kind=action_run&order=asc")["items"]
    assert [item["id"] for item in page] == [RUN, id_of(1)]
    assert len(old.json(f"/v1/records/action_run/{id_of(1)}/history")["items"]) == 1
    instance = old.json(f"/v1/cli-instances/{INSTANCE}")
    assert [each["version"] for each in instance["versions"]] == ["0.17.2", "0.18.0"]
    sql = b'{"query": "SELECT count() AS n FROM timeline"}'
    headers = {"Authorization": f"Bearer {ANALYST}", "Content-Type": "application/json"}
    counted = old.send("POST", "/v1/sql", headers, sql)
    assert counted.json()["rows"] == [[before + 1]], (organization, counted.text)


class PowerWentError(BaseException):
    """Nothing catches it, as nothing catches a power cut."""


def test_a_migration_that_ends_after_any_of_its_statements_is_finished_by_the_next(
    new_store: NewStore, fresh: Fresh, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One database, cut off one statement later each time; each start repeats what was done."""
    store = new_store()
    with World(store) as old:
        make_old_timeline(store, version, old.trail.organization)
        for allowed in range(1, 1_000):
            if _migrate_cut_off(store, allowed, monkeypatch):
                break

        assert allowed > len(pending(version))
        assert migrate(store) == []
        assert _tables(store) == fresh.tables
        assert_answers(old, fresh, ASKED[:4])


def test_several_that_migrate_at_once_end_in_the_same(
    old: World, fresh: Fresh, version: int
) -> None:
    """Threads here, each with a connection of its own; processes: tests/timeline."""
    template = old.services.store
    racers = [store_beside(template, template.database) for _ in range(3)]
    barrier = threading.Barrier(len(racers))

    def race(store: Store) -> list[int]:
        barrier.wait(60)
        return migrate(store)

    with ThreadPoolExecutor(len(racers)) as pool:
        ran = list(pool.map(race, racers))
    for racer in racers:
        racer.close()

    assert set().union(*ran) == set(pending(version))
    assert migrate(template) == []
    assert _tables(template) == fresh.tables
    assert_answers(old, fresh, ASKED[:4])


def _migrate_cut_off(store: Store, allowed: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether so many statements were enough."""
    left = allowed

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **named: Any) -> Any:
            nonlocal left
            if left == 0:
                raise PowerWentError
            left -= 1
            return call(*arguments, **named)

        return run

    with monkeypatch.context() as patched:
        for name in ("command", "insert", "rows"):
            patched.setattr(Connection, name, counted(getattr(Connection, name)))
        try:
            migrate(store)
        except PowerWentError:
            return False
    return True


def _tables(store: Store) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in store.read_now(lambda connection: connection.rows(TABLES))]
