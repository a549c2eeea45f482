"""POST /v1/sql and GET /v1/sql/schema through HTTP, against chDB and a ClickHouse server."""

import asyncio
import csv
import io
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from httpx import Response

from schemas.entry import link_id
from tests.query.problems import problem
from tests.query.sql_attacks import ATTACKS
from tests.query.world import ANALYST, NARROW_ADMIN, READER, SENDER, World
from tests.timeline.stores import server_store, store_settings
from tests.timeline.trail import DAY, at_us, id_of, link_row, run_entry, session_entry, sync_entry
from timeline import sql_execution
from timeline.environment_query import WorkspaceRow, mirror_workspaces
from timeline.sql_execution import run_sql
from timeline.sql_views import VIEWS
from timeline.statement import Statement
from timeline.store import Store, open_store

SECRET = "theirs"


def ask(
    world: World,
    query: str,
    parameters: dict[str, Any] | None = None,
    *,
    key: str | None = ANALYST,
    path: str = "/v1/sql",
) -> Response:
    body: dict[str, Any] = {"query": query}
    if parameters is not None:
        body["parameters"] = parameters
    return send(world, json.dumps(body).encode(), key=key, path=path)


def send(
    world: World, body: bytes, *, key: str | None = ANALYST, path: str = "/v1/sql"
) -> Response:
    headers = {"Content-Type": "application/json"}
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    return world.send("POST", path, headers, body)


def rows(
    world: World, query: str, parameters: dict[str, Any] | None = None, *, key: str = ANALYST
) -> Any:
    response = ask(world, query, parameters, key=key)
    assert response.status_code == 200, response.text
    return response.json()["rows"]


def fill(world: World) -> None:
    """A morning: a sync, four runs and two sessions in `acme`, a run in `shop`; and others'."""
    deploy = {"block_from": "r/nginx:0.3.1", "block_name": "r/nginx", "block_version": "0.3.1"}
    failed = {"status": "failed", "exit_code": 2, "reason": "it's 100 % {odd}"}
    configured = {
        "sync_id": id_of(3),
        "commit": "a42b9e1",
        "branch": "main",
        "confidence": "exact",
        "behind": False,
        "explanation": "the last one",
    }
    world.trail.put(
        run_entry(1, "10:00", "10:05", exit_code=0, hostname="laptop", **deploy),
        run_entry(2, "10:30", "10:31", actor="bob", **failed, **deploy),
        run_entry(4, "11:00", None, action="restart"),
        session_entry(
            5,
            "10:01",
            "10:04",
            links=[link_row("during", 1, target_kind="action_run"), link_row("after", 2, gap_ms=9)],
            configured_by=configured,
            flags=["late", "clock_ahead"],
            unexplained=False,
        ),
        session_entry(6, "12:00", "12:01", host_inventory_name="server02", unexplained=True),
        sync_entry(3, "08:00", git_after_sha="a42b9e1", encryption_enabled=True),
    )
    # A later revision of one of them.
    world.trail.put(
        run_entry(1, "10:00", "10:05", exit_code=0, revision=2, hostname="ci", **deploy)
    )
    world.trail.put(run_entry(7, "13:00", "13:00:30", **deploy), workspace="shop")
    for workspace in ("acme", "shop"):
        world.other.put(
            run_entry(8, actor=SECRET, block=SECRET),
            session_entry(9, actor=SECRET),
            workspace=workspace,
        )
    world.run(
        mirror_workspaces(
            world.trail.store,
            [
                WorkspaceRow(
                    organization=organization,
                    name="shop",
                    environment=environment,
                    labels={"team": environment},
                    deploy_actions=("roll",),
                    registered_at=at_us("07:00"),
                    version=1,
                )
                for organization, environment in (
                    (world.trail.organization, "production"),
                    (world.other.organization, SECRET),
                )
            ],
            token=uuid.uuid4().hex,
        )
    )
    for trail, actor in ((world.trail, "alice"), (world.other, SECRET)):
        trail.observe(
            {
                "cli_instance_id": "cli-8f3891b2",
                "observed_at": at_us("10:00"),
                "is_sighting": True,
                "hostname": "laptop",
                "os": "linux",
                "arch": "amd64",
                "cli_version": "0.18.0",
                "actor": actor,
            }
        )


