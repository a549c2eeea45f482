"""`make bench ONLY=core`: the correlation core alone, in CPU time, and what its state takes.

`processors.stage.Stage` gets envelopes of 100 events, as ingest makes them, from memory; its rows
go into a dict, as Faust's table does. Each case runs in a process of its own. FULL=1 adds the
million facts.
"""

import argparse
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from random import Random
from typing import Any, Final

from rich.console import Console
from rich.progress import track

from control.authenticator import Principal
from control.roles import Role, effective_roles
from ingest.acceptance import accept
from ingest.media_type import MediaType
from processors.horizon import Horizon
from processors.past import PastMissingError
from processors.stage import Stage
from schemas.envelope import encode_envelope
from schemas.kinds import ActorKind
from schemas.times import parse_us
from tests.bench.machine import this_machine
from tests.bench.process_figures import rss_bytes
from tests.bench.result import REPETITIONS_MIN, Case, Plot, Result, save, show
from tests.bench.sampler import Sampler
from tests.bench.sent_events import (
    BUSY_EVENTS_PER_HOUR,
    EVENTS_PER_RECORD,
    HOUR_US,
    USUAL_EVENTS_PER_HOUR,
    Sending,
    sendings,
)
from tests.support.services import REPOSITORY

EVENTS_PER_ENVELOPE: Final = 100
_WORKSPACES: Final = 20
_USUAL_FACTS: Final = 10_000
_BEGINNING_US: Final = parse_us("2026-01-01T00:00:00Z")
_LOST_AFTER_US: Final = 24 * HOUR_US
# The shortest horizon that settings allow with it.
_HORIZON_US: Final = 26 * HOUR_US
_HORIZON_HOURS: Final = _HORIZON_US // HOUR_US
_HORIZON: Final = Horizon(longest_us=_HORIZON_US, least_us=_HORIZON_US, records_max=10_000_000)
_ENVELOPES_PER_EVICTION: Final = 16  # as under Faust
_ENVELOPES_PER_REPETITION: Final = (10, 60)
_WARM_UP_ENVELOPES: Final = 20
_CASE_TIMEOUT_S: Final = 1_500
BY_FACTS: Final = "By facts in the state"
BY_DENSITY: Final = "By events an hour in each workspace"
WITH_EVICTION: Final = "Letting go of what is older than 26 hours"


def measure(console: Console, *, is_full: bool, is_profiled: bool) -> Result:
    """Run all cases."""
    result = Result(
        "core",
        f"`processors.stage.Stage` in one process, {_WORKSPACES} workspaces, envelopes of"
        f" {EVENTS_PER_ENVELOPE} events, {REPETITIONS_MIN} repetitions; events a second of CPU"
        " time. A fact is a record in memory; a record is told in about two events. Its bytes are"
        " by how much the process grew; those of the table are the rows from which the"
        " state is rebuilt, which Faust holds in memory as well.",
        this_machine(),
    )
    sizes = [1_000, 10_000, 100_000, *([1_000_000] if is_full else [])]
    rates = [USUAL_EVENTS_PER_HOUR, BUSY_EVENTS_PER_HOUR, 10 * BUSY_EVENTS_PER_HOUR]
    usual = USUAL_EVENTS_PER_HOUR
    cases = [(BY_FACTS, facts, usual, False) for facts in sizes]
    cases += [(BY_DENSITY, _USUAL_FACTS, rate, False) for rate in rates]
    cases += [(WITH_EVICTION, _facts_within_horizon(rate), rate, True) for rate in rates[:2]]
    for table, facts, rate, is_evicting in track(cases, "core", console=console):
        found = _in_own_process(facts, rate, is_evicting=is_evicting, is_profiled=is_profiled)
        case: Case = {"facts": facts}
        if table != BY_FACTS:
            case = {"events an hour": rate, "facts": found["facts"]}
        result.add(table, case, "events a second", "", found["events_per_s"])
        result.add(table, case, "CPU", "µs/event", [1e6 / each for each in found["events_per_s"]])
        for what in ("state", "table"):
            result.add_once(table, case, what, "B/fact", found[f"{what}_bytes"] / found["facts"])
        if found["profile"]:
            result.profiles[f"{table}: {facts:,} facts, {rate:,} events an hour"] = found["profile"]
    result.plots = [
        Plot(table=BY_FACTS, what="events a second", along="facts", lines=""),
        Plot(table=BY_DENSITY, what="events a second", along="events an hour", lines=""),
    ]
    return result


def _facts_within_horizon(rate: int) -> int:
    return int(_WORKSPACES * rate * _HORIZON_HOURS / EVENTS_PER_RECORD)


