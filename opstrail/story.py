"""The story `opstrail demo` plays: two workspaces of acme in March 2026.

Bob syncs a commit, Alice patches the servers and looks at one of them by SSH; in production a CI
runner deploys nginx, and on Friday evening somebody restarts the database.
"""

from dataclasses import dataclass
from typing import Any, Final

from schemas.kinds import ActorKind

AUTOMATION: Final = "acme-corp-automation"
PRODUCTION: Final = "acme-prod"
SESSION_ID: Final = "c5f4411d-641a-4b0a-8ee6-291d1c725c20"
# Soon after the database was restarted.
OUTAGE_AT: Final = "2026-03-20T21:30:00+01:00"
_ALICE_CLI: Final = "cli-8f3891b2"
_RUNNER_CLI: Final = "cli-5d20c0ffee"
_NGINX: Final = "cargo.ayedo.cloud/ayedo/infra/nginx"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who sends a part of the story, with a key of their own."""

    name: str
    kind: ActorKind


ALICE: Final = Actor("alice", ActorKind.PERSON)
BOB: Final = Actor("bob", ActorKind.PERSON)
RUNNER: Final = Actor("gitlab-runner", ActorKind.SERVICE)


def story() -> list[tuple[Actor, list[dict[str, Any]]]]:
    """Who sends what, in the order it is sent: one request each."""
    return [
        (RUNNER, _production_deploys()),
        (BOB, [*_friday_restart(), _sync()]),
        (ALICE, [_instance(), _patch_run(), _session()]),
    ]


def _sync() -> dict[str, Any]:
    return {
        "type": "workspace_sync",
        "id": "0c19e60f-9d4f-4f3b-b9fb-909cb7ab2f37",
        "workspace": AUTOMATION,
        "user": "bob",
        "git": {"branch": "main", "before_sha": "dc3a1f7", "after_sha": "a42b9e1"},
        "encryption": {"enabled": True, "key_id": "age1qg4...", "status": "ok"},
        "result": "success",
        "timestamp": "2026-03-24T08:02:11Z",
    }


def _instance() -> dict[str, Any]:
    return {
        "type": "cli_instance",
        "id": _ALICE_CLI,
        "user": "alice",
        "cli_version": "0.8.4",
        "os": "linux",
        "arch": "amd64",
        "hostname": "alice-laptop",
        "first_seen": "2026-03-22T09:00:00Z",
        "last_seen": "2026-03-24T10:27:45Z",
    }


def _patch_run() -> dict[str, Any]:
    return {
        "type": "action_run",
        "id": "7b0f6a52-3c1e-4f0a-9c55-1f2f0c7f9d10",
        "workspace": AUTOMATION,
        "user": "alice",
        "os_user": "alice",
        "hostname": "alice-laptop",
        "cli_instance_id": _ALICE_CLI,
        "cli_version": "0.8.4",
        "block": "linux-patch",
        "block_from": "linux-patch",
        "block_version": "0.1.0",
        "action": "patch",
        "started_at": "2026-03-24T09:58:20Z",
        "finished_at": "2026-03-24T10:07:42Z",
        "duration_ms": 562_000,
        "exit_code": 0,
        "commit_sha": "a42b9e1",
        "reason": "monthly security updates",
        "ticket": "CHG-2041",
    }


def _session() -> dict[str, Any]:
    return {
        "type": "ssh_session",
        "id": SESSION_ID,
        "workspace": AUTOMATION,
        "user": "alice",
        "cli_instance_id": _ALICE_CLI,
        "host": {
            "inventory_name": "server01.acme-corp.com",
            "ansible_host": "10.0.12.34",
            "hostname_reported": "srv-web-01",
        },
        "started_at": "2026-03-24T10:12:03Z",
        "ended_at": "2026-03-24T10:27:45Z",
        "duration_seconds": 942,
        "exit_code": 0,
    }


def _production_deploys() -> list[dict[str, Any]]:
    common = {
        "type": "action_run",
        "workspace": PRODUCTION,
        "os_user": "gitlab-runner",
        "hostname": "gitlab-runner-42",
        "cli_instance_id": _RUNNER_CLI,
        "cli_version": "0.18.3",
        "block": "nginx",
        "action": "deploy",
    }
    failed = {
        **common,
        "id": "1d3d0e6b-52b5-4a8e-8f0b-6c2a7f1b0a01",
        "block_from": f"{_NGINX}:0.3.1",
        "started_at": "2026-03-19T14:00:05Z",
        "finished_at": "2026-03-19T14:01:35Z",
        "exit_code": 1,
        "status": "failed",
        "commit_sha": "5e1b90c",
    }
    repeated = {
        **common,
        "id": "1d3d0e6b-52b5-4a8e-8f0b-6c2a7f1b0a02",
        "block_from": f"{_NGINX}:0.3.1",
        "started_at": "2026-03-19T14:06:00Z",
        "finished_at": "2026-03-19T14:08:12Z",
        "exit_code": 0,
        "status": "success",
        "commit_sha": "5e1b90c",
        "retriggered_from": failed["id"],
    }
    sync = {
        "type": "workspace_sync",
        "id": "2f9f4a8c-0a5e-4b7a-9d0c-3e1f6a7b8c90",
        "workspace": PRODUCTION,
        "cli_instance_id": _RUNNER_CLI,
        "git": {"branch": "main", "before_sha": "77aa310", "after_sha": "5e1b90c"},
        "encryption": {"enabled": True, "key_id": "age1qg4...", "status": "ok"},
        "result": "success",
        "timestamp": "2026-03-19T13:58:40Z",
    }
    return [sync, failed, repeated]


def _friday_restart() -> list[dict[str, Any]]:
    return [
        {
            "type": "action_run",
            "id": "9a7c2b44-1e6d-4d5b-b1a5-0f4e8d3c2b1a",
            "workspace": PRODUCTION,
            "user": "bob",
            "os_user": "bob",
            "hostname": "laptop-bob",
            "cli_instance_id": "cli-b0b5c1a0",
            "cli_version": "0.18.3",
            "block": "db-maintenance",
            "block_from": "db-maintenance",
            "block_version": "0.1.0",
            "action": "restart",
            # A Friday, given as its sender's clock showed it.
            "started_at": "2026-03-20T21:17:00+01:00",
            "finished_at": "2026-03-20T21:18:24+01:00",
            "exit_code": 0,
            "reason": "connections exhausted",
            "ticket": "INC-308",
        }
    ]
