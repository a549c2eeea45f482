import json
from typing import Any

import pytest
from httpx import Response

from control.errors import ControlUnavailableError
from processors.stage import Stage
from schemas.envelope import Envelope, Event, Sender, encode_envelope
from schemas.event_json import event_json
from schemas.position import read_position
from schemas.times import parse_us
from tests.query.problems import problem
from tests.query.world import (
    ADMIN,
    ANALYST,
    NARROW_ADMIN,
    OPERATOR,
    OTHER_ADMIN,
    POSITION_SECRET,
    READER,
    World,
)
from tests.timeline.trail import LOST_AFTER_US, NOW_US, id_of, run_entry, snapshot_row

# In the form in which it travels.
EVENT = Event(
    "action_run",
    {
        "id": id_of(1),
        "block": "web",
        "action": "deploy",
        "started_at": parse_us("2026-03-24T10:00:00Z"),
        "finished_at": parse_us("2026-03-24T10:05:00.123456Z"),
        "exit_code": 0,
        "status": "successful",
        "retriggered_from": id_of(7),
        "fields_dropped": True,
    },
)
FORCED = "?force=true"


def receive(world: World, reason: str = "conflicting_snapshot", **envelope: Any) -> None:
    row = snapshot_row(run_entry(1), 2, event=event_json(EVENT, envelope.get("workspace", "acme")))
    world.trail.receive({**row, "dead_reason": reason}, **{"offset": 5, "actor": "bob", **envelope})


def resend(world: World, query: str = "", key: str = ADMIN, place: str = "0-5-2") -> Response:
    headers = {"Authorization": f"Bearer {key}"}
    return world.send("POST", f"/v1/dead-letters/{place}/resend{query}", headers)


def test_a_dead_letter_goes_on_the_log_again_as_it_was_sent_and_by_whom(world: World) -> None:
    receive(world)

    answer = resend(world, FORCED)

    assert answer.status_code == 202, answer.text
    body = answer.json()
    assert (body["accepted"], body["rejected"]) == (1, [])
    position = read_position(POSITION_SECRET, world.trail.organization, body["position"])
    assert position == {0: 0}
    assert world.log.envelopes == [
        Envelope(
            sender=Sender(
                organization=world.trail.organization,
                actor="bob",
                actor_kind="person",
                key_id="key of bob",
            ),
            workspace="acme",
            received_at=NOW_US,
            events=[EVENT],
        )
    ]


def test_once_nothing_stands_against_it_it_becomes_the_record_of_its_sender(world: World) -> None:
    """A correlation that judges otherwise, here one that knows no earlier snapshot."""
    receive(world)
    assert resend(world, FORCED).status_code == 202
    message = encode_envelope(world.log.envelopes[0])

    outcome = Stage(lost_after_us=LOST_AFTER_US).handle(
        message, partition=0, offset=9, load_row=lambda _: None
    )

    assert outcome.dead_letters == []
    (entry,) = outcome.batches[0]["entries"]
    assert (entry["id"], entry["actor"], entry["key_id"]) == (id_of(1), "bob", "key of bob")
    assert entry["received_at"] == NOW_US
    assert "late" in entry["flags"]
    (row,) = outcome.batches[0]["snapshots"]
    assert row["event"] == event_json(EVENT, "acme")


@pytest.mark.parametrize("reason", ["conflicting_snapshot", "foreign_snapshot"])
@pytest.mark.parametrize("query", ["", "?force=false"])
def test_what_would_be_set_aside_again_takes_force(world: World, reason: str, query: str) -> None:
    receive(world, reason)

    problem(resend(world, query), 409, "would_be_set_aside_again")

    assert world.log.envelopes == []
    assert resend(world, FORCED).status_code == 202


def test_a_reason_that_this_version_does_not_know_takes_no_force(world: World) -> None:
    receive(world, "of_the_future")

    assert resend(world).status_code == 202


def test_what_this_version_cannot_read_is_not_sent(world: World) -> None:
    row = snapshot_row(run_entry(1), 2, dead_reason="conflicting_snapshot")
    future = json.dumps({"type": "pipeline", "id": id_of(1), "workspace": "acme"})
    half = json.dumps({"type": "action_run", "id": id_of(1), "workspace": "acme"})
    for offset, event in enumerate((future, half)):
        world.trail.receive({**row, "event": event}, offset=offset)

        problem(resend(world, FORCED, place=f"0-{offset}-2"), 409, "unreadable_dead_letter")

    assert world.log.envelopes == []


