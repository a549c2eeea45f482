"""Events on their way through an installation: how many get through, and how long each takes.

Some requests a second are followed by their position until the timeline shows them. The lag is how
long the oldest of these has been accepted and is not shown.
"""

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

import msgspec

from tests.bench.http_load import (
    ACCEPTED,
    UNAVAILABLE,
    AnswerError,
    Asker,
    event_request,
    get_request,
)
from tests.bench.installation import Installation
from tests.bench.process_figures import cpu_s
from tests.bench.sent_events import HOUR_US, USUAL_EVENTS_PER_HOUR, Sending

EVENTS_PER_REQUEST: Final = 100
_SENDERS: Final = 8
_FOLLOWED_PER_S: Final = 8
# At the highest rate so much is under way to the timeline as still gets there within this time:
# less, and stages that work in steps would wait; more would only wait longer. It grows from little.
LAG_S: Final = 4.0
_UNDER_WAY_MIN: Final = 4_000  # events
_UNDER_WAY_MAX: Final = 200_000
_MORE: Final = 1.25
_MORE_EVERY_S: Final = 1.0
# Of a fixed rate, which may be more than the system can do.
PACED_LAG_S_MAX: Final = 15.0
_LOOK_S: Final = 0.02
_POSITION_WAIT_S: Final = 10
_RETRY_S: Final = 0.1
_DRAIN_S: Final = 120.0


@dataclass(slots=True)
class _Followed:
    accepted_at_s: float
    events_before: int  # accepted until then, these included
    shown_at_s: float = 0.0


@dataclass(slots=True)
class FlowWindow:
    """One repetition. `cpu_us` is by process and event shown."""

    accepted_per_s: float
    shown_per_s: float
    latencies_s: list[float]
    cpu_us: Mapping[str, float]
    accept_s: list[float] = field(default_factory=list)


