"""Answers of the API as the commands get them; each keyword says what a test is about."""

from typing import Any

Json = dict[str, Any]

SESSION_ID = "c5f4411d-641a-4b0a-8ee6-291d1c725c20"
RUN_ID = "7b0f6a52-3c1e-4f0a-9c55-1f2f0c7f9d10"
SYNC_ID = "0c19e60f-9d4f-4f3b-b9fb-909cb7ab2f37"
# As long as a field may be, without a place to break, and what rich would read as colour.
LONG = "x" * 256
MARKUP = "[red]not red[/red] [/] [link=http://evil]:bomb:"


def entry(**fields: Any) -> Json:
    """What all kinds have."""
    return {
        "organization": "default",
        "workspace": "acme",
        "environment": "production",
        "occurred_at": "2026-03-24T10:12:03.000000Z",
        "ended_at": "2026-03-24T10:27:45.000000Z",
        "duration_ms": 942_000,
        "status": "ended",
        "actor": "alice",
        "actor_kind": "person",
        "key_id": "key-1",
        "user": None,
        "os_user": None,
        "hostname": "alice-laptop",
        "cli_instance_id": "cli-8f3891b2",
        "cli_version": "0.8.4",
        "client_seq": None,
        "reason": None,
        "ticket": None,
        "configured_by": None,
        "links": [],
        "links_omitted": False,
        "unexplained": None,
        "flags": [],
        "received_at": "2026-03-24T10:28:00.000000Z",
        "revision": 1,
        **fields,
    }


def session(**fields: Any) -> Json:
    host = {"inventory_name": "server01", "ansible_host": "10.0.12.34", "hostname_reported": None}
    own = {"kind": "ssh_session", "id": SESSION_ID, "host": host, "exit_code": 0}
    return entry(**{**own, "unexplained": False, **fields})


def run(**fields: Any) -> Json:
    own = {
        "kind": "action_run",
        "id": RUN_ID,
        "occurred_at": "2026-03-24T09:58:20.000000Z",
        "ended_at": "2026-03-24T10:07:42.000000Z",
        "duration_ms": 562_000,
        "status": "successful",
        "block": "linux-patch",
        "block_from": "linux-patch",
        "block_name": "linux-patch",
        "block_version": "0.1.0",
        "action": "patch",
        "exit_code": 0,
        "commit_sha": "a42b9e1",
        "retriggered_from": None,
    }
    return entry(**{**own, **fields})


def sync(**fields: Any) -> Json:
    own = {
        "kind": "workspace_sync",
        "id": SYNC_ID,
        "occurred_at": "2026-03-24T08:02:11.000000Z",
        "ended_at": None,
        "duration_ms": None,
        "status": "successful",
        "actor": "bob",
        "result": "success",
        "git": {"branch": "main", "before_sha": "dc3a1f7", "after_sha": "a42b9e1"},
        "encryption": {"enabled": True, "key_id": "age1", "status": "ok"},
    }
    return entry(**{**own, **fields})


def link(**fields: Any) -> Json:
    return {
        "id": "eb391e9a-893f-5ad8-b199-cf61bf84fb02",
        "rule": "after",
        "confidence": "exact",
        "gap_ms": 261_000,
        "explanation": "the run ended 4 min 21 s before the start",
        **fields,
    }


def configuration(**fields: Any) -> Json:
    return {
        "sync_id": SYNC_ID,
        "commit": "a42b9e1",
        "branch": "main",
        "confidence": "likely",
        "behind": False,
        "explanation": "last successful sync in the workspace before the start",
        "sync": sync(),
        "brought_by": "bob",
        "synced_at": "2026-03-24T08:02:11.000000Z",
        **fields,
    }


def gap(**fields: Any) -> Json:
    return {
        "cli_instance_id": "cli-8f3891b2",
        "first_missing": 42,
        "last_missing": 48,
        "missing": 7,
        "from": "2026-03-24T10:00:01.000000Z",
        "to": "2026-03-24T10:04:00.000000Z",
        **fields,
    }


WATERMARK: Json = {"complete_until": "2026-03-24T12:00:00.000000Z"}


def case(**parts: Any) -> Json:
    return {
        "entry": session(),
        "configuration": configuration(),
        "before": [{**run(), "link": link()}],
        "during": [],
        "after": [],
        "tool": {
            "version": "0.8.4",
            "observed_at": "2026-03-24T10:12:03.000000Z",
            "source": "record",
        },
        "machine": {"hostname": "alice-laptop", "source": "record"},
        "actor_work": [],
        "gaps": [],
        "omitted": {
            "before": False,
            "during": False,
            "after": False,
            "actor_work": False,
            "gaps": False,
        },
        "complete": True,
        "watermark": WATERMARK,
        **parts,
    }


def incident(**parts: Any) -> Json:
    return {
        "at": "2026-03-24T10:20:00.000000Z",
        "from": "2026-03-24T02:20:00.000000Z",
        "before": [run(), sync()],
        "during": [session()],
        "configuration": [
            {
                "workspace": "acme",
                "environment": "production",
                "commit": "a42b9e1",
                "branch": "main",
                "sync_id": SYNC_ID,
                "synced_at": "2026-03-24T08:02:11.000000Z",
                "brought_by": "bob",
            }
        ],
        "tools": [
            {
                "cli_instance_id": "cli-8f3891b2",
                "version": "0.8.4",
                "observed_at": "2026-03-24T10:12:03.000000Z",
                "hostname": "alice-laptop",
            }
        ],
        "actors": [
            {"actor": "alice", "actor_kind": "person", "runs": 1, "sessions": 1, "syncs": 0}
        ],
        "gaps": [],
        "omitted": {"before": False, "during": False},
        "complete": True,
        "watermark": WATERMARK,
        **parts,
    }


def deployment(**fields: Any) -> Json:
    return {
        "run_id": RUN_ID,
        "environment": "production",
        "workspace": "acme-prod",
        "block": "nginx",
        "block_name": "cargo.ayedo.cloud/ayedo/infra/nginx",
        "block_version": "0.3.1",
        "action": "deploy",
        "started_at": "2026-03-19T14:06:00.000000Z",
        "deployed_at": "2026-03-19T14:08:12.000000Z",
        "duration_ms": 132_000,
        "actor": "gitlab-runner",
        "hostname": "gitlab-runner-42",
        "commit": "5e1b90c",
        **fields,
    }


def instance(**fields: Any) -> Json:
    return {
        "id": "cli-8f3891b2",
        "cli_version": "0.8.4",
        "os": "linux",
        "arch": "amd64",
        "hostname": "alice-laptop",
        "first_seen": "2026-03-22T09:00:00.000000Z",
        "last_seen": "2026-03-24T10:27:45.000000Z",
        "actors": ["alice"],
        "versions": [
            {
                "version": "0.8.4",
                "first_seen": "2026-03-22T09:00:00.000000Z",
                "last_seen": "2026-03-24T10:27:45.000000Z",
            }
        ],
        **fields,
    }


def result(columns: dict[str, str], *rows: list[Any], truncated: bool = False) -> Json:
    return {
        "columns": [{"name": name, "type": type_} for name, type_ in columns.items()],
        "rows": list(rows),
        "truncated": truncated,
        "elapsed_ms": 12,
    }


def page(*items: Json, next_cursor: str | None = None) -> Json:
    return {"items": list(items), "next_cursor": next_cursor, "watermark": WATERMARK}
