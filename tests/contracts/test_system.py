"""What users are promised, asked of the whole product in both modes by HTTP alone."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from opstrail.story import AUTOMATION, SESSION_ID, story
from tests.support.opstrail import MODES, Event, Opstrail, User, running


@pytest.fixture(scope="module", params=MODES)
def system(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Opstrail]:
    folder = tmp_path_factory.mktemp(request.param)
    with running(request.param, folder, request.getfixturevalue) as system:
        yield system


@pytest.fixture
def user(system: Opstrail) -> Iterator[User]:
    user = User(system)
    yield user
    user.close()


@pytest.fixture
def workspace() -> str:
    """A workspace of the test's own, so that tests can share an installation."""
    return f"test-{uuid.uuid4().hex[:12]}"


def new_id() -> str:
    return str(uuid.uuid4())


def run(workspace: str, start: str, end: str | None = None, **more: Any) -> Event:
    event = {
        "type": "action_run",
        "id": new_id(),
        "workspace": workspace,
        "block": "nginx",
        "action": "deploy",
        "started_at": f"2026-03-24T{start}Z",
        **more,
    }
    return event if end is None else {**event, "finished_at": f"2026-03-24T{end}Z", "exit_code": 0}


def session(workspace: str, start: str, end: str | None = None, **more: Any) -> Event:
    event = {
        "type": "ssh_session",
        "id": new_id(),
        "workspace": workspace,
        "host": {"inventory_name": "server01"},
        "started_at": f"2026-03-24T{start}Z",
        **more,
    }
    return event if end is None else {**event, "ended_at": f"2026-03-24T{end}Z", "exit_code": 0}


def sync(workspace: str, at: str, sha: str, **more: Any) -> Event:
    return {
        "type": "workspace_sync",
        "id": new_id(),
        "workspace": workspace,
        "timestamp": f"2026-03-24T{at}Z",
        "result": "success",
        "git": {"branch": "main", "after_sha": sha},
        **more,
    }


def record(user: User, event: Event) -> dict[str, Any]:
    return user.get(f"/v1/records/{event['type']}/{event['id']}", workspace=event["workspace"])


def test_the_story_reads_as_it_happened(user: User) -> None:
    for _, events in story():
        user.send(*events)

    entry = user.get(f"/v1/records/ssh_session/{SESSION_ID}")

    assert entry["workspace"] == AUTOMATION
    assert entry["host"]["inventory_name"] == "server01.acme-corp.com"
    assert entry["configured_by"]["commit"] == "a42b9e1"
    assert entry["configured_by"]["branch"] == "main"
    assert entry["configured_by"]["behind"] is False
    (link,) = entry["links"]
    assert (link["rule"], link["confidence"], link["gap_ms"]) == ("after", "exact", 261_000)
    assert "4 min 21 s" in link["explanation"]
    assert entry["unexplained"] is False
    assert user.get(f"/v1/records/action_run/{link['target']['id']}")["block"] == "linux-patch"
    restart = user.timeline(
        from_="2026-03-20T21:00:00+01:00", to="2026-03-20T22:00:00+01:00", block="db-maintenance"
    )
    assert [each["user"] for each in restart] == ["bob"]


def test_a_late_event_changes_an_earlier_entry_at_a_higher_revision(
    user: User, workspace: str
) -> None:
    visit = session(workspace, "10:00:00", "10:10:00")
    user.send(visit)
    alone = record(user, visit)
    assert (alone["links"], alone["configured_by"], alone["unexplained"]) == ([], None, True)

    user.send(sync(workspace, "08:00:00", "a42b9e1"))
    user.send(run(workspace, "09:00:00", "09:30:00"))

    later = record(user, visit)
    assert later["configured_by"]["commit"] == "a42b9e1"
    assert [link["rule"] for link in later["links"]] == ["after"]
    assert later["unexplained"] is False
    assert later["revision"] > alone["revision"]