@pytest.fixture(scope="module")
def morning(shared_store: Store) -> Iterator[World]:
    """Filled once, for tests that only read."""
    with World(shared_store) as world:
        fill(world)
        yield world


AT = f"{DAY}T10:00:00.000000Z"

# Query, parameters, rows.
ANSWERS: list[tuple[str, dict[str, Any] | None, list[list[Any]]]] = [
    ("SELECT count() FROM timeline", None, [[7]]),
    ("SELECT 1 + 1 AS two, 'it''s' AS text, NULL AS nothing", None, [[2, "it's", None]]),
    (
        "SELECT kind, count() AS n FROM timeline GROUP BY kind ORDER BY kind",
        None,
        [["action_run", 4], ["ssh_session", 2], ["workspace_sync", 1]],
    ),
    (
        "SELECT hostname, revision FROM action_runs WHERE id = {id:String}",
        {"id": id_of(1)},
        [["ci", 2]],
    ),
    (
        (
            "SELECT actor, countIf(status = 'failed') AS failed, count() AS runs FROM action_runs"
            " GROUP BY actor ORDER BY failed DESC, actor"
        ),
        None,
        [["bob", 1, 1], ["alice", 0, 3]],
    ),
    (
        (
            "SELECT quantile(0.5)(duration_ms), avg(duration_ms), max(duration_ms) FROM action_runs"
            " WHERE block_version = '0.3.1' AND status = 'successful'"
        ),
        None,
        [[165000.0, 165000.0, 300000]],
    ),
    (
        "SELECT status FROM timeline WHERE ended_at IS NULL AND kind != 'workspace_sync'",
        None,
        [["lost"]],
    ),
    (
        (
            "SELECT toStartOfHour(occurred_at) AS hour, count() FROM timeline"
            " WHERE workspace = 'acme'"
            " GROUP BY hour ORDER BY hour LIMIT 2"
        ),
        None,
        [[f"{DAY}T08:00:00.000000Z", 1], [AT, 3]],
    ),
    (
        (
            "SELECT id FROM timeline WHERE occurred_at >= {since:DateTime64(6, 'UTC')}"
            " AND occurred_at < toDateTime64('2026-03-24 12:30:00', 6, 'UTC') ORDER BY id"
        ),
        {"since": f"{DAY} 11:00:00"},
        [[id_of(4)], [id_of(6)]],
    ),
    (
        "SELECT workspace, environment, count() FROM timeline GROUP BY ALL ORDER BY workspace",
        None,
        [["acme", None, 6], ["shop", "production", 1]],
    ),
    ("SELECT id FROM timeline WHERE environment = 'production'", None, [[id_of(7)]]),
    (
        "SELECT name, environment, labels, deploy_actions FROM workspaces ORDER BY name",
        None,
        [
            ["acme", None, {}, ["deploy", "install"]],
            ["shop", "production", {"team": "production"}, ["roll"]],
        ],
    ),
    (
        (
            "SELECT r.id FROM action_runs AS r JOIN workspaces AS w ON w.name = r.workspace"
            " WHERE has(w.deploy_actions, r.action) ORDER BY r.id"
        ),
        None,
        [[id_of(1)], [id_of(2)]],
    ),
    (
        "SELECT rule, explanation FROM links ORDER BY rule",
        None,
        [
            ["after", "the session ended less than 1 s before the start; same actor alice"],
            ["configured_by", "the last one"],
            ["during", "the run overlaps in time; same actor alice"],
        ],
    ),
    (
        "SELECT rule, target_kind, target_id, gap_ms FROM links ORDER BY rule",
        None,
        [
            ["after", "ssh_session", id_of(2), 9],
            ["configured_by", "workspace_sync", id_of(3), None],
            ["during", "action_run", id_of(1), None],
        ],
    ),
    (
        (
            "SELECT s.host_inventory_name, r.block_version FROM ssh_sessions AS s"
            " INNER JOIN links AS l ON l.source_id = s.id AND l.rule = 'during'"
            " INNER JOIN action_runs AS r ON r.id = l.target_id"
        ),
        None,
        [["server01", "0.3.1"]],
    ),
    (
        "SELECT configured_by_commit, configured_by_behind FROM ssh_sessions ORDER BY id",
        None,
        [["a42b9e1", False], [None, None]],
    ),
    ("SELECT id FROM ssh_sessions WHERE unexplained", None, [[id_of(6)]]),
    (
        "SELECT flag, count() FROM timeline ARRAY JOIN flags AS flag GROUP BY flag ORDER BY flag",
        None,
        [["clock_ahead", 1], ["late", 1]],
    ),
    ("SELECT arrayJoin(flags) AS f FROM timeline ORDER BY f LIMIT 1", None, [["clock_ahead"]]),
    (
        "SELECT cli_version, os, arch, hostname, actors, versions FROM cli_instances",
        None,
        [
            [
                "0.18.0",
                "linux",
                "amd64",
                "laptop",
                ["alice"],
                [{"version": "0.18.0", "first_seen": AT, "last_seen": AT}],
            ]
        ],
    ),
    (
        (
            "WITH busy AS (SELECT actor, count() AS n FROM timeline GROUP BY actor)"
            " SELECT actor, n FROM busy WHERE n > (SELECT avg(n) FROM busy)"
        ),
        None,
        [["alice", 6]],
    ),
    (
        (
            "SELECT id, row_number() OVER (PARTITION BY actor ORDER BY occurred_at DESC) AS place"
            " FROM action_runs QUALIFY place = 1 ORDER BY id"
        ),
        None,
        [[id_of(2), 1], [id_of(7), 1]],
    ),
    (
        (
            "SELECT action FROM (SELECT DISTINCT action FROM action_runs"
            " WHERE action IN ('deploy', 'restart') UNION ALL SELECT 'x' AS action)"
            " ORDER BY action"
        ),
        None,
        [["deploy"], ["restart"], ["x"]],
    ),
    ("SELECT id FROM timeline WHERE id IN {ids:Array(String)}", {"ids": [id_of(1)]}, [[id_of(1)]]),
    (
        (
            "SELECT id FROM action_runs WHERE id NOT IN (SELECT target_id FROM"
            " links WHERE rule = 'during') AND exit_code = {e:Int64}"
        ),
        {"e": 2},
        [[id_of(2)]],
    ),
    ("SELECT reason FROM timeline WHERE reason LIKE '%100 \\% {o%'", None, [["it's 100 % {odd}"]]),
    ("SELECT count() FROM timeline WHERE match(block_from, '^r/nginx:\\\\d')", None, [[3]]),
    ("SELECT COLUMNS('^encryption_(en|st)') FROM workspace_syncs", None, [[True, None]]),
    (
        (
            "SELECT * EXCEPT (id, organization, workspace, occurred_at,"
            " explanation) FROM links LIMIT 0"
        ),
        None,
        [],
    ),
    (
        "SELECT workspace, any(id) FROM workspace_syncs GROUP BY workspace WITH TOTALS",
        None,
        [["acme", id_of(3)]],
    ),
    (
        (
            "SELECT toDate(occurred_at) AS day, uniqExact(actor) AS people FROM timeline"
            " GROUP BY day"
            " ORDER BY day WITH FILL FROM toDate('2026-03-23') TO toDate('2026-03-25') STEP 1"
        ),
        None,
        [["2026-03-23", 0], ["2026-03-24", 2]],
    ),
    (
        (
            "SELECT a.id FROM action_runs AS a ASOF JOIN workspace_syncs AS s"
            " ON a.workspace = s.workspace AND a.occurred_at >= s.occurred_at WHERE a.exit_code = 0"
        ),
        None,
        [[id_of(1)]],
    ),
    (
        (
            "SELECT multiIf(exit_code = 0, 'good', exit_code IS NULL, 'none', 'bad') AS how,"
            " count()"
            " FROM action_runs GROUP BY how ORDER BY how"
        ),
        None,
        [["bad", 1], ["good", 1], ["none", 2]],
    ),
    (
        "SELECT dateDiff('minute', occurred_at, ended_at) FROM ssh_sessions ORDER BY id",
        None,
        [[3], [1]],
    ),
    (
        "SELECT dateAdd(day, 1, toDate('2026-03-24')) AS d, date_trunc('month', d)",
        None,
        [["2026-03-25", "2026-03-01"]],
    ),
    (
        "SELECT arrayMap(x -> x * 2, [1, 2]), (1, 'a').2, [1, 2][-1], map('k', 1)['k']",
        None,
        [[[2, 4], "a", 2, 1]],
    ),
    (
        (
            "SELECT 0 / 0, 1 / 0, toDecimal64('1.5', 2),"
            " toInt256('-170141183460469231731687303715884105728'),"
            " toUUID('00000000-0000-4000-8000-000000000001'), toUInt64(18446744073709551615)"
        ),
        None,
        [
            [
                None,
                None,
                "1.50",
                "-170141183460469231731687303715884105728",
                id_of(1),
                18446744073709551615,
            ]
        ],
    ),
    (
        "SELECT toTimeZone(occurred_at, 'Europe/Berlin') FROM workspace_syncs",
        None,
        [[f"{DAY}T08:00:00.000000Z"]],
    ),
    (
        "SELECT {a:Bool}, {b:Nullable(String)}, {c:Float64}, {d:Array(UInt8)}",
        {"a": True, "b": None, "c": 1.5, "d": [1, 2]},
        [[True, None, 1.5, [1, 2]]],
    ),
    ("SELECT {t:String}", {"t": "a'b\\c\n{x:String} %(y)s ü"}, [["a'b\\c\n{x:String} %(y)s ü"]]),
]


