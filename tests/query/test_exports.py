"""Lists as files: the same entries as the JSON list has, in the same order, however many."""

import asyncio
import csv
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import query.entry_export
import query.export_pages
import query.watermark_view
from query.app import build_query_app
from query.entry_export import entry_schema
from query.export_format import ExportFormat
from query.item_columns import DEAD_LETTERS, DEPLOYMENTS, GAPS, HISTORY, INSTANCES, WORKSPACES
from runtime.errors import TimelineUnavailableError
from runtime.http import AnswerBrokenOffError
from schemas.entry import ObservationRow
from schemas.kinds import Kind
from schemas.times import parse_us, to_datetime
from tests.query.around import LAPTOP, arrived
from tests.query.problems import problem
from tests.query.test_instances import seen
from tests.query.world import ADMIN, ANALYST, OTHER, READER, World
from tests.timeline.trail import (
    DAY,
    at_us,
    id_of,
    link_row,
    run,
    run_entry,
    session_entry,
    sync_entry,
)
from timeline.store import Store
from timeline.timeline_query import read_page
from timeline.watermark_query import Watermark
from timeline.writer import EntryWriter

LISTS: Mapping[str, Kind | None] = {
    "timeline": None,
    "action-runs": Kind.ACTION_RUN,
    "ssh-sessions": Kind.SSH_SESSION,
    "workspace-syncs": Kind.WORKSPACE_SYNC,
}


def export(world: World, path: str, form: str) -> Any:
    join = "&" if "?" in path else "?"
    response = world.get(f"{path}{join}format={form}", ANALYST)
    assert response.status_code == 200, response.text
    return response


def table_of(world: World, path: str, form: str) -> pa.Table:
    content = export(world, path, form).content
    if form == "parquet":
        return pq.read_table(io.BytesIO(content))
    return pa.ipc.open_stream(content).read_all()


def csv_rows(world: World, path: str) -> list[dict[str, str]]:
    text = export(world, path, "csv").content.decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def numbers_of(world: World, path: str, form: str) -> list[int]:
    if form == "ndjson":
        lines = export(world, path, form).content.splitlines()
        ids = [json.loads(line)["id"] for line in lines]
    elif form == "csv":
        ids = [row["id"] for row in csv_rows(world, path)]
    else:
        ids = table_of(world, path, form).column("id").to_pylist()
    return [int(id_[-12:], 16) for id_ in ids]


@pytest.fixture(scope="module")
def everything(shared_store: Store) -> Iterator[World]:
    """A bit of everything, put there once for tests that only read."""
    with World(shared_store) as world:
        a_bit_of_everything(world)
        yield world


def a_bit_of_everything(world: World) -> None:
    configured_by = {
        "sync_id": id_of(3),
        "commit": "a42b9e1",
        "branch": "main",
        "confidence": "likely",
        "behind": False,
        "explanation": "last sync",
    }
    links = [link_row("before", 2, gap_ms=1_500), link_row(target=7)]
    world.trail.put(
        run_entry(1, "10:00", exit_code=-9, links=links, configured_by=configured_by),
        run_entry(4, "11:00", None, block="=1+1", reason="-2+3", flags=["late", "clock_ahead"]),
        session_entry(2, "10:12:03.000001", "10:27:45", unexplained=True),
        sync_entry(3, "08:02", git_after_sha="a42b9e1", encryption_enabled=True),
        sync_entry(5, "08:03"),
    )


@pytest.mark.parametrize("name", LISTS)
def test_ndjson_has_the_items_of_the_json_list(everything: World, name: str) -> None:
    items = everything.json(f"/v1/{name}")["items"]
    assert items
    lines = export(everything, f"/v1/{name}", "ndjson").content.splitlines()
    assert [json.loads(line) for line in lines] == items
    assert [list(json.loads(line)) for line in lines] == [list(item) for item in items]


@pytest.mark.parametrize("form", ["parquet", "arrow"])
@pytest.mark.parametrize("name", LISTS)
def test_columns_have_the_values_of_the_json_list(everything: World, name: str, form: str) -> None:
    items = everything.json(f"/v1/{name}")["items"]
    table = table_of(everything, f"/v1/{name}", form)
    assert table.schema == entry_schema(LISTS[name])
    assert table.to_pylist() == [flat(item, table.schema) for item in items]