def _in_own_process(
    facts: int, rate: int, *, is_evicting: bool, is_profiled: bool
) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.core", "--case"]
    command += [str(facts), str(rate), str(int(is_evicting)), str(int(is_profiled))]
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        # Rows of a dict in another order take another time.
        env={**os.environ, "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        timeout=_CASE_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


class EnvelopeLog:
    """Envelopes without end, as ingest would make them; what a partition holds."""

    def __init__(
        self, events_per_hour: int, *, since_us: int = _BEGINNING_US, organization: str = "bench"
    ) -> None:
        self._sendings: Final = sendings(_WORKSPACES, since_us, events_per_hour)
        self._random: Final = Random(1)
        self._principal: Final = Principal(
            organization=organization,
            actor="bench",
            actor_kind=ActorKind.SERVICE,
            key_id="bench",
            roles=effective_roles({Role.SUBMIT}),
            workspace_patterns=None,
        )

    def messages(self, count: int) -> list[bytes]:
        return [self._message(self._least_told()) for _ in range(count)]

    def _least_told(self) -> Sending:
        # So all workspaces are at about the same time, as in life.
        return min(self._sendings, key=lambda each: each.told_until_us)

    def _message(self, sending: Sending) -> bytes:
        body = sending.body(EVENTS_PER_ENVELOPE)
        received_at = max(each.told_until_us for each in self._sendings) + 1_000_000
        accepted = accept(body, MediaType.JSON, principal=self._principal, received_at=received_at)
        assert not accepted.rejected, accepted.rejected[0]
        (envelope,) = accepted.envelopes
        return encode_envelope(envelope)


class _Worker:
    """The stage with its table."""

    def __init__(self, *, is_evicting: bool) -> None:
        self.stage: Final = Stage(lost_after_us=_LOST_AFTER_US)
        self.table: Final[dict[bytes, bytes]] = {}
        self._is_evicting: Final = is_evicting
        self._offset = 0

    def handle(self, messages: list[bytes]) -> None:
        for message in messages:
            while True:
                try:
                    outcome = self.stage.handle(
                        message, partition=0, offset=self._offset, load_row=self.table.get
                    )
                    break
                except PastMissingError as missing:
                    # What the store's answer costs is not the core's; that there is none is cheap.
                    self.stage.supply(0, missing.needed, ())
            if outcome.row is not None:
                self.table[outcome.row[0]] = outcome.row[1]
            self._offset += 1
            if self._is_evicting and self._offset % _ENVELOPES_PER_EVICTION == 0:
                self._evict()

    def _evict(self) -> None:
        changes = self.stage.evict(
            0,
            horizon=_HORIZON,
            inserted_offset=self._offset - 1,
            load_row=self.table.get,
        )
        for key, value in changes:
            if value is None:
                self.table.pop(key, None)
            else:
                self.table[key] = value


def _case(facts: int, rate: int, *, is_evicting: bool, is_profiled: bool) -> dict[str, Any]:
    """One case, in this process."""
    fill = int(facts * EVENTS_PER_RECORD / EVENTS_PER_ENVELOPE)
    if is_evicting:
        fill = int(fill * 1.3)  # until as much goes as comes
    least, most = _ENVELOPES_PER_REPETITION
    width = min(most, max(least, fill // 50))
    # A small state would grow manyfold while it is measured: it is made anew each time.
    is_made_anew = fill < 10 * width
    events_per_s: list[float] = []
    # Code paths warm up on a state that is thrown away.
    _Worker(is_evicting=is_evicting).handle(EnvelopeLog(rate).messages(_WARM_UP_ENVELOPES))
    gc.collect()
    before_bytes = rss_bytes(os.getpid())
    log, worker = _filled(fill, rate, is_evicting=is_evicting)
    gc.collect()
    table_bytes = sum(map(sys.getsizeof, (*worker.table, *worker.table.values())))
    state_bytes = rss_bytes(os.getpid()) - before_bytes - table_bytes
    held = worker.stage.facts
    for repetition in range(REPETITIONS_MIN):
        if is_made_anew and repetition:
            log, worker = _filled(fill, rate, is_evicting=is_evicting)
        messages = log.messages(width)
        # What came before is not collected during the measurement, as in a worker that runs long.
        gc.collect()
        started_s = time.process_time()
        worker.handle(messages)
        taken_s = time.process_time() - started_s
        events_per_s.append(len(messages) * EVENTS_PER_ENVELOPE / taken_s)
    sampler = Sampler()
    if is_profiled:
        messages = log.messages(REPETITIONS_MIN * width)
        with sampler.looking():
            worker.handle(messages)
    return {
        "events_per_s": events_per_s,
        "facts": held,
        "state_bytes": state_bytes,
        "table_bytes": table_bytes,
        "profile": sampler.lines() if is_profiled else [],
    }


def _filled(envelopes: int, rate: int, *, is_evicting: bool) -> tuple[EnvelopeLog, _Worker]:
    log, worker = EnvelopeLog(rate), _Worker(is_evicting=is_evicting)
    for messages in _portions(log, envelopes):
        worker.handle(messages)
    return log, worker


def _portions(log: EnvelopeLog, envelopes: int) -> Iterator[list[bytes]]:
    portion = 100  # more would weigh as much as the state
    for first in range(0, envelopes, portion):
        yield log.messages(min(portion, envelopes - first))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="a million facts, too")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--case", nargs=4, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        facts, rate, is_evicting, is_profiled = options.case
        found = _case(facts, rate, is_evicting=bool(is_evicting), is_profiled=bool(is_profiled))
        print(json.dumps(found))
        return
    console = Console()
    result = measure(console, is_full=options.full, is_profiled=options.profile)
    show(result, console)
    save(result)


if __name__ == "__main__":
    main()
