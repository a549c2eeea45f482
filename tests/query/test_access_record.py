"""Each use of the audit trail is on record before its user sees anything."""

import asyncio
import json
from typing import Any

import pytest
from starlette.types import Message

from query.access_target import SECRET_MARKER
from query.app import build_query_app
from schemas.access_event import BEGUN, ENDED, AccessEvent
from tests.query.problems import problem
from tests.query.world import (
    ADMIN,
    ANALYST,
    NARROW,
    OTHER_ADMIN,
    READER,
    SENDER,
    World,
)
from tests.support.access_log import AT_US
from tests.timeline.trail import id_of, run_entry

RUN = f"/v1/records/action_run/{id_of(1)}"


def events(world: World) -> list[AccessEvent]:
    return world.access_log.events


def only(world: World) -> AccessEvent:
    (event,) = events(world)
    return event


def target(event: AccessEvent) -> Any:
    return json.loads(event.target)


def sql(world: World, query: str, suffix: str = "", key: str = ANALYST, **parameters: Any) -> Any:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    body = json.dumps({"query": query, "parameters": parameters}).encode()
    return world.send("POST", f"/v1/sql{suffix}", headers, body)


def test_a_reading_says_who_looked_at_what(world: World) -> None:
    world.trail.put(run_entry(1))

    world.json(f"{RUN}?workspace=acme")

    event = only(world)
    assert (event.organization, event.actor, event.actor_kind) == (
        world.trail.organization,
        "alice",
        "person",
    )
    assert (event.key_id, event.action, event.at) == ("key-1", "read", AT_US)
    assert event.operation == "GET /v1/records/{kind}/{id}"
    assert target(event) == {
        "path": {"kind": "action_run", "id": id_of(1)},
        "query": {"workspace": ["acme"]},
    }
    assert (event.status, event.rows, event.revision) == (200, None, ENDED)
    assert (event.client, event.count) == ("127.0.0.1", 1)


def test_the_id_of_the_request_is_that_of_the_answer(world: World) -> None:
    answer = world.get("/v1/timeline")

    assert only(world).request_id == answer.headers["x-request-id"]


def test_a_list_says_how_many_items_were_given_out(world: World) -> None:
    world.trail.put(*(run_entry(number) for number in range(1, 4)))

    world.json("/v1/timeline?limit=2")

    assert only(world).rows == 2


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [
        (RUN, READER, 404),
        ("/v1/timeline?colour=red", READER, 400),
        ("/v1/timeline", SENDER, 403),
        ("/v1/dead-letters", READER, 403),
        ("/v1/access-log", READER, 403),
        ("/v1/timeline?workspace=globex", NARROW, 200),
        ("/v1/positions/nonsense", READER, 404),
    ],
)
def test_what_a_known_key_is_refused_is_on_record_as_well(
    world: World, path: str, key: str, status: int
) -> None:
    assert world.get(path, key).status_code == status

    event = only(world)
    assert (event.status, event.action, event.key_id) == (status, "read", "key-1")


def test_a_bad_key_is_counted_and_not_recorded(world: World) -> None:
    for key in (None, "unknown", "unknown"):
        problem(world.get("/v1/timeline", key), 401, "unauthenticated")
    assert not events(world)

    world.run(world.services.failed_authentications.tell())

    counted = {target(event)["reason"]: event for event in events(world)}
    assert {reason: event.count for reason, event in counted.items()} == {
        "no_key": 1,
        "unknown_key": 2,
    }
    assert {event.organization for event in counted.values()} == {""}
    assert {event.client for event in counted.values()} == {"127.0.0.1"}


def test_where_nothing_of_the_trail_is_read_nothing_is_recorded(world: World) -> None:
    assert world.get("/v1/sql/schema").status_code == 200

    assert not events(world)


def test_a_statement_of_sql_is_kept_with_its_parameters(world: World) -> None:
    query = "SELECT count() FROM timeline WHERE actor = {actor:String}"

    assert sql(world, query, actor="bob").status_code == 200

    event = only(world)
    assert (event.action, event.operation, event.rows) == ("sql", "POST /v1/sql", 1)
    assert target(event) == {"sql": query, "parameters": {"actor": "bob"}}


def test_a_statement_that_is_refused_is_kept_and_a_secret_in_it_is_not(world: World) -> None:
    query = "SELECT * FROM system.users WHERE name = 'ghp_0123456789abcdef'"

    problem(sql(world, query, token="AGE-SECRET-KEY-1"), 400, "sql_refused")

    event = only(world)
    assert (event.action, event.status) == ("sql", 400)
    assert target(event) == {"sql": SECRET_MARKER, "parameters": {"token": SECRET_MARKER}}


def test_sql_of_a_key_that_may_not_is_on_record(world: World) -> None:
    problem(sql(world, "SELECT 1", key=READER), 403, "forbidden")

    assert (only(world).action, only(world).status) == ("sql", 403)