def test_sending_again_changes_no_entry(user: User, workspace: str) -> None:
    events = [
        sync(workspace, "08:00:00", "a42b9e1"),
        run(workspace, "09:00:00", "09:30:00"),
        session(workspace, "09:10:00", "09:20:00"),
    ]
    user.send(*events)
    before = user.timeline(workspace=workspace)
    assert len(before) == 3

    user.send(*events)

    assert user.timeline(workspace=workspace) == before


def test_a_closed_snapshot_beats_open_ones_whatever_came_first(user: User, workspace: str) -> None:
    closed = session(workspace, "10:00:00", "10:10:00")
    opened = {name: closed[name] for name in ("type", "id", "workspace", "host", "started_at")}

    user.send(closed)
    user.send({**opened, "ticket": "CHG-17"})

    entry = record(user, closed)
    assert (entry["status"], entry["ticket"]) == ("ended", "CHG-17")
    assert entry["duration_ms"] == 600_000


def test_a_contradicting_snapshot_is_set_aside_and_flagged(user: User, workspace: str) -> None:
    closed = run(workspace, "10:00:00", "10:10:00")
    user.send(closed)

    answer = user.send({**closed, "exit_code": 1})

    assert answer["accepted"] == 1
    entry = record(user, closed)
    assert (entry["exit_code"], entry["flags"]) == (0, ["conflicting_snapshot", "late"])


def test_what_was_received_is_kept_as_it_came_and_what_was_not_used_with_its_reason(
    user: User, workspace: str
) -> None:
    closed = run(
        workspace, "10:00:00", "10:10:00.5", client_seq=2**63 - 1, reason="größer", duration_ms=9
    )
    opened = {name: closed[name] for name in ("type", "id", "workspace", "block", "action")}
    opened |= {"started_at": "2026-03-24T11:00:00+01:00", "ticket": "CHG-17", "status": "pending"}
    user.send(opened)
    user.send(session(workspace, "10:20:00"), closed)
    user.send({**closed, "exit_code": 1})

    page = user.get(f"/v1/records/action_run/{closed['id']}/history")

    received = {
        **closed,
        "started_at": "2026-03-24T10:00:00.000000Z",
        "finished_at": "2026-03-24T10:10:00.500000Z",
    }
    assert [item["event"] for item in page["items"]] == [
        {**opened, "started_at": received["started_at"], "status": "running"},
        received,
        {**received, "exit_code": 1},
    ]
    first, second, dead = page["items"]
    assert (first["dead_reason"], second["dead_reason"]) == (None, None)
    assert dead["dead_reason"] == "conflicting_snapshot"
    assert dead["detail"]
    entry = record(user, closed)
    assert {(item["actor"], item["actor_kind"]) for item in page["items"]} == {
        (entry["actor"], entry["actor_kind"])
    }
    assert (second["key_id"], first["received_at"]) == (entry["key_id"], entry["received_at"])
    assert page["watermark"]["complete_until"] is not None

    letters = user.get("/v1/dead-letters", workspace=workspace)

    (letter,) = letters["items"]
    assert (letter["kind"], letter["record_id"]) == ("action_run", closed["id"])
    assert (letter["reason"], letter["detail"]) == (dead["dead_reason"], dead["detail"])
    assert (letter["event"], letter["received_at"]) == (dead["event"], dead["received_at"])

    # Sent again, all of it is one more time on the log, and no more on the timeline.
    user.send(closed)
    assert len(user.get(f"/v1/records/action_run/{closed['id']}/history")["items"]) == 4
    assert len(user.get("/v1/dead-letters", workspace=workspace)["items"]) == 1
    assert record(user, closed) == entry