def test_analysts_get_answers(morning: World) -> None:
    for query, parameters, expected in ANSWERS:
        found = rows(morning, query, parameters)
        assert found == expected, query


# None of these may show anything of another organization, whatever they try.
REACHES = [
    "SELECT * FROM timeline WHERE organization = {other:String} OR 1",
    "SELECT * FROM timeline WHERE 1 OR organization != organization",
    "WITH {other:String} AS organization SELECT *, organization FROM timeline",
    "WITH 'x' AS workspace, {other:String} AS organization SELECT id, actor, block FROM timeline",
    "WITH entries AS (SELECT {other:String} AS organization) SELECT * FROM timeline, entries",
    (
        "SELECT t.*, {other:String} AS organization FROM timeline AS t WHERE"
        " organization = {other:String}"
    ),
    "WITH cli_instances AS (SELECT 1 AS a) SELECT * FROM timeline, cli_instances",
    "SELECT * FROM action_runs AS entries JOIN timeline AS rows ON 1 = 1",
    "SELECT * REPLACE ({other:String} AS organization) FROM timeline",
    (
        "SELECT * FROM (SELECT {other:String} AS organization) AS o LEFT JOIN"
        " timeline AS t USING organization"
    ),
    (
        "SELECT * FROM (SELECT {other:String} AS organization) AS o RIGHT JOIN"
        " timeline AS t USING organization"
    ),
    "SELECT * FROM workspaces WHERE 1 OR {other:String} = ''",
    "SELECT * FROM cli_instances WHERE 1 OR {other:String} = ''",
    "SELECT * FROM links WHERE 1 OR {other:String} = ''",
    "SELECT * FROM timeline UNION ALL SELECT * FROM timeline WHERE organization = {other:String}",
    "WITH (SELECT {other:String}) AS organization SELECT * FROM (SELECT * FROM timeline)",
    "SELECT x -> organization = {other:String} FROM timeline",
    "SELECT arrayMap(organization -> actor, [{other:String}]) FROM timeline",
    "SELECT actor, {other:String} AS organization FROM timeline GROUP BY ALL HAVING 1",
]


