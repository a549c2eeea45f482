"""The real HTTP edge over a log in memory, and builders for what is sent to it."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import httpx

from control.authenticator import Principal
from control.errors import UnknownKeyError
from control.roles import Role
from ingest.app import ingest_routes
from opstrail.http_app import build_http_app
from runtime.errors import LogUnavailableError
from runtime.log import Position
from runtime.settings import load_settings
from schemas.envelope import Envelope
from schemas.kinds import ActorKind
from tests.support.access_log import failures

SECRET = b"position secret of the tests"
SESSION_ID = "c5f4411d-641a-4b0a-8ee6-291d1c725c20"


class MemoryLog:
    """Durable for as long as the test lasts."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.is_away = False

    async def append(self, envelopes: Sequence[Envelope], *, timeout_s: float) -> list[Position]:
        if self.is_away:
            raise LogUnavailableError("away")
        first = len(self.envelopes)
        self.envelopes += envelopes
        return [Position(0, first + place) for place in range(len(envelopes))]

    async def ping(self, *, timeout_s: float) -> None:
        if self.is_away:
            raise LogUnavailableError("away")


class Keys:
    """`sender` may send, `reader` may only read."""

    async def authenticate(self, token: str) -> Principal:
        roles = {"sender": Role.SUBMIT, "reader": Role.READ}
        if token not in roles:
            raise UnknownKeyError
        return Principal(
            organization="default",
            actor="admin",
            actor_kind=ActorKind.SERVICE,
            key_id="key-1",
            roles=frozenset({roles[token]}),
            workspace_patterns=None,
        )


class Edge:
    """Ask it as a client would."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.app = build_http_app(
            ingest_routes(
                authenticator=Keys(),
                failed_authentications=failures(),
                log=self.log,
                position_secret=SECRET,
                clock=lambda: 1_774_360_000_000_000,
                settings=load_settings(),
            )
        )

    def post(
        self,
        content: Any,
        media_type: str | None = "application/json",
        *,
        key: str | None = "sender",
        headers: dict[str, str] | None = None,
        method: str = "POST",
    ) -> httpx.Response:
        """`content`: bytes or chunks as they are, anything else as JSON."""
        sent: dict[str, str] = dict(headers or {})
        if media_type is not None:
            sent["Content-Type"] = media_type
        if key is not None:
            sent["Authorization"] = f"Bearer {key}"
        if isinstance(content, str | dict | list):
            content = json.dumps(content).encode()

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, "/v1/events", content=content, headers=sent)

        return asyncio.run(ask())

    def rejection_of(self, event: Any) -> dict[str, Any]:
        """The one rejection of an event sent alone."""
        answer = self.post([event])
        assert answer.status_code == 422, answer.text
        (rejection,) = answer.json()["rejected"]
        found: dict[str, Any] = rejection
        return found


def session(**changes: Any) -> dict[str, Any]:
    """The session of the published example; a change to None takes a field away."""
    event = {
        "type": "ssh_session",
        "id": SESSION_ID,
        "workspace": "acme-corp-automation",
        "user": "alice",
        "cli_instance_id": "cli-8f3891b2",
        "host": {
            "inventory_name": "server01.acme-corp.com",
            "ansible_host": "10.0.12.34",
            "hostname_reported": "srv-web-01",
        },
        "started_at": "2026-03-24T10:12:03Z",
        "ended_at": "2026-03-24T10:27:45Z",
        "duration_seconds": 942,
        "exit_code": 0,
        **changes,
    }
    return {name: value for name, value in event.items() if value is not None}