class Flow:
    """Belongs to one event loop. `run` may be called again and again, `close` once."""

    def __init__(
        self, installation: Installation, *, events_per_hour: int = USUAL_EVENTS_PER_HOUR
    ) -> None:
        """`events_per_hour`: of one workspace; there are as many workspaces as the rate takes."""
        self._installation: Final = installation
        self._urls: Final = installation.sending_urls
        self._reading_url: Final = installation.reading_url
        self._events_per_hour: Final = events_per_hour
        self._request_us: Final = EVENTS_PER_REQUEST * HOUR_US // events_per_hour
        # In the order in which they were told of.
        self._sendings: Final[deque[Sending]] = deque()
        self.accepted = 0  # events
        self._shown = 0
        self._shown_at_s = time.perf_counter()
        self._followed: Final[deque[_Followed]] = deque()
        self._latencies_s: list[float] = []
        self._accept_s: list[float] = []
        self._under_way_max = float(_UNDER_WAY_MIN)
        self._grow_at_s = 0.0
        self._next_follow_s = 0.0
        self._following: Final[set[asyncio.Task[None]]] = set()
        self._askers: Final[list[Asker]] = []
        self._idle_askers: Final[dict[str, list[Asker]]] = {}

    @property
    def lag_s(self) -> float:
        if not self._followed:
            return 0.0
        return time.perf_counter() - self._followed[0].accepted_at_s

    async def run(
        self, events_per_s: float | None, *, warm_up_s: float, window_s: float, windows: int
    ) -> list[FlowWindow]:
        """Send at this rate, or at the highest; then wait until all is shown.

        Raises AnswerError, also when what was followed does not show.
        """
        self._shown_at_s = time.perf_counter()
        is_over = asyncio.Event()
        started_s = time.perf_counter()
        senders = [
            asyncio.create_task(self._send(number, events_per_s, started_s, is_over))
            for number in range(_SENDERS)
        ]
        found: list[FlowWindow] = []
        try:
            await _wait(senders, warm_up_s)
            for _ in range(windows):
                found.append(await self._window(senders, window_s))
        finally:
            is_over.set()
            await asyncio.gather(*senders, return_exceptions=True)
        await self.drain()
        return found

    async def send(self, events: int) -> None:
        """So many events at the highest rate; return when all are shown."""
        wanted = self.accepted + events
        self._shown_at_s = time.perf_counter()
        is_over = asyncio.Event()
        now_s = time.perf_counter()
        senders = [
            asyncio.create_task(self._send(number, None, now_s, is_over))
            for number in range(_SENDERS)
        ]
        while self.accepted < wanted:
            await _wait(senders, _LOOK_S)
        is_over.set()
        await asyncio.gather(*senders)
        await self.drain()

    async def drain(self) -> None:
        """Return when all that was followed is shown, the last request included."""
        self._next_follow_s = 0.0
        await self._request(0)
        if self._following:
            done, late = await asyncio.wait(self._following, timeout=_DRAIN_S)
            for task in done:
                task.result()
            if late:
                raise AnswerError(f"not shown after {_DRAIN_S:g} s")

    def close(self) -> None:
        for task in self._following:
            task.cancel()
        for asker in self._askers:
            asker.close()

    async def _window(self, senders: Sequence["asyncio.Task[None]"], window_s: float) -> FlowWindow:
        pids = self._installation.pids()
        cpu_before = {name: cpu_s(pid) for name, pid in pids.items()}
        accepted_before, shown_before = self.accepted, self._shown
        shown_at_before = self._shown_at_s
        self._latencies_s, self._accept_s = [], []
        started_s = time.perf_counter()
        await _wait(senders, window_s)
        # Stages work in steps: from one showing to another, or a step would count half.
        while self._shown_at_s < started_s + window_s:
            if self.lag_s > _DRAIN_S:
                raise AnswerError(f"not shown after {_DRAIN_S:g} s")
            await _wait(senders, _LOOK_S)
        shown = self._shown - shown_before
        return FlowWindow(
            accepted_per_s=(self.accepted - accepted_before) / (time.perf_counter() - started_s),
            shown_per_s=shown / (self._shown_at_s - shown_at_before),
            latencies_s=self._latencies_s,
            accept_s=self._accept_s,
            cpu_us={
                name: (cpu_s(pid) - cpu_before[name]) * 1e6 / max(1, shown)
                for name, pid in pids.items()
            },
        )

    async def _send(
        self, number: int, events_per_s: float | None, started_s: float, is_over: asyncio.Event
    ) -> None:
        every_s = 0.0 if events_per_s is None else EVENTS_PER_REQUEST * _SENDERS / events_per_s
        due_s = started_s + every_s * number / _SENDERS
        while not is_over.is_set():
            now_s = time.perf_counter()
            if self._is_behind(is_paced=events_per_s is not None):
                await asyncio.sleep(_LOOK_S)
            elif now_s < due_s:
                await asyncio.sleep(min(due_s - now_s, 1.0))
            else:
                # What could not be sent in time is not made up for.
                due_s = max(due_s + every_s, now_s)
                await self._request(number)

    def _is_behind(self, *, is_paced: bool) -> bool:
        """Whether nothing more is to be sent until more is shown."""
        if is_paced:
            return self.lag_s > PACED_LAG_S_MAX
        return self.accepted - self._shown >= self._under_way_max

    async def _request(self, number: int) -> None:
        """One request, until it is accepted."""
        url = self._urls[number % len(self._urls)]
        body = self._next_sending().body(EVENTS_PER_REQUEST)
        request = event_request(url, self._installation.admin_key, body)
        sent_s = time.perf_counter()
        while True:
            status, answer = await self._ask(url, request)
            if status == ACCEPTED:
                break
            if status != UNAVAILABLE:
                raise AnswerError(f"answered {status}: {answer[:300]!r}")
            await asyncio.sleep(_RETRY_S)
        now_s = time.perf_counter()
        self._accept_s.append(now_s - sent_s)
        self.accepted += EVENTS_PER_REQUEST
        # Also the last one before a pause: what it waits for is that this is shown.
        is_last = self.accepted - self._shown >= self._under_way_max
        if now_s >= self._next_follow_s or is_last:
            self._next_follow_s = now_s + 1 / _FOLLOWED_PER_S
            followed = _Followed(now_s, self.accepted)
            self._followed.append(followed)
            position = msgspec.json.decode(answer)["position"]
            task = asyncio.create_task(self._follow(position, followed))
            self._following.add(task)
            task.add_done_callback(self._following.discard)

    def _next_sending(self) -> Sending:
        """A workspace in which something happened for as long as a request tells of."""
        since_us = self._installation.clock.now_us() - self._request_us
        if self._sendings and self._sendings[0].told_until_us <= since_us:
            sending = self._sendings.popleft()
        else:
            number = len(self._sendings)
            random = Random(number)
            sending = Sending(f"workspace-{number:05}", random, 0, self._events_per_hour)
        sending.told_until_us = since_us
        self._sendings.append(sending)
        return sending

    @property
    def workspaces(self) -> int:
        return len(self._sendings)

    async def _follow(self, position: str, followed: _Followed) -> None:
        path = f"/v1/positions/{position}?wait_s={_POSITION_WAIT_S}"
        request = get_request(self._reading_url, path, self._installation.admin_key)
        give_up_s = followed.accepted_at_s + _DRAIN_S
        while True:
            status, answer = await self._ask(self._reading_url, request)
            if status != 200:
                raise AnswerError(f"answered {status}: {answer[:300]!r}")
            if msgspec.json.decode(answer)["visible"]:
                break
            if time.perf_counter() > give_up_s:
                raise AnswerError(f"not shown after {_DRAIN_S:g} s")
        followed.shown_at_s = now_s = time.perf_counter()
        self._latencies_s.append(now_s - followed.accepted_at_s)
        while self._followed and self._followed[0].shown_at_s:
            self._shown = self._followed.popleft().events_before
            self._shown_at_s = now_s
        if followed.shown_at_s - followed.accepted_at_s < LAG_S and now_s > self._grow_at_s:
            self._under_way_max = min(self._under_way_max * _MORE, _UNDER_WAY_MAX)
            self._grow_at_s = now_s + _MORE_EVERY_S

    async def _ask(self, url: str, request: bytes) -> tuple[int, bytes]:
        """Over a connection that nobody uses now. Raises AnswerError."""
        idle = self._idle_askers.setdefault(url, [])
        # Servers close connections that nobody used for long.
        while idle and idle[-1].is_closed:
            idle.pop()
        if idle:
            asker = idle.pop()
        else:
            asker = Asker()
            self._askers.append(asker)
        answer = await asker.ask(url, request)
        idle.append(asker)
        return answer


async def _wait(tasks: Sequence["asyncio.Task[None]"], seconds: float) -> None:
    """Let time pass. Raises what one of the tasks raised."""
    done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
    for task in done:
        task.result()
