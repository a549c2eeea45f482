"""The company of the month at an installation: everybody sends, an auditor reads."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from control.roles import Role
from schemas.kinds import ActorKind
from tests.contracts.month import facts
from tests.contracts.month.answers import Answers
from tests.contracts.month.events import DEPLOY_ACTIONS, ENVIRONMENTS, FROM, SENDERS, TO, month
from tests.support.keys import Keys
from tests.support.opstrail import DistributedOpstrail, EmbeddedOpstrail, User

Rows = list[list[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """`auditor` may read and ask SQL, and nothing else; `reader_key` may only read.

    The installation holds another organization, with a record `record_of_others` in a workspace of
    the same name.
    """

    organization: str
    auditor: User
    answers: Answers
    database: str
    record_of_others: str
    auditor_key: str = field(repr=False)
    reader_key: str = field(repr=False)
    _url: str
    _http: httpx.Client = field(repr=False)

    def sql_answer(
        self, query: str, parameters: Mapping[str, Any] | None = None, *, key: str | None = None
    ) -> httpx.Response:
        """Of POST /v1/sql, asked by the auditor or with this key."""
        return self._http.post(
            f"{self._url}/v1/sql",
            json={"query": query, "parameters": parameters or {}},
            headers={"Authorization": f"Bearer {key or self.auditor_key}"},
        )

    def sql(self, query: str, **parameters: Any) -> Rows:
        answer = self.sql_answer(query, parameters)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body["truncated"] is False
        rows: Rows = body["rows"]
        return rows

    def close(self) -> None:
        self.auditor.close()
        self._http.close()


def found_company(system: EmbeddedOpstrail | DistributedOpstrail) -> Company:
    """Send the month and return when all of it can be read.

    The organization is a new one: another test's records under the same names would be linked to.
    """
    now = datetime.now(UTC)
    sent = month(now)
    keys = Keys(system, f"acme-{uuid.uuid4().hex[:12]}")
    senders = {
        name: User(system, keys.key_for(name, ActorKind(kind), [Role.SUBMIT]))
        for name, kind in SENDERS.items()
    }
    auditor_key = keys.key_for("auditor", ActorKind.PERSON, [Role.ANALYST])
    admin_key = keys.key_for("admin", ActorKind.SERVICE, [Role.ADMIN])
    reader_key = keys.key_for("reader", ActorKind.PERSON, [Role.READ])
    keys.close()
    others = User(system)
    theirs = facts.run(
        "admin", str(uuid.uuid4()), facts.PRODUCTION, FROM, TO, block="theirs", action="deploy"
    ).event
    others.send(theirs)
    others.close()
    auditor = User(system, auditor_key)
    positions = [
        senders[request.sender].send(*request.events, wait=False)["position"] for request in sent
    ]
    for position in reversed(positions):
        auditor.wait_for(position)
    for name, environment in ENVIRONMENTS.items():
        label: dict[str, Any] = {"environment": environment}
        if name in DEPLOY_ACTIONS:
            label["deploy_actions"] = DEPLOY_ACTIONS[name]
        answer = httpx.put(
            f"{system.reading_url}/v1/workspaces/{name}",
            json=label,
            headers={"Authorization": f"Bearer {admin_key}"},
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
    for sender in senders.values():
        sender.close()
    return Company(
        organization=keys.organization,
        auditor=auditor,
        answers=Answers(sent, now),
        database=_database(system),
        record_of_others=theirs["id"],
        auditor_key=auditor_key,
        reader_key=reader_key,
        _url=system.reading_url,
        _http=httpx.Client(timeout=60),
    )


def _database(system: EmbeddedOpstrail | DistributedOpstrail) -> str:
    if isinstance(system, EmbeddedOpstrail):
        return "opstrail"
    return system.variables["OPSTRAIL_CLICKHOUSE_DATABASE"]
