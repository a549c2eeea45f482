"""An installation with two organizations, keys of every sort, and every request its API describes.

Whatever belongs to the first organization carries the word AMBER; what stands in its shut workspace
carries ONYX as well. So one look at an answer tells whether anything got out.
"""

import re
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from tests.support.opstrail import Event, Opstrail, User

AMBER, ONYX = "amber", "onyx"
OPEN, SHUT = "amber-open", "amber-onyx"
ROLES: Final = ("submit", "read", "analyst", "admin", "operator")
IMPLIED: Final = {
    "admin": {"admin", "submit", "read", "analyst"},
    "analyst": {"analyst", "read"},
}
FORMATS: Final = ("json", "ndjson", "csv", "parquet", "arrow")
STATEMENTS: Final = (
    "SELECT * FROM timeline",
    "SELECT * FROM action_runs",
    "SELECT * FROM ssh_sessions",
    "SELECT * FROM workspace_syncs",
    "SELECT * FROM cli_instances",
    "SELECT * FROM links",
    "SELECT * FROM workspaces",
    "SELECT * FROM timeline AS a FULL OUTER JOIN workspaces AS b ON 1 = 1",
    "WITH t AS (SELECT * FROM timeline) SELECT * FROM t UNION ALL SELECT * FROM t",
    f"SELECT count() FROM timeline WHERE workspace = '{SHUT}'",
)

