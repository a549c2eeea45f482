"""A system under load that is broken again and again, and judged after each time and at the end."""

import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from tests.faults import verdict as verdicts
from tests.faults.gauges import Gauges
from tests.faults.plan import Fault
from tests.faults.probe import NotRecoveredError, Prober
from tests.faults.sender import Sender
from tests.faults.story import Story
from tests.faults.system import System
from tests.faults.verdict import Increment, Verdict
from tests.support.processes import ProcessError

RECOVERY_S_MAX: Final = 300.0
_PERSON: Final = "alice"
# So soon visible, and nothing waits any more.
_CALM_S: Final = 3.0
# A recovery that takes longer had to wait for what was sent before.
_SLOW_S: Final = 12.0
_LESS, _MORE, _LEAST = 0.8, 1.1, 0.25

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Load:
    """How much is sent."""

    events_per_s: int
    senders: int = 4  # every other one with the key of a second actor
    workspaces: int = 400  # of each pair of senders
    judged: int = 3
    judged_gap_hours: float = 12


@dataclass(frozen=True, slots=True)
class Row:
    """One fault, and what came of it."""

    kind: str
    events: int  # told 202 from the fault before to the check after this one
    lost: int
    doubled: int
    recovery_s: float


@dataclass(frozen=True, slots=True)
class Summary:
    """All faults of a kind."""

    kind: str
    times: int
    events: int
    lost: int
    doubled: int
    median_s: float
    most_s: float


@dataclass(slots=True)
class Outage:
    """A long one, and how the system came back."""

    name: str
    seconds: float
    begun_s: float
    ended_s: float
    calm_s: float  # when all was as before
    events: int  # told 202 meanwhile
    drained_s: float  # until all those could be read
    refused: int
    slowest_refusal_s: float


