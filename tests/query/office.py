"""The part of the API that manages who may do what, with real keys and clocks that stand still."""

import asyncio
import json
from types import TracebackType
from typing import Any, Self, cast

import httpx
from httpx import Response

from control.authenticator import Authenticator
from control.database import Control
from control.roles import Role
from query.app import query_routes
from query.services import query_services
from runtime.http import build_app
from runtime.settings import Settings
from schemas.times import to_us
from tests.control.world import Clocks, issue, keys_of, settle
from tests.support.access_log import MemoryAccessLog, failures
from tests.support.memory_log import MemoryLog

ACME, GLOBEX = "acme", "globex"


class Office:
    """Organizations acme and globex; `admin` is a key of acme, as text.

    There is no timeline behind it: only what manages can be asked for.
    """

    def __init__(self, control: Control) -> None:
        self.control = control
        self.clocks = Clocks()
        self.access_log = MemoryAccessLog()
        settle(control, ACME, GLOBEX)
        self.admin = self.key(Role.ADMIN)
        self._authenticator = Authenticator(
            control, monotonic_s=self.clocks.monotonic_s, utc_now=self.clocks.utc_now
        )
        services = query_services(
            Settings(),
            store=cast("Any", None),
            control=control,
            authenticator=self._authenticator,
            access_log=self.access_log,
            log=MemoryLog(),
            failed_authentications=failures(self.access_log),
            position_secret=b"",
            wall_clock=lambda: to_us(self.clocks.utc_now()),
        )
        transport = httpx.ASGITransport(
            build_app(query_routes(services)), raise_app_exceptions=False
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
        self._runner.run(self._authenticator.close())
        self._runner.close()

    def key(
        self, *roles: Role, organization: str = ACME, workspaces: list[str] | None = None
    ) -> str:
        """The text of a new key, made beside the API."""
        return issue(
            self.control, organization, roles=set(roles), workspace_patterns=workspaces
        ).text

    def key_ids(self) -> set[str]:
        """Of acme's keys, good or not."""
        return {key.key_id for key in keys_of(self.control, ACME)}

    def ask(self, method: str, path: str, key: str | None = None, body: Any = None) -> Response:
        """With acme's admin key unless another one is given. `body` as JSON, or as these bytes."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.admin if key is None else key}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        return self._runner.run(
            self._client.request(
                method, path, headers=headers, content=None if body is None else content
            )
        )

    def get(self, path: str, key: str | None = None) -> Any:
        return self._body(self.ask("GET", path, key), 200)

    def post(self, path: str, body: Any, key: str | None = None) -> Any:
        answer = self.ask("POST", path, key, body)
        assert answer.headers["cache-control"] == "no-store"
        return self._body(answer, 201)

    def delete(self, path: str, key: str | None = None) -> Any:
        return self._body(self.ask("DELETE", path, key), 200)

    def _body(self, answer: Response, status: int) -> Any:
        assert answer.status_code == status, answer.text
        return answer.json()
