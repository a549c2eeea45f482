"""Builders and generators of events as clients send them."""

from datetime import timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from schemas.limits import CLIENT_SEQ_MAX, EXIT_CODE_MAX, EXIT_CODE_MIN, STRING_CHARACTERS_MAX
from schemas.secrets import looks_like_secret
from schemas.times import to_datetime

ORGANIZATION = "acme"
RUN_ID = "4bb2ab1c-9f05-4f4e-8a0c-0f3d54d1e5aa"
OTHER_RUN_ID = "0d4e2c8f-52f3-4b57-9f4f-5d6b1f0c7e11"
SESSION_ID = "c5f4411d-641a-4b0a-8ee6-291d1c725c20"
SYNC_ID = "9e107d9d-372b-4b6f-9a1d-0c5d1f8e2a33"
INSTANCE_ID = "cli-8f3891b2"

JsonObject = dict[str, Any]


def run(**changes: Any) -> JsonObject:
    """A closed run; None takes a field away."""
    return _changed(
        {
            "type": "action_run",
            "id": RUN_ID,
            "workspace": "acme-corp-automation",
            "block": "nginx",
            "action": "deploy",
            "started_at": "2026-03-24T10:12:03Z",
            "finished_at": "2026-03-24T10:27:45Z",
        },
        changes,
    )


def session(**changes: Any) -> JsonObject:
    """A closed session; None takes a field away."""
    return _changed(
        {
            "type": "ssh_session",
            "id": SESSION_ID,
            "workspace": "acme-corp-automation",
            "host": {"inventory_name": "db-3"},
            "started_at": "2026-03-24T10:12:03Z",
            "ended_at": "2026-03-24T10:27:45Z",
        },
        changes,
    )


def sync(**changes: Any) -> JsonObject:
    """A sync; None takes a field away."""
    return _changed(
        {
            "type": "workspace_sync",
            "id": SYNC_ID,
            "workspace": "acme-corp-automation",
            "timestamp": "2026-03-24T10:12:03Z",
            "result": "success",
        },
        changes,
    )


def instance(**changes: Any) -> JsonObject:
    """What a CLI instance says of itself; None takes a field away."""
    return _changed(
        {
            "type": "cli_instance",
            "id": INSTANCE_ID,
            "cli_version": "0.9.10",
            "os": "linux",
            "arch": "arm64",
            "hostname": "runner-7",
        },
        changes,
    )


BUILDERS = {
    "action_run": run,
    "ssh_session": session,
    "workspace_sync": sync,
    "cli_instance": instance,
}


def _changed(event: JsonObject, changes: JsonObject) -> JsonObject:
    return {name: value for name, value in {**event, **changes}.items() if value is not None}


# --- Generated ------------------------------------------------------------------------------------


def texts() -> st.SearchStrategy[str]:
    """What may stand in a string: 1 to 256 characters of any script."""
    overrides = "".join(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))
    characters = st.characters(exclude_categories=("Cc", "Cs"), exclude_characters=overrides)
    return st.text(characters, min_size=1, max_size=STRING_CHARACTERS_MAX).filter(
        lambda text: not looks_like_secret(text)
    )


def names() -> st.SearchStrategy[str]:
    return st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True).filter(
        lambda text: not looks_like_secret(text)
    )


def uuids() -> st.SearchStrategy[str]:
    return st.uuids().filter(lambda found: found.int != 0).map(str)


def instance_ids() -> st.SearchStrategy[str]:
    return st.from_regex(r"cli-[0-9a-f]{8,32}", fullmatch=True)


def shas() -> st.SearchStrategy[str]:
    return st.from_regex(r"[0-9a-f]{7,64}", fullmatch=True)


def exit_codes() -> st.SearchStrategy[int]:
    return st.integers(EXIT_CODE_MIN, EXIT_CODE_MAX)


