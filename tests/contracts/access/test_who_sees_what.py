"""Every operation that the API describes, with every sort of key: a new one cannot be forgotten."""

import io
import json
import uuid
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet
import pytest

from tests.contracts.access.house import (
    AMBER,
    ONYX,
    OPEN,
    ROLES,
    SHUT,
    Asked,
    House,
    Operation,
    allows,
)
from tests.support.opstrail import Event

GARBAGE = "opstrail_" + "0" * 38
# Its answers are about the asker's own requests, and those name what was asked for.
ABOUT_THE_ASKER = "/v1/access-log"
KEY_PATH = "/v1/keys/{key_id}"


def protected(house: House) -> list[Operation]:
    return [operation for operation in house.operations if operation.role is not None]


def text_of(answer: httpx.Response) -> str:
    """All an answer says, whatever the format: names in Parquet and Arrow are not plain to see."""
    kind = answer.headers.get("content-type", "")
    if "parquet" in kind:
        return str(pyarrow.parquet.read_table(io.BytesIO(answer.content)).to_pylist())
    if "arrow" in kind:
        return str(pa.ipc.open_stream(answer.content).read_all().to_pylist())
    return answer.text


def without_chance(answer: httpx.Response) -> Any:
    """What an answer says, without what differs from one request to the next."""
    try:
        body = answer.json()
    except (ValueError, UnicodeDecodeError):
        return answer.status_code, text_of(answer)
    for name in ("watermark", "elapsed_ms", "instance"):
        if isinstance(body, dict):
            body.pop(name, None)
    return answer.status_code, body


def told(asked: Asked) -> str:
    return f"{asked.operation.name} as {asked.path} {dict(asked.query)} {json.dumps(asked.body)}"


def test_the_first_organizations_own_reader_sees_it_all(house: House) -> None:
    """Or the tests below would show nothing."""
    for path in ("/v1/timeline", "/v1/workspaces", "/v1/cli-instances", "/v1/dead-letters"):
        answer = house.ask(house.first_key, "GET", path)
        assert answer.status_code == 200, answer.text
        assert AMBER in answer.text
        assert ONYX in answer.text
    gaps = house.ask(house.first_key, "GET", "/v1/gaps").json()["items"]
    assert {house.opened.instance, house.shut.instance} <= {
        each["cli_instance_id"] for each in gaps
    }


@pytest.mark.parametrize("sort", ["none", "garbage", "revoked", "expired"])
def test_without_a_good_key_every_operation_answers_the_same(house: House, sort: str) -> None:
    key = {"none": None, "garbage": GARBAGE, "revoked": house.revoked, "expired": house.expired}
    for operation in protected(house):
        answers = {
            json.dumps(without_chance(house.tell(key[sort], asked)))
            for names in (house.shut, house.nobodys)
            for asked in list(house.requests(operation, names))[:3]
        }
        (only,) = answers
        assert only.startswith("[401, "), f"{operation.name}: {only}"


@pytest.mark.parametrize("role", ROLES)
def test_a_role_opens_what_it_is_for_and_nothing_else(house: House, role: str) -> None:
    for operation in protected(house):
        assert operation.role is not None
        names = house.opened
        if operation.method == "DELETE":
            names.key_id = house.disposable_key_id()
        asked = next(house.requests(operation, names))
        status = house.tell(house.by_role[role], asked).status_code
        if allows(role, operation.role):
            assert status not in (401, 403), f"{role}: {told(asked)} {status}"
        else:
            assert status == 403, f"{role}: {told(asked)} {status}"


def test_exports_take_more_than_reading(house: House) -> None:
    for operation in protected(house):
        if operation.role != "read" or not operation.formats:
            continue
        for format_ in set(operation.formats) - {"json"}:
            asked = next(house.requests(operation, house.opened))
            query = (*asked.query, ("format", format_))
            for role, expected in (("read", 403), ("analyst", 200)):
                answer = house.ask(house.by_role[role], "GET", asked.path, query=query)
                assert answer.status_code == expected, f"{role}: {told(asked)} {format_}"