_ROLE: Final = re.compile(r"Takes a key with the role `(\w+)`")
_TIMES: Final = {"from": "2026-03-24T00:00:00Z", "to": "2026-03-25T00:00:00Z"}
_AT: Final = "2026-03-24T12:00:00Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of the API document; `role` None: open to everybody."""

    method: str
    path: str
    role: str | None
    parameters: tuple[str, ...]  # of the query
    formats: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request. Its names are the first organization's, or nobody's."""

    operation: Operation
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Any = None


@dataclass(slots=True, kw_only=True)
class Names:
    """What a request may be about: things that are there, or such as never were."""

    kind: str
    id: str
    instance: str
    workspace: str
    key_id: str
    position: str
    place: str  # of a dead letter
    cursors: dict[str, str] = field(default_factory=dict)  # by path


class House:
    """`amber` is the installation's first organization, `cobalt` another one."""

    def __init__(self, system: Opstrail) -> None:
        self._system = system
        self._http = httpx.Client(timeout=60)
        self.first_key = system.admin_key
        document = self._http.get(f"{system.reading_url}/openapi.json").json()
        self.operations = tuple(operations_of(document))
        self.cobalt = self._post(self.first_key, "/v1/organizations", {"name": "cobalt"})["admin"][
            "key"
        ]
        self._send(self.cobalt, "cobalt-1", "cobalt")
        self._post(self.first_key, "/v1/principals", {"name": "amber-robot", "kind": "service"})
        self.by_role = {role: self.key([role]) for role in ROLES}
        self.narrowed = self.key(["read", "analyst", "submit"], workspaces=[OPEN])
        self.narrowed_admin = self.key(["admin"], workspaces=[OPEN])
        in_a_moment = datetime.now(UTC) + timedelta(seconds=1)
        self.expired = self.key(["admin"], expires_at=in_a_moment.isoformat())
        self.revoked = self.key(["admin"])
        revoked_id = self._newest_key_id
        self.ask(self.first_key, "DELETE", f"/v1/keys/{revoked_id}")
        self.opened = self._send(self.first_key, OPEN, AMBER)
        self.shut = self._send(self.first_key, SHUT, f"{AMBER}-{ONYX}")
        for workspace in (OPEN, SHUT):
            self.ask(
                self.first_key,
                "PUT",
                f"/v1/workspaces/{workspace}",
                body={"environment": f"{workspace}-env", "labels": {"team": workspace}},
            )
        self.shut.cursors = {
            operation.path: cursor
            for operation in self.operations
            if (cursor := self._cursor(operation)) is not None
        }
        self.nobodys = Names(
            kind="action_run",
            id=str(uuid.uuid4()),
            instance="cli-0123456789abcdef",
            workspace="never-there",
            key_id="key-000000000000",
            position="",
            place="0-999999999999-0",
        )
        time.sleep(max(0.0, (in_a_moment - datetime.now(UTC)).total_seconds()))

    def close(self) -> None:
        self._http.close()

    def key(self, roles: list[str], **more: Any) -> str:
        """A new key of the first organization."""
        wanted = {"principal": "amber-robot", "name": "amber key", "roles": roles, **more}
        made = self._post(self.first_key, "/v1/keys", wanted)
        self._newest_key_id: str = made["key_id"]
        text: str = made["key"]
        return text

    def disposable_key_id(self) -> str:
        """Of a key that a test may revoke."""
        self.key(["submit"])
        return self._newest_key_id

    def requests(self, operation: Operation, names: Names) -> Iterator[Asked]:
        """Every way to ask: each filter that could name something, each format, each statement."""
        path = self._path(operation, names)
        for query in self._queries(operation, names):
            for body in self._bodies(operation):
                yield Asked(operation=operation, path=path, query=query, body=body)

    def tell(self, key: str | None, asked: Asked) -> httpx.Response:
        return self.ask(key, asked.operation.method, asked.path, query=asked.query, body=asked.body)

    def ask(
        self,
        key: str | None,
        method: str,
        path: str,
        *,
        query: tuple[tuple[str, str], ...] = (),
        body: Any = None,
    ) -> httpx.Response:
        is_sending = (method, path) == ("POST", "/v1/events")
        base = self._system.sending_url if is_sending else self._system.reading_url
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return self._http.request(
            method,
            f"{base}{path}",
            params=list(query),
            headers=headers,
            json=body if method in ("POST", "PUT") else None,
        )

    def send(self, key: str, *events: Event) -> httpx.Response:
        return self.ask(key, "POST", "/v1/events", body=list(events))

    def _post(self, key: str, path: str, body: Any) -> dict[str, Any]:
        answer = self.ask(key, "POST", path, body=body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def _send(self, key: str, workspace: str, word: str) -> Names:
        """One of everything, a dead letter too, and wait until it shows."""
        instance = f"cli-{uuid.uuid4().hex}"
        shared = {
            "workspace": workspace,
            "user": f"{word}-user",
            "os_user": f"{word}-os",
            "hostname": f"{word}-laptop",
            "cli_instance_id": instance,
            "cli_version": "1.2.3",
            "ticket": f"{word}-1",
            "reason": f"{word} reason",
        }
        run_id = str(uuid.uuid4())
        run = {
            **shared,
            "type": "action_run",
            "id": run_id,
            "client_seq": 1,
            "block": f"{word}-block",
            "block_from": f"{word}.example/nginx:0.3.1",
            "action": "deploy",
            "started_at": "2026-03-24T10:00:00Z",
            "finished_at": "2026-03-24T10:05:00Z",
            "exit_code": 0,
        }
        session = {
            **shared,
            "type": "ssh_session",
            "id": str(uuid.uuid4()),
            "client_seq": 3,  # so that there is a gap to be seen
            "host": {"inventory_name": f"{word}-server"},
            "started_at": "2026-03-24T10:10:00Z",
            "ended_at": "2026-03-24T10:20:00Z",
        }
        sync = {
            **shared,
            "type": "workspace_sync",
            "id": str(uuid.uuid4()),
            "timestamp": "2026-03-24T09:00:00Z",
            "result": "success",
            "git": {"branch": f"{word}-main", "after_sha": "a42b9e1"},
        }
        register = {
            "type": "cli_instance",
            "id": instance,
            "cli_version": "1.2.3",
            "os": "linux",
            "arch": "amd64",
            "hostname": f"{word}-laptop",
        }
        conflict = {**run, "block": f"{word}-other-block"}
        user = User(self._system, key)
        position = user.send(run, session, sync, register, conflict)["position"]
        user.close()
        key_id = self.ask(key, "GET", "/v1/keys").json()["items"][0]["key_id"]
        of_run = (("workspace", workspace), ("id", run_id))
        dead = self.ask(key, "GET", "/v1/dead-letters", query=of_run).json()["items"]
        return Names(
            kind="action_run",
            id=run_id,
            instance=instance,
            workspace=workspace,
            key_id=key_id,
            position=position,
            place=dead[0]["id"],
        )

    def _cursor(self, operation: Operation) -> str | None:
        if operation.method != "GET" or "cursor" not in operation.parameters:
            return None
        if "{" in operation.path:
            return None
        answer = self.ask(self.first_key, "GET", operation.path, query=(("limit", "1"),))
        cursor: str | None = answer.json().get("next_cursor")
        return cursor

    def _path(self, operation: Operation, names: Names) -> str:
        is_instance = operation.path.startswith("/v1/cli-instances")
        values = {
            "kind": names.kind,
            "id": names.instance if is_instance else names.id,
            "name": names.workspace,
            "workspace": names.workspace,
            "key_id": names.key_id,
            "position": names.position or _broken(self.shut.position),
            "place": names.place,
        }
        return re.sub(r"\{(\w+)\}", lambda found: values[found[1]], operation.path)

    def _queries(self, operation: Operation, names: Names) -> Iterator[tuple[tuple[str, str], ...]]:
        needed = _needed(operation)
        yield needed
        for name, value in _filters(names).items():
            if name in operation.parameters:
                yield (*needed, (name, value))
        for format_ in operation.formats:
            yield (*needed, ("format", format_))
        if (cursor := names.cursors.get(operation.path)) is not None:
            yield (*needed, ("cursor", cursor))

    def _bodies(self, operation: Operation) -> list[Any]:
        match operation.name:
            case "POST /v1/sql":
                return [{"query": each} for each in STATEMENTS]
            case "POST /v1/events":
                return [[]]
            case "POST /v1/organizations" | "POST /v1/principals" | "POST /v1/keys":
                # Nothing is to come of it: what matters is who is turned away before.
                return [{"nonsense": True}]
            case "POST /v1/dead-letters/{place}/resend":
                return [None]
            case "PUT /v1/workspaces/{name}":
                return [{"environment": None, "labels": {}, "deploy_actions": None}]
            case _:
                assert operation.method in ("GET", "DELETE"), f"{operation.name}: needs a body here"
                return [None]


def operations_of(document: dict[str, Any]) -> Iterator[Operation]:
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            role = _ROLE.search(described["description"])
            assert (role is None) == (described["security"] == []), f"{method} {path}: no role"
            parameters = {each["name"]: each for each in described.get("parameters", ())}
            formats = parameters.get("format", {}).get("schema", {}).get("enum", ())
            assert set(formats) <= set(FORMATS), formats
            yield Operation(
                method=method.upper(),
                path=path,
                role=None if role is None else role[1],
                parameters=tuple(n for n, each in parameters.items() if each["in"] == "query"),
                formats=tuple(formats),
            )


def allows(key_role: str, needed: str) -> bool:
    return needed in IMPLIED.get(key_role, {key_role})


def _needed(operation: Operation) -> tuple[tuple[str, str], ...]:
    """The query parameters without which there is no answer."""
    match operation.path:
        case "/v1/incidents":
            return (("at", _AT), ("before", "8h"))
        case "/v1/action-runs/summary":
            return (("group_by", "workspace"), *_TIMES.items())
        case _:
            return ()


def _filters(names: Names) -> dict[str, str]:
    """Filters that could name something of somebody else's."""
    return {
        "workspace": names.workspace,
        "id": names.id,
        "cli_instance_id": names.instance,
        "key_id": names.key_id,
        "principal": "amber-robot",
        "user": "amber-onyx-user",
        "hostname": "amber-onyx-laptop",
        "host": "amber-onyx-server",
        "block": "amber-onyx-block",
        "ticket": "amber-onyx-1",
        "environment": "amber-onyx-env",
        "commit": "a42b9e1",
    }


def _broken(position: str) -> str:
    """A position that was never given out, of the same shape."""
    middle = len(position) // 2
    other = "A" if position[middle] != "A" else "B"
    return f"{position[:middle]}{other}{position[middle + 1 :]}"
