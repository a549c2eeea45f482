"""`POST /v1/events` beyond `test_app.py`: order of checks, the log, the counts, and fuzzing."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from control.errors import ControlUnavailableError
from control.roles import Role
from ingest import acceptance
from ingest.media_type import MediaType
from runtime.settings import Settings
from schemas.limits import BODY_BYTES_MAX
from schemas.position import read_position
from tests.ingest.world import (
    POSITION_SECRET,
    RUN_ID,
    SECRET,
    Keys,
    MemoryLog,
    Server,
    cloudevent,
    instance,
    log_away,
    principal,
    problem,
    refused,
    run,
    run_id,
)


async def unread() -> bytes:
    raise AssertionError("the body was read")


async def never_read() -> AsyncIterator[bytes]:
    yield await unread()


def test_a_body_is_not_read_before_the_key_is_known_to_be_one_that_may_send() -> None:
    reader = Keys(known={"good": principal(roles=frozenset({Role.READ, Role.OPERATOR}))})

    problem(Server().send(never_read(), key=None), 401, "unauthenticated")
    problem(Server().send(never_read(), key="unknown"), 401, "unauthenticated")
    problem(Server(keys=reader).send(never_read()), 403, "forbidden")


def test_a_body_is_not_read_before_its_media_type_and_encoding_are_known() -> None:
    problem(Server().send(never_read(), media_type=None), 415, "unsupported_media_type")
    answer = Server().send(never_read(), headers={"Content-Encoding": "br"})
    problem(answer, 415, "unsupported_encoding")


def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    answer = Server().send(never_read(), headers={"Content-Length": str(BODY_BYTES_MAX + 1)})

    problem(answer, 413, "body_too_large")


def test_a_key_is_judged_before_the_media_type() -> None:
    assert Server().send(b"", key=None, media_type="text/plain").status_code == 401


def test_when_keys_cannot_be_checked_the_sender_is_asked_to_come_again() -> None:
    answer = Server(keys=Keys(error=ControlUnavailableError("database at db-1"))).send(run())

    problem(answer, 503, "unavailable")
    assert answer.headers["retry-after"]
    assert "db-1" not in answer.text


def test_when_the_log_is_away_nothing_is_said_to_be_accepted() -> None:
    answer = Server(log=log_away()).send([run(), 5])

    problem(answer, 503, "log_unavailable")
    assert answer.headers["retry-after"]
    assert "kafka-1" not in answer.text
    assert "accepted" not in answer.json()


def test_a_log_that_breaks_is_our_own_mistake_and_leaks_nothing() -> None:
    answer = Server(log=MemoryLog(error=ValueError(SECRET))).send(run())

    problem(answer, 500, "internal_error")
    assert SECRET not in answer.text


def test_a_request_waits_for_the_log_as_long_as_the_setting_says() -> None:
    server = Server(settings=Settings(append_timeout_s=3.5))

    server.send(run())

    assert server.log.timeouts_s == [3.5]


def test_the_position_holds_the_last_offset_in_each_partition() -> None:
    server = Server(log=MemoryLog(partitions=2))
    events = [run(workspace=f"workspace-{number}") for number in range(5)]

    position = server.send(events).json()["position"]

    assert read_position(POSITION_SECRET, "acme", position) == {0: 2, 1: 1}


def test_when_every_event_is_refused_nothing_is_appended_and_each_is_named() -> None:
    server = Server()

    answer = server.send([run(stdout="x"), run(action=None), 5])

    problem(answer, 422, "all_events_refused")
    assert refused(answer) == [
        (0, "unknown_field", "stdout"),
        (1, "missing_field", "action"),
        (2, "not_an_object", None),
    ]
    assert server.log.timeouts_s == []


def test_the_members_of_a_rejection_are_those_of_the_contract_in_its_order() -> None:
    (rejection,) = Server().send(run(stdout="x")).json()["rejected"]

    assert list(rejection) == ["index", "id", "code", "field", "detail"]
    assert rejection["id"] == RUN_ID


def test_an_answer_has_no_dropped_when_nothing_was() -> None:
    assert list(Server().send(run()).json()) == ["accepted", "rejected", "position"]
    lenient = Server().send(run(), headers={"Prefer": "handling=lenient"})
    assert list(lenient.json()) == ["accepted", "rejected", "position"]


def test_an_answer_says_whether_lenient_handling_was_applied() -> None:
    lenient = [("Prefer", "respond-async"), ("Prefer", "handling=lenient")]

    for body, status in ((run(x=1), 202), (run(action=None, x=1), 422)):
        answer = Server().send(body, headers=lenient)
        assert answer.status_code == status
        assert answer.headers["preference-applied"] == "handling=lenient"
    assert "preference-applied" not in Server().send(run()).headers


def test_repeats_count_as_accepted() -> None:
    server = Server()

    assert server.send([run(), run()]).json()["accepted"] == 2
    assert server.send(run()).json()["accepted"] == 1
    assert len(server.log.events) == 3


def test_accepted_and_refused_events_are_counted() -> None:
    def counted(metric: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(f"opstrail_events_{metric}_total", labels) or 0.0

    accepted = counted("accepted", type="cli_instance")
    rejected = counted("rejected", code="unknown_field")

    Server().send([instance(), instance(), run(x=1)])
    Server(log=log_away()).send(instance())

    assert counted("accepted", type="cli_instance") == accepted + 2
    assert counted("rejected", code="unknown_field") == rejected + 1


def test_a_large_body_leaves_the_event_loop_free(monkeypatch: pytest.MonkeyPatch) -> None:
    loops: list[bool] = []
    judge = acceptance.accept

    def noting(*arguments: Any, **options: Any) -> Any:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            loops.append(False)
        else:
            loops.append(True)
        return judge(*arguments, **options)

    monkeypatch.setattr("ingest.app.accept", noting)
    server = Server()

    server.send(run())
    answer = server.send([run(id=run_id(number)) for number in range(2_500)])

    assert answer.json()["accepted"] == 2_500
    assert loops == [True, False]


def test_a_client_that_goes_away_is_no_error() -> None:
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/events",
        "root_path": "",
        "query_string": b"",
        "headers": [(b"authorization", b"Bearer good"), (b"content-type", b"application/json")],
    }
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(Server().app()(scope, receive, send))

    assert sent == []


FIELDS = ["host", "git", "organization", "stdout", "finished_at", "duration_ms", "exit_code"]
NAMES = st.sampled_from([*run(), *FIELDS, "status", "client_seq"]) | st.text(max_size=8)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(st.characters(), max_size=8)
    | st.sampled_from([SECRET, f"a {SECRET} b", RUN_ID, "2026-03-24T10:05:00Z", "action_run"])
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=15,
)
MEDIA_TYPES = st.sampled_from(list(MediaType))
PREFER = st.sampled_from([{}, {"Prefer": "handling=lenient"}])
ANSWERS = {202, 400, 413, 422}


def mixed(value: Any, chance: random.Random) -> Any:
    """A valid event with something of `value` in it."""
    event = chance.choice([run, instance])()
    if isinstance(value, dict):
        return event | value
    event[chance.choice([*event, *FIELDS])] = value
    return event


@settings(max_examples=300, deadline=None)
@given(body=st.binary(max_size=80), media_type=MEDIA_TYPES, prefer=PREFER)
def test_no_bytes_are_answered_with_an_error_of_ours(
    body: bytes, media_type: MediaType, prefer: dict[str, str]
) -> None:
    answer = Server().send(
        body + SECRET.encode() + body, media_type=media_type.value, headers=prefer
    )

    assert answer.status_code in ANSWERS
    assert SECRET not in answer.text


@settings(max_examples=400, deadline=None)
@given(
    values=st.lists(JSON, min_size=1, max_size=3),
    media_type=MEDIA_TYPES,
    prefer=PREFER,
    chance=st.randoms(use_true_random=False),
)
def test_no_json_is_answered_with_an_error_of_ours_or_with_a_secret_in_it(
    values: list[Any],
    media_type: MediaType,
    prefer: dict[str, str],
    chance: random.Random,
) -> None:
    events = [mixed(value, chance) if chance.random() < 0.7 else value for value in values]
    match media_type:
        case MediaType.JSON:
            body = json.dumps(events).encode()
        case MediaType.NDJSON:
            body = b"\n".join(json.dumps(event).encode() for event in events)
        case MediaType.CLOUDEVENT:
            body = json.dumps(cloudevent(data=events[0])).encode()
        case MediaType.CLOUDEVENT_BATCH:
            body = json.dumps([cloudevent(data=event) for event in events]).encode()
    server = Server()

    answer = server.send(body, media_type=media_type.value, headers=prefer)

    assert answer.status_code in ANSWERS, answer.text
    assert SECRET not in answer.text
    assert SECRET not in repr(server.log.envelopes)
    if answer.status_code == 202:
        judged = answer.json()["accepted"] + len(answer.json()["rejected"])
        sent = 1 if media_type is MediaType.CLOUDEVENT else len(events)
        assert judged == sent
        assert len(server.log.events) == answer.json()["accepted"]