def test_another_organization_sees_nothing_and_cannot_tell_that_it_is_there(house: House) -> None:
    for operation in protected(house):
        if operation.role == "operator" or operation.method == "PUT":
            continue  # a label would be one of its own, under whatever name
        theirs = list(house.requests(operation, house.shut))
        nobodys = {each.query[-1:]: each for each in house.requests(operation, house.nobodys)}
        for asked in theirs:
            answer = house.tell(house.cobalt, asked)
            assert answer.status_code != 403, told(asked)
            if operation.path != ABOUT_THE_ASKER:
                said = text_of(answer)
                assert AMBER not in said, f"{told(asked)}: {said[:500]}"
                for secret in (house.shut.id, house.shut.instance, house.shut.key_id):
                    assert secret not in said, told(asked)
            if not asked.query and "{" in operation.path and operation.method == "GET":
                # The same answer, word for word, as about what never was.
                other = house.tell(house.cobalt, nobodys[()])
                assert without_chance(answer) == without_chance(other), told(asked)


def test_what_another_organization_tried_changed_nothing(house: House) -> None:
    house.ask(house.cobalt, "DELETE", f"/v1/keys/{house.shut.key_id}", query=(("force", "true"),))
    label: Event = {"environment": "cobalt", "labels": {}, "deploy_actions": None}
    house.ask(house.cobalt, "PUT", f"/v1/workspaces/{SHUT}", body=label)

    assert house.ask(house.first_key, "GET", f"/v1/keys/{house.shut.key_id}").status_code == 200
    workspace = house.ask(house.first_key, "GET", f"/v1/workspaces/{SHUT}").json()
    assert workspace["environment"] == f"{SHUT}-env"


def test_a_narrowed_key_sees_nothing_outside_and_cannot_tell_that_it_is_there(
    house: House,
) -> None:
    seen = ""
    for operation in protected(house):
        assert operation.role is not None
        key = house.narrowed_admin if operation.role == "admin" else house.narrowed
        if operation.role == "operator":
            continue
        nobodys = {each.query[-1:]: each for each in house.requests(operation, house.nobodys)}
        for asked in house.requests(operation, house.shut):
            if operation.method in ("PUT", "DELETE"):
                assert house.tell(key, asked).status_code in (403, 404), told(asked)
                continue
            answer = house.tell(key, asked)
            said = text_of(answer)
            seen += said
            assert ONYX not in said, f"{told(asked)}: {said[:500]}"
            for secret in (house.shut.id, house.shut.instance):
                assert secret not in said, told(asked)
            is_about_one = not asked.query and "{" in operation.path
            # A position tells its holder when, and nothing of what or where.
            if is_about_one and operation.path not in ("/v1/positions/{position}", KEY_PATH):
                other = house.tell(key, nobodys[()])
                assert without_chance(answer) == without_chance(other), told(asked)
    assert OPEN in seen, "the narrowed key sees what is inside"


def test_a_narrowed_key_sends_only_where_it_may(house: House) -> None:
    run = {
        "type": "action_run",
        "id": str(uuid.uuid4()),
        "workspace": SHUT,
        "block": "nginx",
        "action": "deploy",
        "started_at": "2026-03-24T10:00:00Z",
    }

    outside = house.send(house.narrowed, run)
    inside = house.send(house.narrowed, {**run, "id": str(uuid.uuid4()), "workspace": OPEN})

    assert outside.status_code in (403, 422), outside.text
    assert inside.status_code == 202, inside.text


def test_a_narrowed_key_cannot_make_itself_a_wider_one(house: House) -> None:
    wanted = {"principal": "amber-robot", "name": "wider", "roles": ["read"], "workspaces": None}

    assert house.ask(house.narrowed_admin, "POST", "/v1/keys", body=wanted).status_code == 403


def test_an_administrator_cannot_grant_what_reaches_beyond(house: House) -> None:
    wanted = {"principal": "amber-robot", "name": "wider", "roles": ["operator"]}

    assert house.ask(house.by_role["admin"], "POST", "/v1/keys", body=wanted).status_code == 403
    assert house.ask(house.cobalt, "POST", "/v1/organizations", body={"name": "x"}).status_code == (
        403
    )


def test_whoever_operates_the_installation_reads_no_ones_trail(house: House) -> None:
    key = house.by_role["operator"]
    for operation in protected(house):
        for asked in list(house.requests(operation, house.shut))[:2]:
            if operation.method != "GET":
                continue
            said = text_of(house.tell(key, asked))
            assert ONYX not in said, told(asked)
