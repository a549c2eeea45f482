"""The read API over a store, with one organization of its own and keys that need no database."""

import asyncio
import uuid
from types import TracebackType
from typing import Any, Self

import httpx
from httpx import Response

from control.authenticator import Principal
from control.errors import ControlUnavailableError, UnknownKeyError
from control.roles import Role
from query.app import build_query_app
from query.services import Check, QueryServices
from query.watermark_view import WatermarkView
from schemas.kinds import ActorKind
from tests.timeline.trail import LOST_AFTER_US, NOW_US, Trail
from timeline.store import Store

POSITION_SECRET = b"a secret of the tests"
READER, ANALYST, SENDER, OTHER, NARROW = "reader", "analyst", "sender", "other", "narrow"
AWAY = "away"


class Keys:
    """Ten lines instead of an authenticator."""

    def __init__(self, organization: str, other: str) -> None:
        mine = {READER: Role.READ, ANALYST: Role.ANALYST, SENDER: Role.SUBMIT, NARROW: Role.READ}
        self._keys = {token: (organization, role) for token, role in mine.items()}
        self._keys[OTHER] = (other, Role.READ)

    async def authenticate(self, token: str) -> Principal:
        if token == AWAY:
            raise ControlUnavailableError("the control database is away")
        if token not in self._keys:
            raise UnknownKeyError
        organization, role = self._keys[token]
        return Principal(
            organization=organization,
            actor="alice",
            actor_kind=ActorKind.PERSON,
            key_id="key-1",
            roles=frozenset({role, Role.READ}) if role is Role.ANALYST else frozenset({role}),
            workspace_patterns=("acme*",) if token == NARROW else None,
        )


class World:
    def __init__(self, store: Store, checks: dict[str, Check] | None = None) -> None:
        self.trail = Trail(store)
        self.other = Trail(store)
        # Partitions of its own: the store is shared with other tests.
        self.partition = 500_000 + uuid.uuid4().int % 2**30
        self.services = QueryServices(
            store=store,
            watermarks=WatermarkView(store),
            authenticator=Keys(self.trail.organization, self.other.organization),
            position_secret=POSITION_SECRET,
            partitions=1,
            lost_after_us=LOST_AFTER_US,
            deploy_actions=("deploy", "install"),
            wall_clock=lambda: NOW_US,
        )
        # What a server would answer, also where the app logs a bug of its own.
        transport = httpx.ASGITransport(
            build_query_app(self.services, checks), raise_app_exceptions=False
        )
        self._client = httpx.AsyncClient(transport=transport, base_url="http://opstrail.test")
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._runner.run(self._client.aclose())
        self._runner.close()

    def get(self, path: str, key: str | None = READER) -> Response:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return self.send("GET", path, headers)

    def send(self, method: str, path: str, headers: dict[str, str] | None = None) -> Response:
        return self._runner.run(self._client.request(method, path, headers=headers))

    def json(self, path: str, key: str = READER) -> Any:
        response = self.get(path, key)
        assert response.status_code == 200, response.text
        return response.json()