def test_an_entry_holds_every_field_of_the_contract(user: User, workspace: str) -> None:
    event = run(workspace, "10:00:00", "10:00:30.5", block_from="r.example/x/nginx:0.3.1")
    user.send(event)

    entry = record(user, event)

    assert entry.keys() >= {
        *("kind", "id", "organization", "workspace", "environment", "occurred_at", "ended_at"),
        *("duration_ms", "status", "actor", "actor_kind", "key_id", "user", "os_user", "hostname"),
        *("cli_instance_id", "cli_version", "reason", "ticket", "configured_by", "links"),
        *("links_omitted", "unexplained", "flags", "received_at", "revision", "block"),
        *("block_from", "block_name", "block_version", "action", "exit_code", "commit_sha"),
        "retriggered_from",
    }
    assert (entry["block_name"], entry["block_version"]) == ("r.example/x/nginx", "0.3.1")
    assert (entry["organization"], entry["actor"]) == ("default", "admin")
    assert (entry["duration_ms"], entry["status"]) == (30_500, "successful")
    assert entry["user"] is None


def test_the_register_knows_each_instance_and_its_versions(user: User, workspace: str) -> None:
    instance_id = f"cli-{uuid.uuid4().hex[:16]}"
    user.send(
        run(workspace, "10:00:00", "10:10:00", cli_instance_id=instance_id, cli_version="0.8.4"),
        session(workspace, "12:00:00", None, cli_instance_id=instance_id, cli_version="0.9.0"),
        {
            "type": "cli_instance",
            "id": instance_id,
            "cli_version": "0.8.4",
            "os": "linux",
            "arch": "amd64",
            "hostname": "laptop",
            "first_seen": "2026-03-22T09:00:00Z",
            "last_seen": "2026-03-24T11:00:00Z",
        },
    )

    found = user.get(f"/v1/cli-instances/{instance_id}")

    assert found["first_seen"] == "2026-03-22T09:00:00.000000Z"
    assert found["last_seen"] == "2026-03-24T12:00:00.000000Z"
    assert (found["os"], found["hostname"], found["cli_version"]) == ("linux", "laptop", "0.9.0")
    assert [each["version"] for each in found["versions"]] == ["0.8.4", "0.9.0"]


def test_the_watermark_moves_on_when_nothing_is_sent(user: User, workspace: str) -> None:
    user.send(session(workspace, "10:00:00", "10:10:00"))
    first = user.get("/v1/timeline", limit="1")["watermark"]["complete_until"]

    for _ in range(100):
        later = user.get("/v1/timeline", limit="1")["watermark"]["complete_until"]
        if first is not None and later > first:
            return
    pytest.fail(f"still {later}")


def test_positions_of_others_and_made_up_ones_are_unknown(user: User) -> None:
    assert user.ask("/v1/positions/abc").status_code == 404


def test_health_is_told_without_a_key(system: Opstrail) -> None:
    nobody = User(system, key="none")
    for url in {system.sending_url, system.reading_url}:
        assert nobody._http.get(f"{url}/healthz").status_code == 200
        ready = nobody._http.get(f"{url}/readyz")
        assert (ready.status_code, ready.json()["ready"]) == (200, True)
        assert "opstrail_http_requests" in nobody._http.get(f"{url}/metrics").text
    assert nobody.ask("/v1/timeline").status_code == 401
    nobody.close()


def test_the_process_stays_up_and_leaks_nothing_whatever_is_sent(
    system: Opstrail, user: User, workspace: str
) -> None:
    secret = "ghp_0123456789abcdefABCDEF0123456789abcd"
    bad = session(workspace, "10:00:00", "10:10:00", reason=secret)
    for body in (b"{", b"[NaN]", b"\xff", json.dumps([bad]).encode(), b"[" * 100_000):
        answer = user._http.post(
            f"{system.sending_url}/v1/events",
            content=body,
            headers={"Content-Type": "application/json"},
        )
        assert answer.status_code in {400, 422}
        assert secret not in answer.text
    user.send(session(workspace, "10:00:00", "10:10:00"))
    logs = [path.read_text() for path in system.folder.rglob("*.log")]  # type: ignore[attr-defined]
    assert not any(secret in text for text in logs)
