"""What the tests of ingest share: a log in memory, keys by name, and a way to send."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from starlette.applications import Starlette

from control.authenticator import Principal
from control.errors import UnknownKeyError
from control.roles import Role
from ingest.app import EVENTS_PATH, build_ingest_app
from runtime.errors import LogUnavailableError, OpstrailError
from runtime.log import Position
from runtime.settings import Settings
from schemas.envelope import Envelope, Event, decode_envelope, encode_envelope
from schemas.kinds import ActorKind
from tests.support.access_log import failures

RECEIVED_AT: Final = 1_774_347_200_000_000
POSITION_SECRET: Final = b"a secret of the installation"
RUN_ID: Final = "8f0e7f3e-0c5f-4b57-9d3a-3c6f3a8c0001"
INSTANCE_ID: Final = "cli-8f3891b2"
# Planted where events hold strings; must never come back.
SECRET: Final = "ghp_1234abcdTOPsecret"


def run(**changes: Any) -> dict[str, Any]:
    """A valid action run; None takes a field away."""
    fields = {
        "type": "action_run",
        "id": RUN_ID,
        "workspace": "acme-infra",
        "block": "linux-patch",
        "action": "run",
        "started_at": "2026-03-24T10:05:00Z",
    } | changes
    return {name: value for name, value in fields.items() if value is not None}


def instance(**changes: Any) -> dict[str, Any]:
    """A valid snapshot of a CLI instance."""
    return {
        "type": "cli_instance",
        "id": INSTANCE_ID,
        "cli_version": "1.4.2",
        "os": "linux",
        "arch": "amd64",
        "hostname": "laptop-7",
    } | changes


def cloudevent(**changes: Any) -> dict[str, Any]:
    """A valid CloudEvent around a valid run; None takes a member away."""
    members = {
        "specversion": "1.0",
        "id": "1",
        "source": "/ci",
        "type": "anything",
        "data": run(),
    } | changes
    return {name: value for name, value in members.items() if value is not None}


def run_id(number: int) -> str:
    return f"8f0e7f3e-0c5f-4b57-9d3a-{number:012x}"


def padded_run(size_bytes: int, **changes: Any) -> bytes:
    """A valid run that is exactly so large as sent: spaces between members count."""
    text = json.dumps(run(**changes)).encode()
    return text[:-1] + b" " * (size_bytes - len(text)) + b"}"


def principal(**changes: Any) -> Principal:
    fields: dict[str, Any] = {
        "organization": "acme",
        "actor": "alice",
        "actor_kind": ActorKind.PERSON,
        "key_id": "key-1",
        "roles": frozenset({Role.SUBMIT}),
        "workspace_patterns": None,
    }
    return Principal(**(fields | changes))


@dataclass
class MemoryLog:
    """Keeps what real logs would: each envelope through the codec, and so proven to fit it."""

    error: Exception | None = None
    partitions: int = 1
    envelopes: list[Envelope] = field(default_factory=list)
    timeouts_s: list[float] = field(default_factory=list)

    async def append(self, envelopes: Sequence[Envelope], *, timeout_s: float) -> list[Position]:
        self.timeouts_s.append(timeout_s)
        if self.error is not None:
            raise self.error
        positions = []
        for envelope in envelopes:
            offset = len(self.envelopes)
            self.envelopes.append(decode_envelope(encode_envelope(envelope)))
            positions.append(Position(offset % self.partitions, offset // self.partitions))
        return positions

    async def ping(self, *, timeout_s: float) -> None:
        pass

    @property
    def events(self) -> list[Event]:
        return [event for envelope in self.envelopes for event in envelope.events]


@dataclass
class Keys:
    """Knows the keys it is told; asked counts how often it was asked."""

    known: dict[str, Principal] = field(default_factory=lambda: {"good": principal()})
    error: OpstrailError | None = None
    asked: int = 0

    async def authenticate(self, token: str) -> Principal:
        self.asked += 1
        if self.error is not None:
            raise self.error
        if token not in self.known:
            raise UnknownKeyError
        return self.known[token]


@dataclass
class Server:
    """The real app over fakes."""

    log: MemoryLog = field(default_factory=MemoryLog)
    keys: Keys = field(default_factory=Keys)
    settings: Settings = field(default_factory=Settings)

    def app(self) -> Starlette:
        return build_ingest_app(
            authenticator=self.keys,
            failed_authentications=failures(),
            log=self.log,
            position_secret=POSITION_SECRET,
            clock=lambda: RECEIVED_AT,
            settings=self.settings,
        )

    def send(
        self,
        body: Any = b"",
        *,
        media_type: str | None = "application/json",
        key: str | None = "good",
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        method: str = "POST",
        path: str = EVENTS_PATH,
    ) -> httpx.Response:
        """Send bytes as they are, an async iterator chunk by chunk, anything else as JSON."""
        is_content = isinstance(body, bytes | AsyncIterator)
        stated = list(headers.items() if isinstance(headers, Mapping) else headers)
        if media_type is not None:
            stated.append(("Content-Type", media_type))
        if key is not None:
            stated.append(("Authorization", f"Bearer {key}"))

        async def exchange() -> httpx.Response:
            transport = httpx.ASGITransport(self.app())
            async with httpx.AsyncClient(transport=transport, base_url="http://audit") as client:
                return await client.request(
                    method,
                    path,
                    content=body if is_content else json.dumps(body).encode(),
                    headers=stated,
                )

        return asyncio.run(exchange())


def log_away() -> MemoryLog:
    return MemoryLog(error=LogUnavailableError("broker kafka-1.internal:9092 does not answer"))


def problem(response: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    """The problem object, checked for what every problem has."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    content: dict[str, Any] = response.json()
    assert content["type"] == f"urn:opstrail:problem:{slug}"
    assert content["status"] == status
    assert content["title"]
    assert content["detail"]
    return content


def refused(response: httpx.Response) -> list[tuple[int, str, str | None]]:
    """(index, code, field) of each rejection, whatever the status."""
    return [
        (rejection["index"], rejection["code"], rejection.get("field"))
        for rejection in response.json()["rejected"]
    ]