@pytest.mark.parametrize("form", ["ndjson", "csv"])
def test_an_export_is_on_record_as_begun_and_then_with_its_rows(world: World, form: str) -> None:
    world.trail.put(*(run_entry(number) for number in range(1, 4)))

    assert world.get(f"/v1/timeline?format={form}", ANALYST).status_code == 200

    begun, ended = events(world)
    assert begun.id == ended.id
    assert [(event.revision, event.rows) for event in (begun, ended)] == [(BEGUN, None), (ENDED, 3)]
    assert {(event.action, event.status) for event in (begun, ended)} == {("export", 200)}


def test_sql_as_a_file_is_sql_with_its_rows(world: World) -> None:
    assert sql(world, "SELECT number FROM numbers(5)", "?format=csv").status_code == 400
    assert sql(world, "SELECT 1 UNION ALL SELECT 2", "?format=csv").status_code == 200

    assert [event.action for event in events(world)] == ["sql"] * 3
    assert events(world)[-1].rows == 2


def test_an_export_that_is_refused_is_a_refused_export(world: World) -> None:
    problem(world.get("/v1/timeline?format=csv", READER), 403, "forbidden")

    assert (only(world).action, only(world).status) == ("export", 403)


def test_a_change_is_on_record_before_it_is_made_and_when_it_was(world: World) -> None:
    world.trail.put(run_entry(1))

    answer = world.put("/v1/workspaces/acme", {"environment": "production"})

    assert answer.status_code == 200
    begun, ended = events(world)
    assert begun.id == ended.id
    assert (begun.action, begun.revision, begun.status) == ("write", BEGUN, None)
    assert (ended.action, ended.revision, ended.status) == ("write", ENDED, 200)
    assert ended.operation == "PUT /v1/workspaces/{name}"
    assert target(begun) == {"path": {"name": "acme"}}
    assert target(ended)["changed"]["environment"] == "production"


def test_with_the_log_away_nothing_is_shown(world: World) -> None:
    world.trail.put(run_entry(1, block="nginx"))
    world.access_log.is_there = False

    for path, key in (
        ("/v1/timeline", READER),
        (RUN, READER),
        ("/v1/timeline?format=csv", ANALYST),
    ):
        refused = world.get(path, key)

        problem(refused, 503, "access_log_unavailable")
        assert int(refused.headers["retry-after"]) > 0
        assert "nginx" not in refused.text
    problem(sql(world, "SELECT 1"), 503, "access_log_unavailable")


def test_with_the_log_away_nothing_is_changed(world: World) -> None:
    world.trail.put(run_entry(1))
    world.access_log.is_there = False

    refused = world.put("/v1/workspaces/acme", {"environment": "production"})

    problem(refused, 503, "access_log_unavailable")
    world.access_log.is_there = True
    assert world.json("/v1/workspaces/acme")["environment"] is None


def test_with_the_log_away_a_refusal_tells_nothing_either(world: World) -> None:
    world.access_log.is_there = False

    problem(world.get(RUN, READER), 503, "access_log_unavailable")
    problem(world.get("/v1/timeline", SENDER), 503, "access_log_unavailable")
    problem(world.get("/v1/timeline", "unknown"), 401, "unauthenticated")


def test_no_byte_of_an_answer_goes_out_before_its_event_is_durable(world: World) -> None:
    """Asked of the app itself: what the client sees at the moment the log has confirmed."""
    sent: list[Message] = []
    seen_at_append: list[int] = []
    take = world.access_log.append

    async def append(*arguments: Any, **named: Any) -> None:
        seen_at_append.append(len(sent))
        await take(*arguments, **named)

    world.access_log.append = append  # type: ignore[method-assign]
    for path, key in (("/v1/timeline", READER), ("/v1/timeline?format=csv", ANALYST)):
        sent.clear()
        seen_at_append.clear()

        _ask_app(world, path, key, sent)

        assert seen_at_append[0] == 0
        assert sent[0]["type"] == "http.response.start"


def _ask_app(world: World, path: str, key: str, sent: list[Message]) -> None:

    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"authorization", f"Bearer {key}".encode())],
        "client": ("::1", 5),
    }

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError("nobody hangs up")

    async def send(message: Message) -> None:
        sent.append(message)

    async def ask() -> None:
        await build_query_app(world.services)(scope, receive, send)

    world.run(ask())


def test_a_bug_of_ours_is_on_record_as_one(world: World) -> None:
    async def broken(*_: Any) -> Any:
        raise AssertionError("a bug")

    object.__setattr__(world.services.watermarks, "json", broken)

    assert world.get("/v1/timeline").status_code == 500

    assert only(world).status == 500


def test_each_organization_has_its_own(world: World) -> None:
    world.json("/v1/timeline", ADMIN)
    world.json("/v1/timeline", OTHER_ADMIN)

    assert [event.organization for event in events(world)] == [
        world.trail.organization,
        world.other.organization,
    ]
