"""Who looked at the audit trail is on record: asked of the whole product in both modes by HTTP."""

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.contracts.test_system import run
from tests.support.opstrail import MODES, PLAIN_HTTP, Opstrail, User, running
from tests.support.processes import wait_until

WAIT_S = 60.0
PATH = "/v1/access-log"


@pytest.fixture(scope="module", params=MODES)
def system(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Opstrail]:
    folder = tmp_path_factory.mktemp(request.param)
    with running(request.param, folder, request.getfixturevalue) as system:
        yield system


@pytest.fixture
def admin(system: Opstrail) -> User:
    return User(system)


def ask(system: Opstrail, method: str, path: str, key: str, **more: Any) -> httpx.Response:
    return httpx.request(
        method,
        f"{system.reading_url}{path}",
        headers={"Authorization": f"Bearer {key}"},
        timeout=60,
        verify=PLAIN_HTTP,
        **more,
    )


def post(system: Opstrail, path: str, body: dict[str, Any], key: str | None = None) -> Any:
    answer = ask(system, "POST", path, key or system.admin_key, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def new_name(noun: str) -> str:
    return f"{noun}-{uuid.uuid4().hex[:12]}"


def reader(system: Opstrail, *roles: str) -> tuple[User, str]:
    """Somebody new with a key of their own, and the key's id."""
    name = new_name("reader")
    post(system, "/v1/principals", {"name": name, "kind": "person"})
    made = post(system, "/v1/keys", {"principal": name, "name": "test", "roles": list(roles)})
    return User(system, made["key"]), made["key_id"]


def accesses(admin: User, count: int, **filters: str) -> list[dict[str, Any]]:
    """Once there are so many, the newest first."""
    found: list[dict[str, Any]] = []

    def are_there() -> bool:
        nonlocal found
        found = admin.get(PATH, **filters)["items"]
        return len(found) >= count

    wait_until(are_there, timeout_s=WAIT_S, what=f"{count} accesses", poll_s=0.3)
    assert len(found) == count
    return found


def test_who_looked_at_a_case_is_on_record_for_the_own_administrator_alone(
    system: Opstrail, admin: User
) -> None:
    event = run(new_name("workspace"), "10:00:00", "10:05:00")
    admin.send(event)
    alice, key_id = reader(system, "read")
    other = post(system, "/v1/organizations", {"name": new_name("globex")})
    other_admin = User(system, other["admin"]["key"])

    alice.get(f"/v1/cases/action_run/{event['id']}")

    (access,) = accesses(admin, 1, key_id=key_id)
    assert access["action"] == "read"
    assert access["operation"] == "GET /v1/cases/{kind}/{id}"
    assert access["target"] == {"path": {"kind": "action_run", "id": event["id"]}}
    assert (access["status"], access["organization"], access["count"]) == (200, "default", 1)
    assert access["client"] == "127.0.0.1"
    assert other_admin.get(PATH, key_id=key_id)["items"] == []
    assert alice.ask(PATH).status_code == 403
    # That refusal is on record in its turn, and what the other administrator did in the other log.
    assert accesses(admin, 2, key_id=key_id)[0]["status"] == 403
    (own,) = accesses(other_admin, 1, limit="1")
    assert own["organization"] != "default"


def test_sql_and_an_export_are_on_record_with_their_rows(system: Opstrail, admin: User) -> None:
    workspace = new_name("workspace")
    admin.send(*(run(workspace, f"10:0{minute}:00", "10:30:00") for minute in range(3)))
    bob, key_id = reader(system, "analyst")
    query = "SELECT id FROM timeline WHERE workspace = {name:String}"
    body = {"query": query, "parameters": {"name": workspace}}
    bob_key = bob._http.headers["Authorization"].removeprefix("Bearer ")

    assert ask(system, "POST", "/v1/sql", bob_key, json=body).status_code == 200
    assert bob.ask("/v1/timeline", workspace=workspace, format="csv").status_code == 200

    # The rows of an export come with its end.
    wait_until(
        lambda: accesses(admin, 2, key_id=key_id)[0]["rows"] is not None,
        timeout_s=WAIT_S,
        what="the end of the export",
    )
    exported, asked = accesses(admin, 2, key_id=key_id)
    assert (asked["action"], asked["rows"], asked["target"]) == (
        *("sql", 3),
        {"sql": query, "parameters": {"name": workspace}},
    )
    assert (exported["action"], exported["rows"]) == ("export", 3)


def test_making_and_revoking_a_key_is_on_record_without_the_key(
    system: Opstrail, admin: User
) -> None:
    carol, key_id = reader(system, "read")
    key = carol._http.headers["Authorization"].removeprefix("Bearer ")

    assert ask(system, "DELETE", f"/v1/keys/{key_id}", system.admin_key).status_code == 200

    def writes() -> list[dict[str, Any]]:
        items = admin.get(PATH, action="write", limit="1000")["items"]
        return [item for item in items if key_id in str(item["target"])]

    wait_until(lambda: len(writes()) == 2, timeout_s=WAIT_S, what="both changes")
    revoked, made = writes()
    assert (made["operation"], made["status"]) == ("POST /v1/keys", 201)
    assert made["target"]["changed"]["key_id"] == key_id
    assert made["target"]["changed"]["roles"] == ["read"]
    assert (revoked["operation"], revoked["target"]["path"]) == (
        *("DELETE /v1/keys/{key_id}", {"key_id": key_id}),
    )
    everything = admin.ask(PATH, limit="1000").text + admin.ask(PATH, format="ndjson").text
    assert key not in everything
    assert "opstrail_" not in everything


def test_the_access_log_is_in_no_view_of_sql(system: Opstrail) -> None:
    for table in ("access_log", "opstrail.access_log"):
        query = {"query": f"SELECT * FROM {table}"}

        assert ask(system, "POST", "/v1/sql", system.admin_key, json=query).status_code == 400