class Trial:
    """Start once, then faults and outages, then `end`; `close` whatever happened."""

    def __init__(self, system: System, load: Load, *, seed: int, tell: Tell) -> None:
        self.system: Final = system
        self.rows: Final[list[Row]] = []
        self.outages: Final[list[Outage]] = []
        self.failed_faults: Final[list[str]] = []  # judged all the same
        self.gauges: Final = Gauges(system)
        self.prober: Final = Prober(system)
        self._tell: Final = tell
        self._keys: Final = [system.admin_key, system.new_key(_PERSON, "person")]
        self._actors: Final = [("admin", "service"), (_PERSON, "person")]
        self.stories: Final = [
            Story(
                number,
                seed,
                system.clock,
                workspaces=load.workspaces,
                judged=load.judged,
                judged_gap_hours=load.judged_gap_hours,
            )
            for number in range(load.senders)
        ]
        self.senders: Final = [
            Sender(
                story,
                self._keys[number // 2 % 2],
                lambda: self.system.sending_urls,
                events_per_s=load.events_per_s / load.senders,
                first_server=number,
            )
            for number, story in enumerate(self.stories)
        ]
        self.ledgers: Final = [story.ledger for story in self.stories] + [self.prober.ledger]
        self._increments: Final = [Increment(ledger) for ledger in self.ledgers]
        self._checked_events = 0
        self._most_per_s: Final = load.events_per_s / load.senders

    @property
    def events(self) -> int:
        return sum(ledger.events for ledger in self.ledgers)

    @property
    def refused(self) -> int:
        return sum(sender.answers.refused for sender in self.senders)

    @property
    def unexpected(self) -> list[str]:
        """Answers that no fault explains."""
        of_senders = [text for sender in self.senders for text in sender.answers.unexpected]
        return of_senders + self.prober.unexpected

    @property
    def restarts(self) -> Counter[str]:
        """Workers that ended by themselves, by kind and exit code."""
        return Counter(
            f"{worker.kind} with exit code {code}"
            for worker in self.system.workers
            for code in worker.ended.elements()
        )

    def start(self) -> None:
        """Begin to send, and return when the first events can be read."""
        self.gauges.start()
        for sender in self.senders:
            sender.start()
        self.prober.visible_after_s(timeout_s=RECOVERY_S_MAX, on_accepted=lambda: None)

    def suffer(self, fault: Fault) -> Row:
        """Raises NotRecoveredError, and what the senders ran into."""
        try:
            fault.act()
        except ProcessError as error:
            self.failed_faults.append(fault.kind)
            self._tell(f"     {fault.kind} could not be done: {error}")
        recovery_s = self.prober.visible_after_s(timeout_s=RECOVERY_S_MAX, on_accepted=self._take)
        self._require_senders()
        found = Verdict()
        for increment in self._increments:
            found.add(increment.judged(self.system))
        events, self._checked_events = self.events - self._checked_events, self.events
        row = Row(fault.kind, events, found.lost, found.doubled, recovery_s)
        self.rows.append(row)
        self._adapt_load(is_behind=recovery_s > _SLOW_S)
        self._tell(
            f"{len(self.rows):4} {fault.kind:44} recovered in {recovery_s:5.1f} s,"
            f" {self.events:9,} events, lost {found.lost}, doubled {found.doubled}"
        )
        for example in found.examples:
            self._tell(f"     {example}")
        return row

    def endure(
        self, name: str, seconds: float, begin: Callable[[], None], end: Callable[[], None]
    ) -> None:
        """A long outage of one service."""
        before = self.events
        refused = self.refused
        for sender in self.senders:
            sender.answers.slowest_refusal_s = 0.0
        begun_s = time.monotonic()
        begin()
        time.sleep(max(0.0, seconds - (time.monotonic() - begun_s)))
        ended_s = time.monotonic()
        events = self.events - before
        refused = self.refused - refused
        end()
        drained_s = self.prober.visible_after_s(timeout_s=RECOVERY_S_MAX, on_accepted=self._take)
        while (
            self.prober.visible_after_s(timeout_s=RECOVERY_S_MAX, on_accepted=self._take) > _CALM_S
        ):
            self._adapt_load(is_behind=True)
            if time.monotonic() - ended_s > RECOVERY_S_MAX:
                raise NotRecoveredError(f"still behind {RECOVERY_S_MAX:g} s after {name}")
        self._require_senders()
        outage = Outage(
            name,
            seconds,
            begun_s,
            ended_s,
            time.monotonic(),
            events,
            drained_s,
            refused,
            max(sender.answers.slowest_refusal_s for sender in self.senders),
        )
        self.outages.append(outage)
        self._tell(
            f"     {name} for {seconds:g} s: {events:,} events accepted meanwhile"
            f" ({events / seconds:,.0f}/s), {refused} requests refused (slowest"
            f" {outage.slowest_refusal_s:.1f} s), readable {drained_s:.1f} s after the return"
        )

    def end(self) -> Verdict:
        """Stop sending, wait until all can be read, and judge all of it."""
        for sender in self.senders:
            sender.stop()
        self.prober.visible_after_s(timeout_s=RECOVERY_S_MAX, on_accepted=self._take)
        self._tell(f"     judging {self.events:,} events")
        verdict = verdicts.of_everything(self.system, self.ledgers)
        verdict.add(verdicts.of_the_rest(self.system, self.ledgers))
        actors = [self._actors[number // 2 % 2] for number in range(len(self.stories))]
        verdict.add(verdicts.of_judged(self.system, self.stories, actors))
        self._tell(
            f"     lost {verdict.lost}, doubled {verdict.doubled}, sent by nobody"
            f" {verdict.strange}, dead letters {verdict.dead_letters},"
            f" {verdict.judged:,} entries judged by the oracle: {verdict.differing} differ"
        )
        for example in verdict.examples:
            self._tell(f"     {example}")
        return verdict

    def close(self) -> None:
        """Stop all that runs beside the system."""
        for sender in self.senders:
            sender.give_up()
        self.gauges.stop()
        self.prober.close()

    def _adapt_load(self, *, is_behind: bool) -> None:
        """Send less while the machine does not keep up: who only waits breaks nothing."""
        for sender in self.senders:
            if is_behind:
                sender.events_per_s = max(sender.events_per_s * _LESS, self._most_per_s * _LEAST)
            else:
                sender.events_per_s = min(sender.events_per_s * _MORE, self._most_per_s)

    def _take(self) -> None:
        for increment in self._increments:
            increment.take()

    def _require_senders(self) -> None:
        for sender in self.senders:
            if sender.failure is not None:
                raise sender.failure


def summaries(rows: Iterable[Row]) -> list[Summary]:
    """By kind of fault, in the order in which they first came."""
    by_kind: dict[str, list[Row]] = {}
    for row in rows:
        by_kind.setdefault(row.kind, []).append(row)
    return [_summary(kind, found) for kind, found in by_kind.items()]


def _summary(kind: str, rows: Sequence[Row]) -> Summary:
    times_s = [row.recovery_s for row in rows]
    return Summary(
        kind,
        len(rows),
        sum(row.events for row in rows),
        sum(row.lost for row in rows),
        sum(row.doubled for row in rows),
        statistics.median(times_s),
        max(times_s),
    )
