"""The dozen things of the month that the questions are about, placed by hand with fixed ids.

They stand at hours in which the rest of the month sends nothing, or beside decoys that differ from
them in one respect only: the environment, the offset, the outcome.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

Event = dict[str, Any]

PRODUCTION: Final = "acme-prod"
STAGING: Final = "acme-staging"
PLATFORM: Final = "platform"
SANDBOX: Final = "prod-sandbox"

NGINX: Final = "cargo.ayedo.cloud/ayedo/infra/nginx"
SHOP: Final = "cargo.ayedo.cloud/acme/shop"
SERVER: Final = "server01.acme-corp.com"

# Question 1: a day of server01, as its clock shows it. Question 14: a session and what led to it.
DAY_START: Final = "2026-03-24T00:00:00+01:00"
DAY_END: Final = "2026-03-25T00:00:00+01:00"
SESSION_AFTER_PATCH: Final = "c5f4411d-641a-4b0a-8ee6-291d1c725c20"
SESSION_OVERNIGHT: Final = "c5f4411d-641a-4b0a-8ee6-291d1c725c21"
SESSION_BY_OTHER_NAME: Final = "c5f4411d-641a-4b0a-8ee6-291d1c725c22"
SESSION_OTHER_SERVER: Final = "c5f4411d-641a-4b0a-8ee6-291d1c725c23"
PATCH_RUN: Final = "7b0f6a52-3c1e-4f0a-9c55-1f2f0c7f9d10"
# Question 15: what was in force then; a sync that failed lies between.
CONFIGURED_AT: Final = "2026-03-24T04:30:00+01:00"
SYNC_IN_FORCE: Final = "0c19e60f-9d4f-4f3b-b9fb-909cb7ab2f37"
COMMIT_IN_FORCE: Final = "a42b9e1"
# Question 3.
SESSION_OPEN: Final = "5e550000-0000-4000-8000-000000000001"
SESSION_LOST: Final = "5e550000-0000-4000-8000-000000000002"
SESSION_UNREACHED: Final = "5e550000-0000-4000-8000-000000000003"
SESSION_UNEXPLAINED: Final = "5e550000-0000-4000-8000-000000000004"
# Question 5: 21:17 where the company works; the others are elsewhere or an hour later.
RESTART: Final = "9a7c2b44-1e6d-4d5b-b1a5-0f4e8d3c2b1a"
RESTART_SANDBOX: Final = "9a7c2b44-1e6d-4d5b-b1a5-0f4e8d3c2b1b"
RESTART_AT_21_UTC: Final = "9a7c2b44-1e6d-4d5b-b1a5-0f4e8d3c2b1c"
# Question 6: 1.4.3 goes to the sandbox, fails twice, then staging, then production.
SHOP_SANDBOX: Final = "14300000-0000-4000-8000-000000000001"
SHOP_FAILED: Final = "14300000-0000-4000-8000-000000000002"
SHOP_FAILED_AGAIN: Final = "14300000-0000-4000-8000-000000000003"
SHOP_STAGING: Final = "14300000-0000-4000-8000-000000000004"
SHOP_PRODUCTION: Final = "14300000-0000-4000-8000-000000000005"
# Question 7.
INCIDENT_AT: Final = "2026-03-27T02:40:00+01:00"
SYNC_NIGHT: Final = "27000000-0000-4000-8000-000000000001"
DEPLOY_NIGHT: Final = "27000000-0000-4000-8000-000000000002"
MIGRATION_NIGHT: Final = "27000000-0000-4000-8000-000000000003"
SESSION_NIGHT: Final = "27000000-0000-4000-8000-000000000004"
# Question 9: later ones failed, or went to the sandbox.
NGINX_ROLLBACK: Final = "03100000-0000-4000-8000-000000000001"
NGINX_FAILED: Final = "03100000-0000-4000-8000-000000000002"
NGINX_SANDBOX: Final = "03100000-0000-4000-8000-000000000003"
# Question 16.
SYNC_PLAIN: Final = "16000000-0000-4000-8000-000000000001"
# Question 19.
CLAIM_RUN: Final = "19000000-0000-4000-8000-000000000001"
CLAIM_SESSION: Final = "19000000-0000-4000-8000-000000000002"
# Question 20: alice is named by a machine only.
OS_USER_RUN: Final = "20000000-0000-4000-8000-000000000001"


@dataclass(frozen=True, slots=True)
class Fact:
    """An event and whose key sends it. Its CLI instance is added with all others."""

    sender: str
    event: Event


def facts(now: datetime) -> list[Fact]:
    """`now`: one session is open since an hour ago and not yet lost."""
    return [
        *_patched_server(),
        *_sessions(now),
        *_friday_restarts(),
        *_shop(),
        *_night(),
        *_nginx(),
        *_odd_ones(),
    ]


def run(sender: str, id_: str, workspace: str, start: str, end: str, **fields: Any) -> Fact:
    """Successful unless it says otherwise."""
    event = {
        "type": "action_run",
        "id": id_,
        "workspace": workspace,
        "started_at": start,
        "finished_at": end,
        "exit_code": 0,
        **fields,
    }
    return Fact(sender, event)


def session(
    sender: str, id_: str, workspace: str, host: Event, start: str, end: str | None, **fields: Any
) -> Fact:
    event = {
        "type": "ssh_session",
        "id": id_,
        "workspace": workspace,
        "host": host,
        "started_at": start,
        **fields,
    }
    if end is not None:
        event = {"exit_code": 0, **event, "ended_at": end}
    return Fact(sender, event)


def sync(sender: str, id_: str, workspace: str, at: str, commit: str, **fields: Any) -> Fact:
    event = {
        "type": "workspace_sync",
        "id": id_,
        "workspace": workspace,
        "timestamp": at,
        "result": "success",
        "git": {"branch": "main", "after_sha": commit},
        "encryption": {"enabled": True, "key_id": "age1qg4", "status": "ok"},
        **fields,
    }
    return Fact(sender, event)


def host_named(name: str) -> Event:
    return {"inventory_name": name}


def _patched_server() -> list[Fact]:
    server = {
        "inventory_name": SERVER,
        "ansible_host": "10.0.12.34",
        "hostname_reported": "srv-web-01",
    }
    patch = {"block": "linux-patch", "block_from": "linux-patch", "block_version": "0.1.0"}
    return [
        sync("bob", SYNC_IN_FORCE, PRODUCTION, "2026-03-24T03:02:11Z", COMMIT_IN_FORCE),
        sync(
            "dave",
            "0c19e60f-9d4f-4f3b-b9fb-909cb7ab2f38",
            PRODUCTION,
            "2026-03-24T03:20:00Z",
            "bad0bad",
            result="conflict",
        ),
        run(
            "alice",
            PATCH_RUN,
            PRODUCTION,
            "2026-03-24T03:58:20Z",
            "2026-03-24T04:07:42Z",
            **patch,
            action="patch",
            commit_sha=COMMIT_IN_FORCE,
            ticket="CHG-2041",
            reason="monthly security updates",
        ),
        session(
            "alice",
            SESSION_AFTER_PATCH,
            PRODUCTION,
            server,
            "2026-03-24T04:12:03Z",
            "2026-03-24T04:27:45Z",
        ),
        session(
            "dave",
            SESSION_OVERNIGHT,
            PRODUCTION,
            server,
            "2026-03-23T22:00:00Z",
            "2026-03-23T23:30:00Z",
        ),
        session(
            "carol",
            SESSION_BY_OTHER_NAME,
            PLATFORM,
            {"inventory_name": "edge-01", "hostname_reported": SERVER},
            "2026-03-24T04:40:00Z",
            "2026-03-24T04:50:00Z",
        ),
        session(
            "carol",
            SESSION_OTHER_SERVER,
            PRODUCTION,
            host_named("server010.acme-corp.com"),
            "2026-03-24T04:41:00Z",
            "2026-03-24T04:51:00Z",
        ),
    ]


def _sessions(now: datetime) -> list[Fact]:
    hour_ago = (now - timedelta(hours=1)).isoformat()
    return [
        session("bob", SESSION_OPEN, PRODUCTION, host_named("db01.acme-corp.com"), hour_ago, None),
        session(
            "dave", SESSION_LOST, STAGING, host_named("stage01.acme-corp.com"),
            "2026-03-29T04:00:00Z", None,
        ),
        session(
            "bob", SESSION_UNREACHED, PRODUCTION, host_named("gone.acme-corp.com"),
            "2026-03-17T04:00:00Z", "2026-03-17T04:00:09Z", exit_code=255,
        ),
        session(
            "erin", SESSION_UNEXPLAINED, PRODUCTION, host_named("db01.acme-corp.com"),
            "2026-03-11T04:30:00Z", "2026-03-11T04:45:00Z",
        ),
    ]  # fmt: skip


def _friday_restarts() -> list[Fact]:
    restart = {
        "block": "db-maintenance",
        "block_from": "db-maintenance",
        "block_version": "0.1.0",
        "action": "restart",
    }
    return [
        run(
            "bob", RESTART, PRODUCTION,
            "2026-03-20T21:17:00+01:00", "2026-03-20T21:18:24+01:00",
            **restart, reason="connections exhausted", ticket="INC-308",
        ),
        run(
            "dave", RESTART_SANDBOX, SANDBOX,
            "2026-03-20T21:17:00+01:00", "2026-03-20T21:18:00+01:00", **restart,
        ),
        run(
            "carol", RESTART_AT_21_UTC, PRODUCTION,
            "2026-03-20T21:17:00Z", "2026-03-20T21:18:00Z", **restart,
        ),
    ]  # fmt: skip


def _shop() -> list[Fact]:
    shop = {"block": "shop", "block_from": f"{SHOP}:1.4.3", "action": "deploy"}
    runner = "gitlab-runner"
    return [
        run(
            "dave", SHOP_SANDBOX, SANDBOX, "2026-03-22T04:00:00Z", "2026-03-22T04:03:00Z", **shop
        ),
        run(
            runner, SHOP_FAILED, PRODUCTION, "2026-03-23T04:00:00Z", "2026-03-23T04:02:00Z",
            **{**shop, "exit_code": 2}, user="carol",
        ),
        run(
            "carol", SHOP_FAILED_AGAIN, PRODUCTION, "2026-03-23T04:10:00Z", "2026-03-23T04:11:00Z",
            **{**shop, "exit_code": 2}, retriggered_from=SHOP_FAILED,
        ),
        run(
            runner, SHOP_STAGING, STAGING, "2026-03-24T05:00:00Z", "2026-03-24T05:04:00Z",
            **shop, user="carol",
        ),
        run(
            runner, SHOP_PRODUCTION, PRODUCTION, "2026-03-25T04:30:00Z", "2026-03-25T04:34:12Z",
            **shop, user="carol", retriggered_from=SHOP_FAILED_AGAIN,
        ),
    ]  # fmt: skip


def _night() -> list[Fact]:
    """What lies before the incident, what runs at it, and what comes too late to be its cause."""
    nginx = {"block": "nginx", "block_from": f"{NGINX}:0.3.2", "action": "deploy"}
    migration = {"block": "db-maintenance", "block_version": "0.1.0", "action": "migrate"}
    return [
        sync("carol", SYNC_NIGHT, PRODUCTION, "2026-03-26T22:10:00Z", "beef123"),
        run(
            "gitlab-runner", DEPLOY_NIGHT, PRODUCTION,
            "2026-03-26T23:15:00Z", "2026-03-26T23:17:30Z", **nginx, commit_sha="beef123",
        ),
        run(
            "alice", MIGRATION_NIGHT, PRODUCTION,
            "2026-03-27T01:30:00Z", "2026-03-27T02:05:00Z", **migration, ticket="CHG-2077",
        ),
        session(
            "alice", SESSION_NIGHT, PRODUCTION, host_named("db01.acme-corp.com"),
            "2026-03-27T01:35:00Z", "2026-03-27T02:20:00Z",
        ),
        run(
            "bob", "27000000-0000-4000-8000-000000000005", PRODUCTION,
            "2026-03-27T01:45:00Z", "2026-03-27T01:46:00Z", **{**nginx, "action": "restart"},
        ),
    ]  # fmt: skip


def _nginx() -> list[Fact]:
    nginx = {"block": "nginx", "block_from": f"{NGINX}:0.3.1", "action": "deploy"}
    return [
        run(
            "bob", NGINX_ROLLBACK, PLATFORM, "2026-03-28T04:00:00Z", "2026-03-28T04:02:00Z",
            **nginx, reason="0.3.2 leaks memory",
        ),
        run(
            "bob", NGINX_FAILED, PRODUCTION, "2026-03-29T04:00:00Z", "2026-03-29T04:01:00Z",
            **{**nginx, "exit_code": 1},
        ),
        run(
            "dave", NGINX_SANDBOX, SANDBOX, "2026-03-30T04:00:00Z", "2026-03-30T04:02:00Z", **nginx
        ),
    ]  # fmt: skip


def _odd_ones() -> list[Fact]:
    return [
        sync(
            "dave", SYNC_PLAIN, PRODUCTION, "2026-03-18T04:20:00Z", "0ff0ff0",
            encryption={"enabled": False},
        ),
        run(
            "carol", CLAIM_RUN, STAGING, "2026-03-13T04:00:00Z", "2026-03-13T04:01:00Z",
            block="nginx", block_from=f"{NGINX}:0.3.1", action="restart", user="bob",
        ),
        session(
            "dave", CLAIM_SESSION, PLATFORM, host_named("plat01.acme-corp.com"),
            "2026-03-14T04:00:00Z", "2026-03-14T04:20:00Z", user="alice",
        ),
        run(
            "backup-bot", OS_USER_RUN, PLATFORM, "2026-03-15T04:00:00Z", "2026-03-15T04:30:00Z",
            block="backup", block_version="2.0.0", action="backup", os_user="alice",
        ),
    ]  # fmt: skip