def test_resending_takes_an_administrator_of_the_whole_organization(world: World) -> None:
    receive(world)

    for key in (READER, ANALYST, OPERATOR, NARROW_ADMIN):
        problem(resend(world, FORCED, key), 403, "forbidden")
    missing = problem(resend(world, FORCED, OTHER_ADMIN), 404, "not_found")

    assert missing == problem(resend(world, FORCED, OTHER_ADMIN, "0-6-2"), 404, "not_found")
    assert missing == problem(resend(world, FORCED, place="nonsense"), 404, "not_found")
    assert world.log.envelopes == []


def test_a_bad_parameter_is_named(world: World) -> None:
    receive(world)

    assert problem(resend(world, "?force=yes"), 400, "bad_value")["field"] == "force"
    problem(resend(world, "?wait_s=1"), 400, "unknown_parameter")
    assert world.log.envelopes == []


def test_a_log_that_is_away_is_said_to_be(world: World) -> None:
    receive(world)
    world.log.is_there = False

    problem(resend(world, FORCED), 503, "log_unavailable")


def test_resending_is_a_change_on_record_before_it_is_done(world: World) -> None:
    receive(world)
    resend(world, FORCED)

    begun, ended = world.access_log.events
    assert (begun.action, begun.status, ended.status) == ("write", None, 202)
    assert begun.operation == "POST /v1/dead-letters/{place}/resend"
    assert json.loads(ended.target) == {"path": {"place": "0-5-2"}, "query": {"force": ["true"]}}

    world.access_log.is_there = False
    problem(resend(world, FORCED), 503, "access_log_unavailable")
    assert len(world.log.envelopes) == 1


def listed(world: World, key: str = ADMIN) -> tuple[Any, Any]:
    """When and where to the only dead letter was resent, as the list and itself say."""
    (item,) = world.json("/v1/dead-letters", key)["items"]
    alone = world.json(f"/v1/dead-letters/{item['id']}", key)
    assert {name: alone[name] for name in item} == item
    return item["resent_at"], item["resent_position"]


def test_the_list_says_that_it_was_resent_when_and_where_to(world: World) -> None:
    receive(world)
    assert listed(world) == (None, None)

    first = resend(world, FORCED).json()["position"]
    assert listed(world) == ("2026-03-30T00:00:00.000000Z", first)
    # Once more is on the log once more, and the list says the last one.
    second = resend(world, FORCED).json()["position"]

    assert first != second
    assert listed(world)[1] == second
    ndjson = world.get("/v1/dead-letters?format=ndjson", ADMIN).text
    assert json.loads(ndjson)["resent_position"] == second


def test_what_the_log_did_not_confirm_may_be_there_and_is_shown_so(world: World) -> None:
    receive(world)
    world.log.is_there = False
    problem(resend(world, FORCED), 503, "log_unavailable")

    assert listed(world) == ("2026-03-30T00:00:00.000000Z", None)

    world.log.is_there = True
    position = resend(world, FORCED).json()["position"]
    assert listed(world)[1] == position
    # One that failed takes nothing back from one that worked.
    world.log.is_there = False
    problem(resend(world, FORCED), 503, "log_unavailable")
    assert listed(world)[1] == position


def test_what_is_refused_is_not_shown_as_resent(world: World) -> None:
    receive(world)
    problem(resend(world), 409, "would_be_set_aside_again")
    problem(resend(world, FORCED, key=OTHER_ADMIN), 404, "not_found")

    assert listed(world) == (None, None)


def test_while_the_control_database_is_away_nothing_goes_on_the_log(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive(world)

    def away(*_: Any, **__: Any) -> None:
        raise ControlUnavailableError("the control database is away")

    with monkeypatch.context() as patched:
        patched.setattr("query.dead_letter_resend.begin_resend", away)
        assert resend(world, FORCED).status_code == 503
    assert (world.log.envelopes, listed(world)) == ([], (None, None))

    # Away only afterwards: it is on the log, and the list says as much as is known.
    with monkeypatch.context() as patched:
        patched.setattr("query.dead_letter_resend.settle_resend", away)
        assert resend(world, FORCED).status_code == 202
    assert len(world.log.envelopes) == 1
    assert listed(world) == ("2026-03-30T00:00:00.000000Z", None)
