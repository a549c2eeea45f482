"""The verdict on an event, field by field: the contract's section 2 as tables."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.limits import DURATION_MS_MAX
from schemas.rejections import RejectionCode, is_harmless_name
from schemas.validation import Refusal, ValidEvent, is_record, validate, well_formed_id
from tests.schemas.events import (
    BUILDERS,
    INSTANCE_ID,
    ORGANIZATION,
    OTHER_RUN_ID,
    RUN_ID,
    SESSION_ID,
    JsonObject,
    instance,
    json_values,
    run,
    session,
    sync,
    valid_events,
)

NIL = "00000000-0000-0000-0000-000000000000"
SECRET = "ghp" + "_0123456789abcdef"
START_US = 1_774_347_123_000_000


def verdict_on(event: object, *, is_lenient: bool = False) -> ValidEvent | Refusal:
    return validate(event, organization=ORGANIZATION, is_lenient=is_lenient)


def fields_of(event: JsonObject, *, is_lenient: bool = False) -> JsonObject:
    verdict = verdict_on(event, is_lenient=is_lenient)
    assert isinstance(verdict, ValidEvent), verdict
    return verdict.fields


def refusal_of(event: object, *, is_lenient: bool = False) -> tuple[str, str | None]:
    verdict = verdict_on(event, is_lenient=is_lenient)
    assert isinstance(verdict, Refusal), verdict
    return verdict.code, verdict.field


def put(event: JsonObject, path: str, value: object) -> JsonObject:
    """The event with `value` at `path`, such as `host.ansible_host`."""
    outer, _, inner = path.partition(".")
    if not inner:
        return {**event, outer: value}
    return {**event, outer: {**OBJECTS[outer], inner: value}}


def at(fields: JsonObject, path: str) -> object:
    found: Any = fields
    for part in path.split("."):
        found = found[part]
    return found


OBJECTS: dict[str, JsonObject] = {
    "host": {"inventory_name": "db-3"},
    "git": {"branch": "main"},
    "encryption": {"enabled": True},
}

# By kind, each field and what may stand in it.
_COMMON = {
    "organization": "organization",
    "user": "text",
    "os_user": "text",
    "hostname": "text",
    "cli_instance_id": "instance_id",
    "cli_version": "text",
    "client_seq": "count",
    "reason": "text",
    "ticket": "text",
}
FIELDS: dict[str, dict[str, str]] = {
    "action_run": {
        "id": "uuid",
        "workspace": "name",
        "block": "text",
        "block_from": "text",
        "block_version": "text",
        "action": "text",
        "started_at": "time",
        "finished_at": "time",
        "duration_ms": "milliseconds",
        "exit_code": "exit_code",
        "status": "run_status",
        "commit_sha": "sha",
        "retriggered_from": "uuid",
        **_COMMON,
    },
    "ssh_session": {
        "id": "uuid",
        "workspace": "name",
        "host": "object",
        "host.inventory_name": "text",
        "host.ansible_host": "text",
        "host.hostname_reported": "text",
        "started_at": "time",
        "ended_at": "time",
        "duration_seconds": "seconds",
        "exit_code": "exit_code",
        **_COMMON,
    },
    "workspace_sync": {
        "id": "uuid",
        "workspace": "name",
        "timestamp": "time",
        "result": "sync_result",
        "git": "object",
        "git.branch": "text",
        "git.before_sha": "sha",
        "git.after_sha": "sha",
        "encryption": "object",
        "encryption.enabled": "flag",
        "encryption.key_id": "text",
        "encryption.status": "text",
        **_COMMON,
    },
    "cli_instance": {
        "id": "instance_id",
        "workspace": "name",
        "os": "text",
        "arch": "text",
        "first_seen": "time",
        "last_seen": "time",
        **_COMMON,
    },
}
REQUIRED = {
    "action_run": ("id", "workspace", "block", "action", "started_at"),
    "ssh_session": ("id", "workspace", "host", "host.inventory_name", "started_at"),
    "workspace_sync": ("id", "workspace", "timestamp", "result", "encryption.enabled"),
    "cli_instance": ("id", "cli_version", "os", "arch", "hostname"),
}

# What is sent, and what it is kept as.
GOOD: dict[str, list[tuple[object, object]]] = {
    "organization": [(ORGANIZATION, "left out")],
    "text": [
        ("x", "x"),
        (" ", " "),
        ("a" * 256, "a" * 256),
        ("\N{PILE OF POO}" * 256, "\N{PILE OF POO}" * 256),
        ("Grüße, 世界 — «ok»", "Grüße, 世界 — «ok»"),
        ("zero\u200bwidth and \u200f mark", "zero\u200bwidth and \u200f mark"),
        ("\u2029\u202f\u2065\u206a", "\u2029\u202f\u2065\u206a"),
        ("a/b\\c\"d'e;--", "a/b\\c\"d'e;--"),
    ],
    "name": [
        ("a", "a"),
        ("0", "0"),
        ("_x", "_x"),
        ("A.b_c-9", "A.b_c-9"),
        ("a" * 128, "a" * 128),
        ("a..", "a.."),
    ],
    "uuid": [
        (OTHER_RUN_ID, OTHER_RUN_ID),
        (OTHER_RUN_ID.upper(), OTHER_RUN_ID),
        ("ffffffff-ffff-ffff-ffff-ffffffffffff", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
        ("00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000001"),
    ],
    "instance_id": [
        ("cli-8f3891b2", "cli-8f3891b2"),
        ("cli-8F3891B2", "cli-8f3891b2"),
        ("cli-" + "0" * 32, "cli-" + "0" * 32),
    ],
    "count": [(0, 0), (1, 1), (2**63 - 1, 2**63 - 1)],
    "exit_code": [(0, 0), (255, 255), (-(2**31), -(2**31)), (2**32 - 1, 2**32 - 1)],
    "milliseconds": [
        (0, 0),
        (942_000, 942_000),
        (DURATION_MS_MAX, DURATION_MS_MAX),
        (2**64 - 1, DURATION_MS_MAX),
        (10**4000, DURATION_MS_MAX),
    ],
    "seconds": [(0, 0.0), (942, 942.0), (0.25, 0.25), (1e300, 1e300), (2**63, 2.0**63)],
    "sha": [("a1b2c3d", "a1b2c3d"), ("0" * 64, "0" * 64), ("f" * 40, "f" * 40)],
    "time": [
        ("2026-03-24T10:12:03Z", START_US),
        ("2026-03-24T12:12:03.0000009+02:00", START_US),
    ],
    "flag": [(True, True), (False, False)],
    "object": [],
    "run_status": [("successful", "successful"), ("failed", "failed"), ("aborted", "aborted")],
    "sync_result": [(word, word) for word in ("success", "failed", "conflict")],
}


def wrong_types(*values: object) -> list[tuple[object, str]]:
    return [(value, "wrong_type") for value in values]


NO_STRING = wrong_types(1, 0, 1.5, True, False, [], ["x"], {}, {"x": "y"})
NO_INTEGER = wrong_types("1", 1.0, 1.5, True, False, [], {})
BAD: dict[str, list[tuple[object, str]]] = {
    "organization": [
        ("globex", "wrong_organization"),
        (ORGANIZATION.upper(), "wrong_organization"),
        ("a" * 128, "wrong_organization"),
        ("a" * 129, "too_long"),
        (".acme", "bad_value"),
        ("", "bad_value"),
        *NO_STRING,
    ],
    "text": [
        ("", "bad_value"),
        ("a" * 257, "too_long"),
        ("\N{PILE OF POO}" * 257, "too_long"),
        ("a\nb", "bad_value"),
        ("a\n", "bad_value"),
        ("\ta", "bad_value"),
        ("a\x00b", "bad_value"),
        ("a\x1f", "bad_value"),
        ("a\x7f", "bad_value"),
        ("a\x80", "bad_value"),
        ("a\x9f", "bad_value"),
        *(
            (f"a{chr(code)}", "bad_value")
            for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
        ),
        ("a\ud800", "bad_value"),
        ("\udfff", "bad_value"),
        (SECRET, "looks_like_secret"),
        (f"password {SECRET}" + "." * 300, "looks_like_secret"),
        *NO_STRING,
    ],
    "name": [
        ("", "bad_value"),
        ("a" * 129, "too_long"),
        (".a", "bad_value"),
        ("-a", "bad_value"),
        ("a b", "bad_value"),
        ("a/b", "bad_value"),
        ("a:b", "bad_value"),
        ("ä", "bad_value"),
        ("a\n", "bad_value"),
        ("\u0661", "bad_value"),
        ("\ud800", "bad_value"),
        *NO_STRING,
    ],
    "uuid": [
        (NIL, "bad_value"),
        ("", "bad_value"),
        (OTHER_RUN_ID[:-1], "bad_value"),
        (OTHER_RUN_ID + "0", "bad_value"),
        (OTHER_RUN_ID + "\n", "bad_value"),
        (OTHER_RUN_ID.replace("-", ""), "bad_value"),
        ("{" + OTHER_RUN_ID + "}", "bad_value"),
        ("urn:uuid:" + OTHER_RUN_ID, "bad_value"),
        (OTHER_RUN_ID.replace("0", "g", 1), "bad_value"),
        ("\u0661" + OTHER_RUN_ID[1:], "bad_value"),
        ("\ud800", "bad_value"),
        *NO_STRING,
    ],
    "instance_id": [
        ("", "bad_value"),
        ("cli-", "bad_value"),
        ("cli-8f3891b", "bad_value"),
        ("cli-" + "0" * 33, "bad_value"),
        ("CLI-8f3891b2", "bad_value"),
        ("8f3891b2", "bad_value"),
        ("cli-8f3891bg", "bad_value"),
        ("cli-8f3891b2\n", "bad_value"),
        (OTHER_RUN_ID, "bad_value"),
        *NO_STRING,
    ],
    "count": [(-1, "bad_value"), (2**63, "bad_value"), (10**4000, "bad_value"), *NO_INTEGER],
    "exit_code": [
        (-(2**31) - 1, "bad_value"),
        (2**32, "bad_value"),
        (10**4000, "bad_value"),
        *NO_INTEGER,
    ],
    "milliseconds": [(-1, "bad_value"), (-(10**4000), "bad_value"), *NO_INTEGER],
    "seconds": [
        (-1, "bad_value"),
        (-0.001, "bad_value"),
        (float("inf"), "bad_value"),
        (float("nan"), "bad_value"),
        ("1", "wrong_type"),
        (True, "wrong_type"),
        ([], "wrong_type"),
    ],
    "sha": [
        ("a1b2c3", "bad_value"),
        ("0" * 65, "bad_value"),
        ("A1B2C3D", "bad_value"),
        ("g123456", "bad_value"),
        ("a1b2c3d\n", "bad_value"),
        ("", "bad_value"),
        *NO_STRING,
    ],
    "time": [
        ("", "bad_value"),
        ("yesterday", "bad_value"),
        ("2026-03-24T10:12:03", "bad_value"),
        ("2026-03-24T10:12:60Z", "bad_value"),
        ("2026-02-30T10:12:03Z", "bad_value"),
        ("1969-12-31T23:59:59.999999Z", "bad_value"),
        ("1970-01-01T00:00:00+00:01", "bad_value"),
        ("2200-01-01T00:00:00Z", "bad_value"),
        ("2199-12-31T23:59:59-00:01", "bad_value"),
        ("\ud800", "bad_value"),
        (1_774_347_123, "wrong_type"),
        *NO_STRING,
    ],
    "flag": wrong_types(0, 1, "true", "", [], {}),
    "object": wrong_types(1, 1.5, "x", "", True, [], [{}]),
    "run_status": [
        ("", "bad_value"),
        ("Successful", "bad_value"),
        ("lost", "bad_value"),
        ("ended", "bad_value"),
        *NO_STRING,
    ],
    "sync_result": [
        ("", "bad_value"),
        ("successful", "bad_value"),
        ("Success", "bad_value"),
        *NO_STRING,
    ],
}

ANY_OF_A_KIND = [
    pytest.param(kind, path, what, id=f"{kind}.{path}")
    for kind, fields in FIELDS.items()
    for path, what in fields.items()
]


def event_with(kind: str, path: str, value: object) -> JsonObject:
    event = BUILDERS[kind]()
    if path == "started_at":
        # Only the start is looked at here; the order of start and end has its own tests.
        event.pop("finished_at", None)
        event.pop("ended_at", None)
    return put(event, path, value)


@pytest.mark.parametrize("kind", BUILDERS)
def test_the_least_event_of_each_kind_is_valid(kind: str) -> None:
    verdict = verdict_on(BUILDERS[kind]())

    assert isinstance(verdict, ValidEvent)
    assert verdict.type == kind
    assert verdict.dropped is None


@pytest.mark.parametrize(("kind", "path", "what"), ANY_OF_A_KIND)
def test_each_field_takes_what_the_contract_allows(kind: str, path: str, what: str) -> None:
    for value, kept in GOOD[what]:
        verdict = verdict_on(event_with(kind, path, value))

        assert isinstance(verdict, ValidEvent), (value, verdict)
        if path == "workspace":
            assert verdict.workspace == kept
        elif path == "organization":
            assert "organization" not in verdict.fields
        else:
            assert at(verdict.fields, path) == kept
            assert type(at(verdict.fields, path)) is type(kept)


@pytest.mark.parametrize(("kind", "path", "what"), ANY_OF_A_KIND)
def test_each_field_refuses_the_rest_by_code_and_name(kind: str, path: str, what: str) -> None:
    for value, code in BAD[what]:
        assert refusal_of(event_with(kind, path, value)) == (code, path), repr(value)[:80]


@pytest.mark.parametrize(("kind", "path", "what"), ANY_OF_A_KIND)
def test_null_is_the_same_as_absent(kind: str, path: str, what: str) -> None:
    with_null = event_with(kind, path, None)
    outer, _, inner = path.partition(".")
    absent = copy.deepcopy(with_null)
    del (absent[outer] if inner else absent)[inner or outer]

    assert verdict_on(with_null) == verdict_on(absent)


@pytest.mark.parametrize(
    ("kind", "path"), [(kind, path) for kind, paths in REQUIRED.items() for path in paths]
)
@pytest.mark.parametrize("is_lenient", [False, True])
def test_a_required_field_is_missed_by_name(kind: str, path: str, is_lenient: bool) -> None:
    event = event_with(kind, path, None)

    assert refusal_of(event, is_lenient=is_lenient) == ("missing_field", path)


@pytest.mark.parametrize("kind", BUILDERS)
def test_only_the_required_fields_are_required(kind: str) -> None:
    event = BUILDERS[kind]()
    optional = set(FIELDS[kind]) - set(REQUIRED[kind])

    assert isinstance(verdict_on({**event, **dict.fromkeys(optional)}), ValidEvent)


def test_a_cli_instance_may_leave_its_workspace_unknown() -> None:
    verdict = verdict_on(instance())

    assert isinstance(verdict, ValidEvent)
    assert verdict.workspace is None


def test_a_valid_event_states_no_type_no_workspace_and_no_organization_in_its_fields() -> None:
    verdict = verdict_on(run(organization=ORGANIZATION))

    assert isinstance(verdict, ValidEvent)
    assert verdict.workspace == "acme-corp-automation"
    assert verdict.fields == {
        "id": RUN_ID,
        "block": "nginx",
        "action": "deploy",
        "started_at": START_US,
        "finished_at": START_US + 942_000_000,
    }


def test_validation_leaves_what_it_was_given_as_it_was() -> None:
    event = session(id=SESSION_ID.upper(), host={"inventory_name": "db-3", "ip": "10.0.0.1"})
    before = copy.deepcopy(event)

    verdict_on(event, is_lenient=True)

    assert event == before


# --- What it is -----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, 1, 1.5, True, "event", [], [{}]])
def test_only_an_object_is_an_event(value: object) -> None:
    assert refusal_of(value) == ("not_an_object", None)


@pytest.mark.parametrize(
    ("stated", "code"),
    [
        ("deployment", "unknown_type"),
        ("Action_run", "unknown_type"),
        ("", "unknown_type"),
        ("\ud800", "unknown_type"),
        (1, "wrong_type"),
        (["action_run"], "wrong_type"),
        ({}, "wrong_type"),
        (None, "missing_field"),
        (SECRET, "looks_like_secret"),
    ],
)
def test_the_type_is_one_of_four_words(stated: object, code: str) -> None:
    assert refusal_of({**run(), "type": stated}) == (code, "type")


def test_an_empty_object_misses_its_type() -> None:
    assert refusal_of({}) == ("missing_field", "type")


def test_only_cli_instances_are_no_records() -> None:
    assert [kind for kind in BUILDERS if not is_record(kind)] == ["cli_instance"]


# --- Across fields --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("synonym", "status"),
    [
        ("success", "successful"),
        ("failure", "failed"),
        ("cancelled", "aborted"),
        ("canceled", "aborted"),
    ],
)
def test_a_synonym_of_a_closed_status_is_resolved(synonym: str, status: str) -> None:
    assert fields_of(run(status=synonym))["status"] == status


@pytest.mark.parametrize("word", ["running", "pending"])
def test_an_open_run_may_say_that_it_is_running(word: str) -> None:
    assert fields_of(run(status=word, finished_at=None))["status"] == "running"


@pytest.mark.parametrize("word", ["running", "pending"])
def test_a_run_with_an_end_is_not_running(word: str) -> None:
    assert refusal_of(run(status=word)) == ("bad_value", "status")


@pytest.mark.parametrize(
    "word", ["successful", "failed", "aborted", "success", "failure", "cancelled", "canceled"]
)
def test_a_run_with_an_outcome_needs_its_end(word: str) -> None:
    assert refusal_of(run(status=word, finished_at=None)) == ("missing_field", "finished_at")


@pytest.mark.parametrize(
    ("event", "start_field", "end_field"),
    [
        (run(), "started_at", "finished_at"),
        (session(), "started_at", "ended_at"),
        (instance(), "first_seen", "last_seen"),
    ],
)
def test_an_end_may_touch_its_start_but_not_lie_before_it(
    event: JsonObject, start_field: str, end_field: str
) -> None:
    event[start_field] = "2026-03-24T10:12:03.000001Z"
    just_inside = {**event, end_field: "2026-03-24T10:12:03.000002Z"}
    exactly_on = {**event, end_field: "2026-03-24T12:12:03.000001+02:00"}
    just_outside = {**event, end_field: "2026-03-24T10:12:03.000000Z"}
    elsewhere = {**event, end_field: "2026-03-24T11:12:03+02:00"}

    assert isinstance(verdict_on(just_inside), ValidEvent)
    assert isinstance(verdict_on(exactly_on), ValidEvent)
    assert refusal_of(just_outside) == ("ends_before_start", end_field)
    assert refusal_of(elsewhere) == ("ends_before_start", end_field), "text order is not time order"


def test_a_stated_duration_never_refuses_an_event_but_a_negative_one_does() -> None:
    assert fields_of(run(duration_ms=7))["duration_ms"] == 7
    assert refusal_of(run(duration_ms=-1)) == ("bad_value", "duration_ms")
    assert refusal_of(session(duration_seconds=-0.001)) == ("bad_value", "duration_seconds")


@pytest.mark.parametrize("spelling", [RUN_ID, RUN_ID.upper()])
def test_a_run_cannot_repeat_itself(spelling: str) -> None:
    assert refusal_of(run(retriggered_from=spelling)) == ("bad_value", "retriggered_from")


@pytest.mark.parametrize("kind", BUILDERS)
def test_the_organization_must_be_the_keys(kind: str) -> None:
    event = BUILDERS[kind]()

    assert isinstance(verdict_on({**event, "organization": ORGANIZATION}), ValidEvent)
    assert refusal_of({**event, "organization": "globex"}) == ("wrong_organization", "organization")


# --- Unknown fields -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", BUILDERS)
@pytest.mark.parametrize("value", ["x", 1, {}, [], {"deep": {"deeper": None}}])
def test_an_unknown_field_is_refused_by_name(kind: str, value: object) -> None:
    assert refusal_of({**BUILDERS[kind](), "stdout": value}) == ("unknown_field", "stdout")


@pytest.mark.parametrize(
    ("event", "path"),
    [
        (session(), "host.password"),
        (sync(), "git.remote"),
        (sync(), "encryption.private_key"),
    ],
)
def test_an_unknown_field_is_refused_at_every_depth(event: JsonObject, path: str) -> None:
    assert refusal_of(put(event, path, "x")) == ("unknown_field", path)


@pytest.mark.parametrize("name", ["ssh_session", "host", "ended_at", "git", "encryption", "os"])
def test_a_field_of_another_kind_is_unknown(name: str) -> None:
    assert refusal_of(run(**{name: "x"})) == ("unknown_field", name)


@pytest.mark.parametrize(
    "name", ["actor", "actor_kind", "key_id", "received_at", "fields_dropped", "revision", "flags"]
)
def test_what_the_server_adds_cannot_be_stated(name: str) -> None:
    assert refusal_of(run(**{name: True})) == ("unknown_field", name)


@pytest.mark.parametrize(
    "name", ["<b>", "a b", "", "a" * 65, "passwört", "a\n", SECRET, f"x.{SECRET}"]
)
@pytest.mark.parametrize("is_nested", [False, True])
def test_an_unknown_name_that_may_not_be_repeated_is_not(name: str, is_nested: bool) -> None:
    event = put(session(), "host." + name, "x") if is_nested else {**session(), name: "x"}
    if is_nested and not name:
        event["host"] = {"inventory_name": "db-3", "": "x"}

    verdict = verdict_on(event)

    assert isinstance(verdict, Refusal)
    assert (verdict.code, verdict.field) == ("unknown_field", None)
    assert not name or name not in repr(verdict)


def test_a_lone_surrogate_in_a_name_is_a_bad_value() -> None:
    assert refusal_of({**run(), "\ud800": 1}) == ("bad_value", None)


def test_lenient_handling_drops_unknown_fields_and_says_which() -> None:
    event = put(session(stdout="text", **{"<b>": 1}), "host.ip", "10.0.0.1")

    verdict = verdict_on(event, is_lenient=True)

    assert isinstance(verdict, ValidEvent)
    assert verdict.fields == fields_of(session())
    assert verdict.dropped is not None
    assert sorted(verdict.dropped) == ["host.ip", "stdout"]


def test_lenient_handling_tells_apart_dropping_nothing_and_dropping_the_unspeakable() -> None:
    nothing = verdict_on(run(), is_lenient=True)
    unspeakable = verdict_on(run(**{SECRET: 1}), is_lenient=True)

    assert isinstance(nothing, ValidEvent)
    assert isinstance(unspeakable, ValidEvent)
    assert nothing.dropped is None
    assert unspeakable.dropped == ()


def test_lenient_handling_does_not_read_what_it_drops() -> None:
    event = run(stdout=SECRET, output=[{"a": [SECRET, "\ud800"]}])
    nested = put(session(), "host.password", SECRET)

    assert fields_of(event, is_lenient=True) == fields_of(run())
    assert fields_of(nested, is_lenient=True) == fields_of(session())


def test_an_unknown_field_is_refused_as_unknown_whatever_it_holds() -> None:
    assert refusal_of(run(stdout=SECRET)) == ("unknown_field", "stdout")
    assert refusal_of(put(session(), "host.password", SECRET)) == ("unknown_field", "host.password")


def test_lenient_handling_refuses_known_fields_as_strictly_as_ever() -> None:
    assert refusal_of(run(stdout="x", block=""), is_lenient=True) == ("bad_value", "block")
    assert refusal_of(run(stdout="x", user=SECRET), is_lenient=True) == (
        "looks_like_secret",
        "user",
    )
    assert refusal_of(put(sync(), "encryption", {"x": 1}), is_lenient=True) == (
        "missing_field",
        "encryption.enabled",
    )


# --- Secrets and the order of gravity -------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "path"),
    [
        (run(id=SECRET), "id"),
        (run(started_at=SECRET), "started_at"),
        (run(exit_code=SECRET), "exit_code"),
        (run(user=["x", {"y": SECRET}]), "user"),
        (run(user={SECRET: 1}), "user"),
        (put(session(), "host.ansible_host", SECRET), "host.ansible_host"),
        (put(session(), "host.ansible_host", [[SECRET]]), "host.ansible_host"),
        (session(host=SECRET), "host"),
        (session(host=[SECRET]), "host"),
        (put(sync(), "git.branch", SECRET), "git.branch"),
    ],
)
@pytest.mark.parametrize("is_lenient", [False, True])
def test_a_secret_under_a_known_name_is_named_as_one_and_not_repeated(
    event: JsonObject, path: str, is_lenient: bool
) -> None:
    verdict = verdict_on(event, is_lenient=is_lenient)

    assert isinstance(verdict, Refusal)
    assert (verdict.code, verdict.field) == ("looks_like_secret", path)
    assert SECRET not in repr(verdict)


def test_secrets_nested_as_deep_as_a_sender_likes_are_found() -> None:
    deep: object = SECRET
    for _ in range(5_000):
        deep = [deep]

    assert refusal_of(run(user=deep)) == ("looks_like_secret", "user")


def test_the_gravest_mistake_is_the_one_that_is_named() -> None:
    """One mistake of each gravity; take the gravest away and the next one is named."""
    mistakes: list[tuple[JsonObject, str, str]] = [
        ({"user": SECRET}, "looks_like_secret", "user"),
        ({"stdout": "x"}, "unknown_field", "stdout"),
        ({"action": None}, "missing_field", "action"),
        ({"os_user": 1}, "wrong_type", "os_user"),
        ({"reason": "a" * 257}, "too_long", "reason"),
        ({"ticket": ""}, "bad_value", "ticket"),
        ({"finished_at": "2026-03-24T10:12:02Z"}, "ends_before_start", "finished_at"),
        ({"organization": "globex"}, "wrong_organization", "organization"),
    ]
    while mistakes:
        changes = {name: value for change, _, _ in mistakes for name, value in change.items()}

        assert refusal_of(run(**changes)) == mistakes.pop(0)[1:]


@pytest.mark.parametrize(
    ("kind", "stated", "repeated"),
    [
        ("action_run", RUN_ID, RUN_ID),
        ("action_run", RUN_ID.upper(), RUN_ID),
        ("cli_instance", "cli-8F3891B2", INSTANCE_ID),
        ("action_run", "not an id", None),
        ("action_run", SECRET, None),
        ("action_run", RUN_ID + "\n", None),
        ("action_run", 5, None),
        ("action_run", None, None),
    ],
)
def test_a_refusal_repeats_an_id_only_when_it_is_well_formed(
    kind: str, stated: object, repeated: str | None
) -> None:
    verdict = verdict_on({**BUILDERS[kind](), "id": stated, "stdout": "x"})

    assert isinstance(verdict, Refusal)
    assert verdict.id == repeated
    assert well_formed_id(stated) == repeated


@given(event=valid_events())
def test_every_generated_valid_event_is_valid_and_lenient_handling_changes_nothing(
    event: JsonObject,
) -> None:
    strict = verdict_on(event)

    assert isinstance(strict, ValidEvent), strict
    assert verdict_on(event, is_lenient=True) == strict


@given(value=json_values(), is_lenient=st.booleans())
def test_no_json_value_makes_validation_raise(value: object, is_lenient: bool) -> None:
    verdict_on(value, is_lenient=is_lenient)


@given(data=st.data(), event=valid_events(), is_lenient=st.booleans())
def test_whatever_stands_in_a_field_there_is_a_verdict(
    data: st.DataObject, event: JsonObject, is_lenient: bool
) -> None:
    name = data.draw(st.sampled_from(sorted({*event, "host", "git", "encryption", "stdout"})))
    event[name] = data.draw(json_values())

    verdict = verdict_on(event, is_lenient=is_lenient)

    if isinstance(verdict, Refusal):
        assert verdict.code in set(RejectionCode)
        assert verdict.field is None or is_harmless_name(verdict.field)


@given(event=valid_events(), name=st.text("abc<é ._-ghp", min_size=1, max_size=70))
def test_a_refusal_never_repeats_a_value(event: JsonObject, name: str) -> None:
    marked = {**event, "block": "hunter2", "exit_code": "hunter2", name: "hunter2"}

    verdict = verdict_on(marked)

    assert isinstance(verdict, Refusal)
    assert "hunter2" not in repr(verdict)