@pytest.mark.parametrize("query", REACHES)
def test_no_query_shows_what_is_anothers(morning: World, query: str) -> None:
    for key in (ANALYST, NARROW_ADMIN):
        answer = ask(morning, query, {"other": morning.other.organization}, key=key)
        assert answer.status_code in (200, 400), answer.text
        assert SECRET not in answer.text
        if answer.status_code == 400:
            problem(answer, 400, "sql_refused")


def test_a_narrowed_key_sees_its_workspaces_alone(morning: World) -> None:
    for view in ("timeline", "action_runs", "links"):
        query = f"SELECT DISTINCT workspace FROM {view}"
        assert rows(morning, query, key=NARROW_ADMIN) == [["acme"]]
    assert rows(morning, "SELECT name FROM workspaces", key=NARROW_ADMIN) == [["acme"]]


@pytest.mark.parametrize("place", range(8))
def test_attacks_are_refused(morning: World, place: int) -> None:
    database = morning.trail.store.database

    for _, query in ATTACKS[place::8]:
        refused = problem(ask(morning, query.replace("DATABASE", database)), 400, "sql_refused")
        assert database not in refused["detail"]


def test_the_engine_filters_by_organization_behind_the_guard(morning: World) -> None:
    """Were the guard deceived, a table read directly would still hold nothing of others."""
    store = morning.trail.store

    for table, expected in (
        ("entries", 1),
        ("snapshots", 0),
        ("cli_instances", 1),
        ("workspaces", 1),
    ):
        if table == "snapshots" and not store.is_embedded:
            continue  # the user for SQL may not read it at all: test_sql_user.py
        for name in (table, f"{store.database}.{table}", f"{store.database}.{table} AS t"):
            statement = Statement(f"SELECT uniqExact(organization) FROM {name}")
            result = morning.run(run_sql(store, statement, morning.trail.organization))
            assert result.rows == [(expected,)]