@st.composite
def spans(draw: st.DrawFn) -> tuple[str, str]:
    """A start and an end that is not before it, written in any offset."""
    first_us = draw(st.integers(0, 7_258_118_399_999_999))
    last_us = draw(st.integers(first_us, 7_258_118_399_999_999))
    return draw(spellings_of(first_us)), draw(spellings_of(last_us))


def spellings_of(time_us: int) -> st.SearchStrategy[str]:
    """The same instant in UTC or, when the calendar allows, elsewhere."""
    moment = to_datetime(time_us)
    return st.integers(-23 * 60 - 59, 23 * 60 + 59).map(
        lambda minutes: moment.astimezone(timezone(timedelta(minutes=minutes))).isoformat(
            timespec="microseconds"
        )
    )


@st.composite
def valid_events(draw: st.DrawFn) -> JsonObject:
    """A valid event of any kind, with whatever optional fields it likes."""
    first, last = draw(spans())
    common: dict[str, st.SearchStrategy[Any]] = {
        "user": texts(),
        "os_user": texts(),
        "hostname": texts(),
        "cli_instance_id": instance_ids(),
        "cli_version": texts(),
        "client_seq": st.integers(0, CLIENT_SEQ_MAX),
        "reason": texts(),
        "ticket": texts(),
        "organization": st.just(ORGANIZATION),
    }
    required: dict[str, st.SearchStrategy[Any]]
    match draw(st.sampled_from(tuple(BUILDERS))):
        case "action_run":
            is_closed = draw(st.booleans())
            statuses = ("success", "successful", "failed", "failure", "aborted", "cancelled")
            required = {"block": texts(), "action": texts(), "id": uuids(), "workspace": names()}
            optional = common | {
                "block_from": texts(),
                "block_version": texts(),
                "duration_ms": st.integers(min_value=0),
                "exit_code": exit_codes(),
                "status": st.sampled_from(statuses if is_closed else ("running", "pending")),
                "commit_sha": shas(),
                "retriggered_from": st.just(OTHER_RUN_ID),
            }
            event = {"type": "action_run", "started_at": first}
            if is_closed:
                event["finished_at"] = last
        case "ssh_session":
            host = st.fixed_dictionaries(
                {"inventory_name": texts()},
                optional={"ansible_host": texts(), "hostname_reported": texts()},
            )
            required = {"id": uuids(), "workspace": names(), "host": host}
            optional = common | {
                "ended_at": st.just(last),
                "duration_seconds": st.floats(min_value=0, allow_nan=False, allow_infinity=False),
                "exit_code": exit_codes(),
            }
            event = {"type": "ssh_session", "started_at": first}
        case "workspace_sync":
            required = {
                "id": uuids(),
                "workspace": names(),
                "result": st.sampled_from(("success", "failed", "conflict")),
            }
            optional = common | {
                "git": st.fixed_dictionaries(
                    {}, optional={"branch": texts(), "before_sha": shas(), "after_sha": shas()}
                ),
                "encryption": st.fixed_dictionaries(
                    {"enabled": st.booleans()}, optional={"key_id": texts(), "status": texts()}
                ),
            }
            event = {"type": "workspace_sync", "timestamp": first}
        case _:
            required = {
                "id": instance_ids(),
                "cli_version": texts(),
                "os": texts(),
                "arch": texts(),
                "hostname": texts(),
            }
            optional = {
                name: values
                for name, values in common.items()
                if name not in {"cli_version", "hostname"}
            } | {"first_seen": st.just(first), "last_seen": st.just(last)}
            event = {"type": "cli_instance"}
    return {**event, **draw(st.fixed_dictionaries(required, optional=optional))}


def json_values() -> st.SearchStrategy[Any]:
    """Anything a JSON text may hold, lone surrogates and huge numbers with it."""
    anything = st.text(st.characters(exclude_categories=()), max_size=20)
    scalars = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.sampled_from((2**63, 2**64, 10**400))
        | st.floats(allow_nan=False, allow_infinity=False)
        | anything
    )
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(anything, inner, max_size=4),
        max_leaves=12,
    )
