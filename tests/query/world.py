"""The read API over a store, with one organization of its own and keys that need no database."""

import asyncio
import contextlib
import json
import tempfile
import uuid
from collections.abc import Coroutine
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from httpx import Response

from control.authenticator import Principal
from control.database import open_control
from control.errors import ControlUnavailableError, UnknownKeyError
from control.organizations import create_organization
from control.roles import Role, effective_roles
from query.app import build_query_app
from query.health import Check
from query.label_mirror import LabelMirror
from query.services import QueryServices
from query.watermark_view import WatermarkView
from runtime.key_rates import key_rates
from runtime.settings import Settings
from schemas.kinds import ActorKind
from schemas.times import to_datetime
from tests.support.access_log import MemoryAccessLog, failures, recorder
from tests.support.memory_log import MemoryLog
from tests.timeline.trail import LOST_AFTER_US, NOW_US, Trail
from timeline.store import Store

T = TypeVar("T")

POSITION_SECRET = b"a secret of the tests"
READER, ANALYST, SENDER, OTHER, NARROW = "reader", "analyst", "sender", "other", "narrow"
AWAY = "away"
ADMIN, NARROW_ADMIN = "admin", "narrow-admin"
OPERATOR, OTHER_ADMIN = "operator", "other-admin"


class Keys:
    """Ten lines instead of an authenticator."""

    def __init__(self, organization: str, other: str) -> None:
        mine = {READER: Role.READ, ANALYST: Role.ANALYST, SENDER: Role.SUBMIT, NARROW: Role.READ}
        self._keys = {token: (organization, role) for token, role in mine.items()}
        self._keys |= dict.fromkeys((ADMIN, NARROW_ADMIN), (organization, Role.ADMIN))
        self._keys[OTHER] = (other, Role.READ)
        self._keys |= {OPERATOR: (organization, Role.OPERATOR), OTHER_ADMIN: (other, Role.ADMIN)}

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
            roles=effective_roles({role}),
            workspace_patterns=("acme*",) if token in (NARROW, NARROW_ADMIN) else None,
        )


@cache
def migrated_control() -> bytes:
    """An empty control database as a file; made once, because each world takes one."""
    with tempfile.TemporaryDirectory(prefix="opstrail-") as folder:
        path = Path(folder, "control.db")
        control = open_control(f"sqlite:///{path}")
        control.migrate()
        control.close()  # now the file alone holds everything
        assert [each.name for each in path.parent.iterdir()] == [path.name]
        return path.read_bytes()


class World:
    def __init__(self, store: Store, checks: dict[str, Check] | None = None) -> None:
        self.trail = Trail(store)
        self.other = Trail(store)
        self._opened = contextlib.ExitStack()
        folder = self._opened.enter_context(tempfile.TemporaryDirectory(prefix="opstrail-"))
        path = Path(folder, "control.db")
        path.write_bytes(migrated_control())
        control = open_control(f"sqlite:///{path}")
        self._opened.callback(control.close)
        with control.writing() as connection:
            for name in (self.trail.organization, self.other.organization):
                create_organization(connection, name, now=to_datetime(NOW_US))
        self.access_log = MemoryAccessLog()
        self.log = MemoryLog()
        # Partitions of its own: the store is shared with other tests.
        self.partition = 500_000 + uuid.uuid4().int % 2**30
        self.services = QueryServices(
            store=store,
            control=control,
            label_mirror=LabelMirror(control, store),
            watermarks=WatermarkView(store),
            authenticator=Keys(self.trail.organization, self.other.organization),
            rates=key_rates(Settings()),
            access=recorder(self.access_log),
            log=self.log,
            append_timeout_s=1.0,
            failed_authentications=failures(self.access_log),
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
        self._opened.close()

    def get(self, path: str, key: str | None = READER) -> Response:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return self.send("GET", path, headers)

    def send(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        content: bytes | None = None,
    ) -> Response:
        return self._runner.run(
            self._client.request(method, path, headers=headers, content=content)
        )

    def put(self, path: str, body: Any, key: str = ADMIN) -> Response:
        """`body` as JSON, or as these bytes."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        return self.send("PUT", path, headers, content)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """On the loop that also answers."""
        return self._runner.run(work)

    def json(self, path: str, key: str = READER) -> Any:
        response = self.get(path, key)
        assert response.status_code == 200, response.text
        return response.json()