@pytest.mark.parametrize("name", LISTS)
def test_csv_has_the_values_of_the_json_list_as_text(everything: World, name: str) -> None:
    items = everything.json(f"/v1/{name}")["items"]
    schema = entry_schema(LISTS[name])
    rows = csv_rows(everything, f"/v1/{name}")
    assert list(rows[0]) == schema.names
    for row, item in zip(rows, items, strict=True):
        for column, value in flat(item, schema, is_text=True).items():
            text = row[column]
            if column in ("links", "flags"):
                assert json.loads(text) == value
            elif isinstance(value, bool):
                assert text == str(value).lower()
            elif column in ("block", "reason") and value is not None and value[0] in "=-":
                assert text == "'" + value
            else:
                assert text == ("" if value is None else str(value))


def flat(item: dict[str, Any], schema: pa.Schema, *, is_text: bool = False) -> dict[str, Any]:
    """An entry of the JSON list as one row of columns."""
    row: dict[str, Any] = dict.fromkeys(schema.names)
    for name, value in item.items():
        if name in ("host", "git", "encryption", "configured_by"):
            row |= {f"{name}_{part}": inner for part, inner in (value or {}).items()}
        else:
            row[name] = value
    row["links"] = [{"gap_ms": None, **link} for link in item["links"]]
    if not is_text:
        for name in ("occurred_at", "ended_at", "received_at"):
            row[name] = row[name] and to_datetime(parse_us(row[name]))
    assert set(row) == set(schema.names)
    return row


@pytest.fixture(scope="module")
def many_with_ties(shared_store: Store) -> Iterator[World]:
    """2,600 entries in three workspaces, a hundred at each instant; for tests that only read."""
    with World(shared_store) as world:
        for workspace in range(3):
            world.trail.put(
                *[
                    run_entry(number, f"10:00:{number // 100:02}", "12:00")
                    for number in range(2_600)
                    if number % 3 == workspace
                ],
                workspace=f"acme-{workspace}",
            )
        yield world


@pytest.mark.parametrize("form", ExportFormat)
def test_everything_comes_out_in_order_across_pages_with_ties(
    many_with_ties: World, form: str
) -> None:
    newest_first = list(reversed(range(2_600)))
    assert numbers_of(many_with_ties, "/v1/timeline", form) == newest_first
    assert numbers_of(many_with_ties, "/v1/action-runs?order=asc", form) == newest_first[::-1]


