"""Several readers at once, with and without events coming in: a part of `make bench ONLY=read`.

Each reader asks the questions in an order of its own, the next as soon as it has its answer.
"""

import asyncio
import contextlib
import itertools
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import httpx

from processors.stage import Stage
from schemas.entry import TimelineBatch
from schemas.times import parse_us
from tests.bench.core import EVENTS_PER_ENVELOPE, EnvelopeLog
from tests.bench.figures import Figure, figure
from tests.bench.generated_history import History
from tests.bench.questions import DAY_US, HEADERS, Question, Questions, RecordAddress, some_ids
from tests.bench.sent_events import USUAL_EVENTS_PER_HOUR
from timeline import ddl
from timeline.entry_times import ENTRY_TIMES
from timeline.store import Store
from timeline.writer import EntryWriter

READERS: Final = (1, 8, 32)
EVENTS_PER_S: Final = 5_000
_SECONDS: Final = 12.0
_WARM_UP_S: Final = 2.0
# What comes in is of a month of its own, which is let go of afterwards.
_INCOMING_US: Final = parse_us("2027-03-01T00:00:00Z")
_INCOMING_PARTITION: Final = "202703"
_INCOMING_S: Final = 10


@dataclass(frozen=True, slots=True)
class Together:
    """`events_per_s` is what came in meanwhile, as far as the store took it."""

    readers: int
    events_per_s: float
    answers_per_s: float
    times: Figure


def measure_together(url: str, store: Store, history: History) -> list[Together]:
    """One case after the other: quiet, then while events come in."""
    ids = some_ids(store, history)
    quiet = [_ask_together(url, history, ids, readers) for readers in READERS]
    seconds = _batches_by_second()
    busy = []
    for readers in READERS:
        with incoming(store, seconds) as came_in:
            found = _ask_together(url, history, ids, readers)
            busy.append(replace(found, events_per_s=came_in()))
    for table in (ddl.ENTRIES, ENTRY_TIMES):
        drop = f"ALTER TABLE {table.name} DROP PARTITION {_INCOMING_PARTITION}"
        store.write_now(lambda connection: connection.command(drop))  # noqa: B023
    return quiet + busy


def _batches_by_second() -> list[list[TimelineBatch]]:
    """What correlate makes of so many events a second, of an organization that nobody asks for."""
    log = EnvelopeLog(USUAL_EVENTS_PER_HOUR, since_us=_INCOMING_US, organization="incoming")
    stage = Stage(lost_after_us=DAY_US)
    table: dict[bytes, bytes] = {}
    offsets = itertools.count()
    seconds = []
    for _ in range(_INCOMING_S):
        batches: list[TimelineBatch] = []
        for message in log.messages(EVENTS_PER_S // EVENTS_PER_ENVELOPE):
            outcome = stage.handle(message, partition=0, offset=next(offsets), load_row=table.get)
            if outcome.row is not None:
                table[outcome.row[0]] = outcome.row[1]
            batches += outcome.batches
        seconds.append(batches)
    return seconds


@contextlib.contextmanager
def incoming(store: Store, seconds: Sequence[list[TimelineBatch]]) -> Iterator[Callable[[], float]]:
    """Inserts a second's batches each second, as far as the store keeps up; gives how many events
    a second it took.
    """
    is_over = threading.Event()
    inserted = [0]
    began_s = time.perf_counter()

    async def insert() -> None:
        writer = EntryWriter(store)
        for number in itertools.count():
            if is_over.is_set():
                return
            await writer.insert(seconds[number % len(seconds)], token=uuid.uuid4().hex)
            inserted[0] += EVENTS_PER_S
            await asyncio.sleep(max(0.0, began_s + number + 1 - time.perf_counter()))

    thread = threading.Thread(target=lambda: asyncio.run(insert()))
    thread.start()
    try:
        yield lambda: inserted[0] / (time.perf_counter() - began_s)
    finally:
        is_over.set()
        thread.join()


def markdown(found: Sequence[Together]) -> str:
    """The table of the page."""
    lines = [
        "| readers | events coming in /s | answers /s | median ms | p95 ms | max ms |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {each.readers} | {each.events_per_s:,.0f} | {each.answers_per_s:.1f}"
        f" | {each.times.median:.0f} | {each.times.p95:.0f} | {each.times.most:.0f} |"
        for each in found
    ]
    return "\n".join(lines)


def _ask_together(
    url: str, history: History, ids: Sequence[RecordAddress], readers: int
) -> Together:
    times_ms: list[float] = []
    begins_s = time.perf_counter() + _WARM_UP_S
    ends_s = begins_s + _SECONDS

    def read(seed: int) -> None:
        order = random.Random(seed)
        questions = [each for each in Questions(history, ids, seed).all() if not each.is_export]
        with httpx.Client(base_url=url, timeout=60, headers=HEADERS) as client:
            while True:
                started_s, ended_s = _ask(client, order.choice(questions))
                if started_s > ends_s:
                    return
                if started_s >= begins_s:
                    times_ms.append((ended_s - started_s) * 1_000)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(readers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    name = f"{readers} readers"
    return Together(readers, 0.0, len(times_ms) / _SECONDS, figure(name, times_ms, 0.0))


def _ask(client: httpx.Client, question: Question) -> tuple[float, float]:
    path, parameters = question.ask()
    started_s = time.perf_counter()
    answer = client.get(path, params=parameters)
    assert answer.status_code == 200, (path, parameters, answer.text)
    return started_s, time.perf_counter()