def test_the_engine_is_told_to_change_nothing(world: World) -> None:
    """Wherever it is put: behind a UNION, parentheses or a WITH it holds for the whole."""
    asked = "SELECT getSetting('readonly') AS r, getSetting('max_execution_time') AS t"
    for sql in (
        asked,
        f"({asked})",
        f"{asked} UNION ALL {asked}",
        f"{asked} UNION ALL ({asked})",
        f"({asked}) UNION ALL ({asked})",
        f"({asked} UNION ALL {asked})",
        f"{asked} INTERSECT {asked}",
        f"{asked} UNION ALL ({asked} EXCEPT SELECT 1, 2)",
        f"WITH x AS ({asked}) SELECT * FROM x LIMIT 1 OFFSET 0",
        f"SELECT * FROM (SELECT * FROM ({asked}) UNION ALL {asked}) ORDER BY r LIMIT 5",
    ):
        result = world.run(run_sql(world.trail.store, Statement(sql), world.trail.organization))
        assert set(result.rows) == {(1, 10)}, sql


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT actr FROM timeline", "no such column: `actr`"),
        ("SELECT toUInt8('x')", "does not hold"),
        ("SELECT length(1)", "has a type"),
        ("SELECT length()", "number of arguments"),
        ("SELECT id, count() FROM timeline", "GROUP BY"),
        ("SELECT sum(count()) FROM timeline", "aggregate"),
        ("SELECT intDiv(1, 0)", "division by zero"),
        ("SELECT match('a', '(')", "regular expression"),
        ("SELECT (SELECT id FROM timeline)", "more than one row"),
        ("SELECT 1 UNION ALL SELECT 1, 2", "UNION"),
        ("SELECT {n:UInt8}", "parameter"),
        ("SELECT id FROM timeline LIMIT 1 BY id LIMIT 1", "line 1, column"),
    ],
)
def test_a_query_that_fails_is_told_why_in_our_words(morning: World, query: str, said: str) -> None:
    parameters = {"n": "many"} if "{n:" in query else None

    body = problem(ask(morning, query, parameters), 400, "sql_refused")

    assert said in body["detail"]
    for inner in ("opstrail_", morning.trail.store.database, "entries", "DB::", "/"):
        assert inner not in body["detail"].replace("{name:Type}", "")


def test_a_query_may_take_so_long_and_no_longer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_execution, "SECONDS_MAX", 1)
    world.trail.put(run_entry(1))
    many = "SELECT arrayJoin(range(10000000)) AS n FROM timeline"

    body = problem(
        ask(world, f"SELECT sum(a.n * b.n) FROM ({many}) a, ({many}) b"), 400, "sql_refused"
    )

    assert "took longer" in body["detail"]
    assert rows(world, "SELECT 1") == [[1]]