@pytest.mark.parametrize("form", ExportFormat)
def test_what_is_revised_and_added_meanwhile_is_neither_twice_nor_left_out(
    world: World, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = [run_entry(number, f"10:{number // 60:02}:{number % 60:02}") for number in range(900)]
    world.trail.put(*entries)
    writer = EntryWriter(world.trail.store)
    pages = 0

    async def page_and_revisions(*args: Any) -> Any:
        nonlocal pages
        page = await read_page(*args)
        pages += 1
        revised = [{**row, "revision": 1 + pages, "exit_code": pages} for row in entries[::7]]
        # Newer than all, and so not of this export.
        added = run_entry(10_000 + pages, "23:00")
        batch = world.trail.batch(*revised, added)
        await writer.insert([batch], token=f"{world.trail.organization}-{form}-{pages}")
        return page

    monkeypatch.setattr(query.export_pages, "_PAGE_ROWS_MAX", 300)
    monkeypatch.setattr(query.entry_export, "read_page", page_and_revisions)
    assert numbers_of(world, "/v1/timeline", form) == list(reversed(range(900)))
    assert pages >= 3


@pytest.mark.parametrize("form", ExportFormat)
def test_filters_order_cursor_and_a_stated_limit_hold(world: World, form: str) -> None:
    world.trail.put(*[run_entry(n, f"10:{n:02}", action="deploy") for n in range(10)])
    world.trail.put(run_entry(20, "11:00", action="test"))

    assert numbers_of(world, "/v1/timeline?action=test", form) == [20]
    assert numbers_of(world, "/v1/timeline?limit=3", form) == [20, 9, 8]
    cursor = world.json("/v1/timeline?limit=3&action=deploy&order=asc")["next_cursor"]
    rest = numbers_of(world, f"/v1/timeline?action=deploy&cursor={cursor}", form)
    assert rest == [3, 4, 5, 6, 7, 8, 9]
    assert numbers_of(world, f"/v1/timeline?action=deploy&cursor={cursor}&limit=2", form) == [3, 4]
    assert numbers_of(world, "/v1/ssh-sessions?kind=action_run", form) == []
    assert numbers_of(world, "/v1/ssh-sessions", form) == []


def test_more_than_the_default_page_comes_without_a_limit(world: World) -> None:
    world.trail.put(*[run_entry(n) for n in range(150)])
    assert len(numbers_of(world, "/v1/timeline", "ndjson")) == 150
    assert len(world.json("/v1/timeline")["items"]) == 100


def test_the_longest_names_of_workspaces_fit_into_a_page(world: World) -> None:
    """Places travel as one parameter, of which ClickHouse takes 128 KiB."""
    world.trail.put(
        *[run_entry(n, f"10:{n // 60:02}:{n % 60:02}") for n in range(800)], workspace="w" * 128
    )
    assert numbers_of(world, "/v1/timeline", "arrow") == list(reversed(range(800)))


@pytest.mark.parametrize("form", ExportFormat)
def test_accept_does_the_same_as_the_parameter(world: World, form: ExportFormat) -> None:
    world.trail.put(run_entry(1))
    headers = {"Authorization": f"Bearer {ANALYST}", "Accept": form.media_type}

    answer = world.send("GET", "/v1/action-runs", headers)
    assert answer.headers["content-type"] == form.media_type
    assert answer.headers["content-disposition"] == (
        f'attachment; filename="action-runs{form.suffix}"'
    )
    assert answer.content == export(world, "/v1/action-runs", form).content


PATHS = [*(f"/v1/{name}" for name in LISTS), "/v1/cli-instances"]


@pytest.mark.parametrize("path", PATHS)
def test_exports_are_for_analysts_and_pages_for_readers(world: World, path: str) -> None:
    refused = problem(world.get(f"{path}?format=csv", READER), 403, "forbidden")
    assert "`analyst`" in refused["detail"]
    accept = {"Authorization": f"Bearer {READER}", "Accept": "application/x-ndjson"}
    problem(world.send("GET", path, accept), 403, "forbidden")
    for role in (READER, ANALYST):
        assert "items" in world.json(f"{path}?format=json", role)


@pytest.mark.parametrize("path", PATHS)
def test_forms_that_are_not_there_are_refused_by_name(world: World, path: str) -> None:
    assert problem(world.get(f"{path}?format=xml", ANALYST), 400, "bad_value")["field"] == "format"
    accept = {"Authorization": f"Bearer {ANALYST}", "Accept": "text/html"}
    problem(world.send("GET", path, accept), 406, "not_acceptable")
    refused = world.get(f"{path}?format=csv&colour=red", ANALYST)
    assert problem(refused, 400, "unknown_parameter")["field"] == "colour"


def test_one_record_has_no_other_form(world: World) -> None:
    world.trail.put(run_entry(1))
    refused = world.get(f"/v1/records/action_run/{id_of(1)}?format=csv", ANALYST)
    assert problem(refused, 400, "unknown_parameter")["field"] == "format"


@pytest.mark.parametrize("path", PATHS)
def test_the_watermark_is_a_header(
    world: World, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known: dict[int, Watermark] = {}

    async def watermarks(_: object, database: str) -> dict[int, Watermark]:
        return known

    monkeypatch.setattr(query.watermark_view, "read_watermarks", watermarks)
    monkeypatch.setattr(query.watermark_view, "FRESH_S", 0)
    name = "opstrail-complete-until"
    assert name not in export(world, path, "csv").headers
    known[0] = Watermark(5, at_us("10:00"))
    stated = export(world, path, "csv").headers[name]
    assert stated == f"{DAY}T10:00:00.000000Z"
    assert stated == world.json(path)["watermark"]["complete_until"]


def test_the_watermark_is_asked_before_the_rows(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def watermarks(_: object, database: str) -> dict[int, Watermark]:
        asked.append("watermark")
        return {}

    async def page(*args: Any) -> Any:
        asked.append("rows")
        return await read_page(*args)

    monkeypatch.setattr(query.watermark_view, "read_watermarks", watermarks)
    monkeypatch.setattr(query.entry_export, "read_page", page)
    export(world, "/v1/timeline", "arrow")
    assert asked == ["watermark", "rows"]


def test_others_entries_are_in_no_export(world: World) -> None:
    world.trail.put(run_entry(1))
    world.other.put(run_entry(2))
    assert numbers_of(world, "/v1/timeline", "csv") == [1]
    assert world.get("/v1/timeline?format=csv", OTHER).status_code == 403


@pytest.mark.parametrize("form", ExportFormat)
def test_a_store_that_breaks_between_pages_breaks_the_answer_off(
    world: World, form: ExportFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.trail.put(*[run_entry(n) for n in range(300)])
    calls = 0

    async def breaking(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > breaks_after:
            raise TimelineUnavailableError("away")
        return await read_page(*args)

    monkeypatch.setattr(query.entry_export, "read_page", breaking)
    breaks_after = 0
    problem(world.get(f"/v1/timeline?format={form}", ANALYST), 503, "timeline_unavailable")
    calls, breaks_after = 0, 1
    # What a client sees of it is in test_export_stream.py; here nothing must end it well.
    assert is_broken_off(world, f"/v1/timeline?format={form}")


def is_broken_off(world: World, path: str) -> bool:
    """Whether the app raised out of an answer instead of ending it."""
    ends: list[bool] = []

    async def receive() -> Any:
        await asyncio.sleep(3_600)

    async def send(message: Any) -> None:
        ends.append(message.get("more_body") is False)

    address, _, query_string = path.partition("?")
    scope = {
        "type": "http",
        "method": "GET",
        "path": address,
        "query_string": query_string.encode(),
        "headers": [(b"authorization", f"Bearer {ANALYST}".encode())],
    }

    async def ask() -> None:
        await build_query_app(world.services)(scope, receive, send)

    try:
        run(ask())
    except AnswerBrokenOffError:
        return not any(ends)
    return False


def register(world: World, count: int) -> None:
    observations: list[ObservationRow] = [
        {
            "cli_instance_id": f"cli-{number:012x}",
            "observed_at": at_us("11:00"),
            "is_sighting": True,
            "cli_version": "0.17.0",
            "actor": "-bob",
        }
        for number in range(count)
    ]
    world.trail.observe(*observations)


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_the_register_comes_in_every_form(world: World, form: str) -> None:
    seen(world)
    register(world, 2)

    items = world.json("/v1/cli-instances")["items"]
    lines = export(world, "/v1/cli-instances", "ndjson").content.splitlines()
    assert [json.loads(line) for line in lines] == items
    table = table_of(world, "/v1/cli-instances", form)
    assert table.schema == INSTANCES
    assert table.column("id").to_pylist() == [item["id"] for item in items]
    first = table.to_pylist()[0]
    assert first["actors"] == ["-bob"]
    assert first["versions"][0]["first_seen"] == to_datetime(at_us("11:00"))
    rows = csv_rows(world, "/v1/cli-instances")
    assert [row["first_seen"] for row in rows] == [item["first_seen"] for item in items]
    assert [json.loads(row["versions"]) for row in rows] == [item["versions"] for item in items]


@pytest.fixture(scope="module")
def registered(shared_store: Store) -> Iterator[World]:
    """1,300 instances, for tests that only read."""
    with World(shared_store) as world:
        register(world, 1_300)
        yield world


@pytest.mark.parametrize("form", ExportFormat)
def test_the_register_is_exported_whole(registered: World, form: str) -> None:
    assert numbers_of(registered, "/v1/cli-instances", form) == list(range(1_300))
    assert numbers_of(registered, "/v1/cli-instances?limit=7", form) == list(range(7))


def test_every_other_list_comes_as_a_file_too(world: World) -> None:
    world.trail.put(run_entry(1), run_entry(2, "11:00", "11:05"))
    world.put("/v1/workspaces/acme", {"environment": "production", "labels": {"team": "shop"}})
    arrived(world.trail, LAPTOP, {1: "10:00", 3: "10:30"})
    for path, schema in (
        ("/v1/deployments", DEPLOYMENTS),
        ("/v1/workspaces", WORKSPACES),
        ("/v1/dead-letters", DEAD_LETTERS),
        ("/v1/gaps", GAPS),
        (f"/v1/records/action_run/{id_of(1)}/history", HISTORY),
    ):
        items = world.json(path, ADMIN)["items"]
        lines = world.get(f"{path}?format=ndjson", ADMIN)
        assert [json.loads(line) for line in lines.content.splitlines()] == items
        table = pq.read_table(io.BytesIO(world.get(f"{path}?format=parquet", ADMIN).content))
        assert table.schema == schema
        assert table.num_rows == len(items)
        text = world.get(f"{path}?format=csv", ADMIN).text
        assert len(list(csv.DictReader(io.StringIO(text, newline="")))) == len(items)
        problem(world.get(f"{path}?format=xml", ADMIN), 400, "bad_value")
    assert len(world.json("/v1/deployments")["items"]) == 2
    problem(world.get("/v1/deployments?format=csv", READER), 403, "forbidden")
