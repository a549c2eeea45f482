"""The company of the month at an installation: everybody sends, an auditor reads."""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from control.roles import Role
from schemas.kinds import ActorKind
from tests.contracts.month.answers import Answers
from tests.contracts.month.events import DEPLOY_ACTIONS, ENVIRONMENTS, SENDERS, month
from tests.support.keys import Keys
from tests.support.opstrail import DistributedOpstrail, EmbeddedOpstrail, User

Rows = list[list[Any]]


@dataclass(frozen=True, slots=True)
class Company:
    """`auditor` may read and ask SQL, and nothing else."""

    organization: str
    auditor: User
    answers: Answers
    _url: str
    _http: httpx.Client = field(repr=False)

    def sql_answer(self, query: str, **parameters: Any) -> httpx.Response:
        """To POST /v1/sql."""
        body = {"query": query, "parameters": parameters}
        return self._http.post(f"{self._url}/v1/sql", json=body)

    def sql(self, query: str, **parameters: Any) -> Rows:
        answer = self.sql_answer(query, **parameters)
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
    keys.close()
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
        keys.organization,
        auditor,
        Answers(sent, now),
        system.reading_url,
        httpx.Client(headers={"Authorization": f"Bearer {auditor_key}"}, timeout=60),
    )