def test_what_is_more_than_the_rows_of_an_answer_is_cut_off_and_said(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_execution, "ROWS_MAX", 10)
    world.trail.put(run_entry(1))

    for count, is_truncated in ((9, False), (10, False), (11, True)):
        answer = ask(world, f"SELECT arrayJoin(range({count})) FROM timeline").json()
        assert len(answer["rows"]) == min(count, 10)
        assert answer["truncated"] is is_truncated


def test_columns_are_told_with_their_types_also_without_rows(world: World) -> None:
    answer = ask(world, "SELECT id, duration_ms AS d, flags FROM timeline").json()

    assert answer["columns"] == [
        {"name": "id", "type": "String"},
        {"name": "d", "type": "Nullable(Int64)"},
        {"name": "flags", "type": "Array(String)"},
    ]
    assert (answer["rows"], answer["truncated"]) == ([], False)
    assert isinstance(answer["elapsed_ms"], int)


def test_the_schema_is_what_the_views_really_have(world: World) -> None:
    schema = world.json("/v1/sql/schema", READER)["views"]

    assert [view["name"] for view in schema] == [view.name for view in VIEWS]
    for view in schema:
        assert view["comment"]
        assert all(column["comment"] for column in view["columns"])
        told = [{key: column[key] for key in ("name", "type")} for column in view["columns"]]
        assert ask(world, f"SELECT * FROM {view['name']}").json()["columns"] == told


def test_entries_in_sql_are_those_of_the_timeline(morning: World) -> None:
    shown = {item["id"]: item for item in morning.json("/v1/timeline")["items"]}
    answer = ask(morning, "SELECT * FROM timeline").json()
    names = [column["name"] for column in answer["columns"]]

    assert len(answer["rows"]) == len(shown)
    for row in answer["rows"]:
        entry = dict(zip(names, row, strict=True))
        for name, value in shown[entry["id"]].items():
            if name in entry:
                assert entry[name] == value, name


def test_the_id_of_a_link_is_that_of_the_timeline(morning: World) -> None:
    for id_, rule, kind, source, target_kind, target in rows(
        morning, "SELECT id, rule, source_kind, source_id, target_kind, target_id FROM links"
    ):
        expected = link_id(
            morning.trail.organization, "acme", rule, (kind, source), (target_kind, target)
        )
        assert id_ == expected


def test_results_of_any_size_come_as_streams(morning: World) -> None:
    query = "SELECT id, occurred_at, duration_ms, flags, map('a', 1) AS m FROM timeline ORDER BY id"

    lines = ask(morning, query, path="/v1/sql?format=ndjson")
    assert lines.headers["content-type"] == "application/x-ndjson"
    first = json.loads(lines.text.splitlines()[0])
    assert first == {
        "id": id_of(1),
        "occurred_at": AT,
        "duration_ms": 300000,
        "flags": [],
        "m": {"a": 1},
    }
    table = list(csv.reader(io.StringIO(ask(morning, query, path="/v1/sql?format=csv").text)))
    assert table[0] == ["id", "occurred_at", "duration_ms", "flags", "m"]
    assert len(table) == 8
    parquet = pq.read_table(io.BytesIO(ask(morning, query, path="/v1/sql?format=parquet").content))
    assert parquet.num_rows == 7
    assert parquet.schema.field("occurred_at").type == pa.timestamp("us", "UTC")
    arrow = pa.ipc.open_stream(ask(morning, query, path="/v1/sql?format=arrow").content).read_all()
    assert arrow.to_pylist()[0]["id"] == id_of(1)


def test_a_stream_has_no_end_at_the_rows_of_an_answer_and_lets_its_lane_go(world: World) -> None:
    world.trail.put(run_entry(1))
    for _ in range(5):  # more often than there are lanes
        answer = ask(
            world, "SELECT arrayJoin(range(150000)) AS n FROM timeline", path="/v1/sql?format=csv"
        )
        assert answer.text.count("\n") == 150_001


def test_an_empty_stream_still_has_its_columns(world: World) -> None:
    answer = ask(world, "SELECT id, flags FROM timeline", path="/v1/sql?format=csv")
    assert answer.text.split() == ["id,flags"]


