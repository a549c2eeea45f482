"""Threads that post batches until each is answered with 202, whatever happens to the servers.

Must stay true:
- The same body again, also to another server, until 202: so nothing told 202 is unknown to us, and
  nothing sent is given up.
- No wait without a bound. An answer that no fault explains stops the sender and is remembered.
"""

import http.client
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from tests.faults.story import Batch, Story

# Above what a request may wait for the log, so that the answer is the server's.
_REQUEST_TIMEOUT_S: Final = 20.0
_RETRY_S: Final = 0.1
_CATCH_UP_S: Final = 5.0
_REMEMBERED: Final = 50
# Unaccepted for so long, and it is no fault of ours any more.
_GIVE_UP_S: Final = 300.0
_RETRIED: Final = frozenset({429, 503})


class SendingError(Exception):
    """A server gave an answer that no fault explains, or none came for too long."""


@dataclass(slots=True)
class Answers:
    """What the servers answered over the run."""

    accepted: int = 0  # requests
    refused: int = 0  # 503
    unanswered: int = 0  # connection lost or refused
    slowest_refusal_s: float = 0.0
    slowest_acceptance_s: float = 0.0
    unexpected: list[str] = field(default_factory=list)  # that no fault explains


@dataclass(slots=True)
class Sender:
    """One thread. `urls()` are the servers to try in turn."""

    story: Story
    key: str
    urls: Callable[[], Sequence[str]]
    events_per_s: float
    first_server: int = 0
    answers: Answers = field(default_factory=Answers)
    failure: BaseException | None = None
    _is_over: threading.Event = field(default_factory=threading.Event)
    _is_given_up: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _connections: dict[str, http.client.HTTPConnection] = field(default_factory=dict)
    _recent: deque[Batch] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    _tries: int = 0

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = _GIVE_UP_S) -> None:
        """End after the batch under way and the story's end. Raises SendingError."""
        self._is_over.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                raise SendingError("a sender does not end")
        for connection in self._connections.values():
            connection.close()
        if self.failure is not None:
            raise SendingError(str(self.failure)) from self.failure

    def _run(self) -> None:
        try:
            due_s = time.monotonic()
            while not self._is_over.is_set():
                batch = self.story.batch()
                sent = self._send(batch)
                if (repeated := self.story.repeated(self._recent)) is not None:
                    sent += self._send(repeated)
                # After an outage faster, but never all at once.
                due_s = max(due_s + sent / self.events_per_s, time.monotonic() - _CATCH_UP_S)
                self._is_over.wait(max(0.0, due_s - time.monotonic()))
            for batch in self.story.ending():
                self._send(batch)
        except BaseException as error:
            self.failure = error

    def give_up(self) -> None:
        """End as soon as may be, whatever was not sent."""
        self._is_over.set()
        self._is_given_up.set()
        if self._thread is not None:
            self._thread.join(_REQUEST_TIMEOUT_S + 1)

    def _send(self, batch: Batch) -> int:
        """How many events were accepted; returns only then. Raises SendingError."""
        give_up_s = time.monotonic() + _GIVE_UP_S
        while not self._is_accepted(batch):
            if time.monotonic() > give_up_s or self._is_given_up.is_set():
                raise SendingError(f"no server accepted a batch for {_GIVE_UP_S:g} s")
            self._tries += 1
            time.sleep(_RETRY_S)
        self.story.ledger.accept(batch.claims, batch.instances, batch.events)
        self._recent.append(batch)
        return batch.events

    def _is_accepted(self, batch: Batch) -> bool:
        urls = self.urls()
        url = urls[(self.first_server + self._tries) % len(urls)]
        started_s = time.monotonic()
        try:
            status, body = self._post(url, batch.body)
        except (OSError, http.client.HTTPException):
            self.answers.unanswered += 1
            if (connection := self._connections.pop(url, None)) is not None:
                connection.close()
            return False
        took_s = time.monotonic() - started_s
        if status == 202:
            self.answers.accepted += 1
            self.answers.slowest_acceptance_s = max(self.answers.slowest_acceptance_s, took_s)
            if b'"rejected":[]' not in body.replace(b" ", b""):
                raise SendingError(f"events were refused: {body[:500]!r}")
            return True
        if status not in _RETRIED:
            self.answers.unexpected.append(f"{status}: {body[:300]!r}")
            return False
        self.answers.refused += 1
        self.answers.slowest_refusal_s = max(self.answers.slowest_refusal_s, took_s)
        return False

    def _post(self, url: str, body: bytes) -> tuple[int, bytes]:
        connection = self._connections.get(url)
        if connection is None:
            parts = urlsplit(url)
            connection = http.client.HTTPConnection(
                parts.hostname or "", parts.port, timeout=_REQUEST_TIMEOUT_S
            )
            self._connections[url] = connection
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        connection.request("POST", "/v1/events", body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
