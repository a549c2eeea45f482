"""One request that reaches every partition, until the timeline shows it: all is well again."""

import time
from collections.abc import Callable
from typing import Any, Final

import httpx

from runtime.kafka_log import partition_of
from tests.faults.ledger import CLOSED, Claim, Ledger, record_id
from tests.faults.story import text_of
from tests.faults.system import System

SENDER: Final = 0xFE
_REQUEST_TIMEOUT_S: Final = 25.0
_RETRY_S: Final = 0.1
_WAIT_S: Final = 5


class NotRecoveredError(Exception):
    """What was sent after a fault did not become visible."""


class Prober:
    """Belongs to one thread."""

    def __init__(self, system: System) -> None:
        self.ledger: Final = Ledger(SENDER)
        self.unexpected: Final[list[str]] = []  # answers that no fault explains
        self._system: Final = system
        self._workspaces: Final = _one_workspace_each(system.partitions)
        self._http: Final = httpx.Client(
            headers={"Authorization": f"Bearer {system.admin_key}"}, timeout=_REQUEST_TIMEOUT_S
        )

    def visible_after_s(self, *, timeout_s: float, on_accepted: Callable[[], None]) -> float:
        """Send, call `on_accepted` just before the 202 is asked for, wait; how long all took.

        What was told 202 before `on_accepted` is in the log before the probe, so when the probe is
        visible that is, too. Raises NotRecoveredError.
        """
        started_s = time.monotonic()
        deadline_s = started_s + timeout_s
        claims = []
        events = []
        at = text_of(self._system.clock.now_us())
        for workspace in self._workspaces:
            number = self.ledger.claim_number()
            claims.append(Claim(number, CLOSED))
            events.append(
                {
                    "type": "ssh_session",
                    "id": record_id(SENDER, number),
                    "workspace": workspace,
                    "host": {"inventory_name": "probe"},
                    "started_at": at,
                    "ended_at": at,
                }
            )
        position = None
        while position is None:
            on_accepted()
            position = self._sent(events)
            _check_time(deadline_s, timeout_s, "no server accepts events")
        self.ledger.accept(claims, set(), len(events))
        while not self._is_visible(position):
            _check_time(deadline_s, timeout_s, "what was accepted does not become visible")
        return time.monotonic() - started_s

    def close(self) -> None:
        self._http.close()

    def _sent(self, events: list[dict[str, Any]]) -> str | None:
        for url in self._system.sending_urls:
            try:
                answer = self._http.post(f"{url}/v1/events", json=events)
            except httpx.TransportError:
                continue
            if answer.status_code == 202:
                return str(answer.json()["position"])
            self._look_at(answer)
        time.sleep(_RETRY_S)
        return None

    def _look_at(self, answer: httpx.Response) -> None:
        if answer.status_code != 503:
            self.unexpected.append(f"{answer.status_code}: {answer.text[:300]}")

    def _is_visible(self, position: str) -> bool:
        url = f"{self._system.reading_url}/v1/positions/{position}"
        try:
            answer = self._http.get(url, params={"wait_s": _WAIT_S})
        except httpx.TransportError:
            time.sleep(_RETRY_S)
            return False
        if answer.status_code != 200:
            self._look_at(answer)
            time.sleep(_RETRY_S)
            return False
        return bool(answer.json()["visible"])


def _check_time(deadline_s: float, timeout_s: float, what: str) -> None:
    if time.monotonic() > deadline_s:
        raise NotRecoveredError(f"{what}, {timeout_s:g} s after the fault")


def _one_workspace_each(partitions: int) -> list[str]:
    found: dict[int, str] = {}
    number = 0
    while len(found) < partitions:
        name = f"probe-{number}"
        found.setdefault(partition_of(f"default/{name}", partitions=partitions), name)
        number += 1
    return list(found.values())