@pytest.mark.parametrize("query", ["SELECT * FROM entries", "SELECT actr FROM timeline"])
def test_a_refused_query_is_a_problem_in_any_form(world: World, query: str) -> None:
    problem(ask(world, query, path="/v1/sql?format=parquet"), 400, "sql_refused")


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b"x",
        b'{"query": 1}',
        b'{"query": "SELECT 1", "settings": {"readonly": "0"}}',
        b'{"query": "SELECT 1", "parameters": []}',
        b'{"query": "SELECT 1", "parameters": {"a": {"b": 1}}}',
        b'{"query": ""}',
    ],
)
def test_a_body_of_another_shape_is_refused(world: World, body: bytes) -> None:
    refused = send(world, body)
    assert refused.status_code == 400
    assert refused.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "parameters",
    [
        {"unused": 1},
        {"a b": 1},
        {"opstrail_organization": "x"},
        {"a": [[1]]},
        {"a": "\0"},
        {"a": "x" * 33_000},
        {f"p{n}": 1 for n in range(101)},
    ],
)
def test_parameters_that_do_not_fit_are_refused(world: World, parameters: dict[str, Any]) -> None:
    problem(ask(world, "SELECT {a:String}", {"a": "x", **parameters}), 400, "sql_refused")


@pytest.mark.parametrize(
    "value",
    ["2026-03-24T11:30:00.25+01:00", "2026-03-24T10:30:00.25Z", "2026-03-24 10:30:00.250000"],
)
def test_a_time_may_come_with_an_offset_as_everywhere(world: World, value: str) -> None:
    query = "SELECT {at:DateTime64(6, 'UTC')}"
    assert rows(world, query, {"at": value}) == [["2026-03-24T10:30:00.250000Z"]]


def test_large_parameters_arrive(world: World) -> None:
    names = ["x" * 30 + str(n) for n in range(700)]
    assert rows(world, "SELECT length({a:Array(String)})", {"a": names}) == [[700]]


def test_sql_needs_the_role_of_an_analyst(world: World) -> None:
    for key in (READER, SENDER):
        problem(ask(world, "SELECT 1", key=key), 403, "forbidden")
    problem(ask(world, "SELECT 1", key=None), 401, "unauthenticated")
    problem(world.get("/v1/sql/schema", SENDER), 403, "forbidden")


def test_many_analysts_at_once_wait_for_one_another(world: World) -> None:

    async def all_of_them() -> list[int]:
        store = world.trail.store
        results = await asyncio.gather(
            *[run_sql(store, Statement(f"SELECT {n}"), "x") for n in range(20)]
        )
        return [result.rows[0][0] for result in results]

    assert world.run(all_of_them()) == list(range(20))


def test_sql_may_run_as_a_user_of_the_server_that_only_reads(
    clickhouse_url: str, clickhouse_reader_url: str
) -> None:
    server_store(clickhouse_url)  # makes the tables
    chosen = store_settings(clickhouse_url=clickhouse_url, clickhouse_sql_url=clickhouse_reader_url)
    store = open_store(chosen)
    try:
        with World(store) as world:
            fill(world)
            assert rows(world, "SELECT count() FROM timeline") == [[7]]
            who = Statement("SELECT currentUser(), getSetting('readonly')")
            assert world.run(run_sql(store, who, world.trail.organization)).rows == [("reader", 2)]
            assert rows(world, "SELECT id FROM timeline WHERE actor = 'nobody'") == []
    finally:
        store.close()


def test_an_older_revision_never_comes_back_through_an_index(world: World) -> None:
    world.trail.put(*[run_entry(n, ticket="CHG-1") for n in range(3)])
    world.trail.put(*[run_entry(n, ticket="CHG-2", revision=2) for n in range(3)])

    for ticket, count in (("CHG-1", 0), ("CHG-2", 3)):
        query = "SELECT count() FROM action_runs WHERE ticket = {ticket:String}"
        assert rows(world, query, {"ticket": ticket}) == [[count]]
        summary = world.json(f"/v1/action-runs/summary?ticket={ticket}")
        assert summary["groups"][0]["runs"] == count
