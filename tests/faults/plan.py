"""What is broken, how, and in which order: from a seed.

Each fault is over when what was broken runs again; how long it takes until the system does its work
is for the probe to tell.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Final

from tests.faults.dying_worker import Point
from tests.faults.fast_clock import SESSION_TIMEOUT_S
from tests.faults.system import Distributed, Embedded
from tests.support.services import Service

_SHORT_PAUSE_S: Final = (1.0, 4.0)
# The group takes it for dead and gives its share away; then it goes on, and believes to own it.
_LONG_PAUSE_S: Final = SESSION_TIMEOUT_S + 3.0
_PASSES_MAX: Final = 5

Act = Callable[[Distributed, Random], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `act` returns when it is over."""

    kind: str
    act: Callable[[], None]


def _kill(kind: str) -> Act:
    def act(system: Distributed, random: Random) -> None:
        random.choice([each for each in system.of_kind(kind) if each.is_wanted]).kill()

    return act


def _freeze(kind: str) -> Act:
    def act(system: Distributed, random: Random) -> None:
        random.choice([each for each in system.of_kind(kind) if each.is_wanted]).pause(
            _LONG_PAUSE_S
        )

    return act


def _come_and_go(kind: str) -> Act:
    """The third of its kind joins when it is away, and leaves when it is there."""

    def act(system: Distributed, random: Random) -> None:
        third = system.of_kind(kind)[2]
        if third.is_wanted:
            third.remove()
        else:
            third.start_and_wait()

    return act


def _die(kind: str, point: Point) -> Act:
    def act(system: Distributed, random: Random) -> None:
        worker = random.choice(system.of_kind(kind)[:2])
        try:
            worker.die_at(point, random.randint(1, _PASSES_MAX))
        finally:
            # In place of one that did not get there, too.
            worker.kill()
            worker.start()

    return act


def _service(name: str, act_on: Callable[[Service, Random], None]) -> Act:
    return lambda system, random: act_on(system.services()[name], random)


def _restart(service: Service, _: Random) -> None:
    service.restart()


def _kill_and_start(service: Service, _: Random) -> None:
    service.kill()
    service.start()


def _pause(service: Service, random: Random) -> None:
    service.pause()
    try:
        time.sleep(random.uniform(*_SHORT_PAUSE_S))
    finally:
        service.resume()


FAULTS: Final[Mapping[str, Act]] = {
    "ingest killed": _kill("ingest"),
    "correlate killed": _kill("correlate"),
    "sink killed": _kill("sink"),
    "query killed": _kill("query"),
    "correlate frozen beyond its session": _freeze("correlate"),
    "sink frozen beyond its session": _freeze("sink"),
    "correlate comes or goes": _come_and_go("correlate"),
    "sink comes or goes": _come_and_go("sink"),
    "sink dies between intent and insert": _die("sink", Point.BEFORE_INSERT),
    "sink dies within an insert": _die("sink", Point.WITHIN_INSERT),
    "sink dies between insert and commit": _die("sink", Point.AFTER_INSERT),
    "correlate dies between changelog and output": _die("correlate", Point.AFTER_CHANGELOG),
    "Kafka restarted": _service("Kafka", _restart),
    "Kafka killed": _service("Kafka", _kill_and_start),
    "Kafka frozen": _service("Kafka", _pause),
    "ClickHouse killed": _service("ClickHouse", _kill_and_start),
    "ClickHouse frozen": _service("ClickHouse", _pause),
    "PostgreSQL killed": _service("PostgreSQL", _kill_and_start),
    "PostgreSQL frozen": _service("PostgreSQL", _pause),
}
# The short form: those that found most, or are hardest to meet by chance.
NASTIEST: Final = (
    "correlate dies between changelog and output",
    "sink dies within an insert",
    "Kafka killed",
    "sink dies between insert and commit",
    "ClickHouse killed",
)


def planned(system: Distributed, seed: int) -> Iterator[Fault]:
    """Without end: rounds that hold each kind once, in another order each time."""
    random = Random(f"plan {seed}")
    while True:
        kinds = list(FAULTS)
        random.shuffle(kinds)
        yield from _faults(system, kinds, random)


def nastiest(system: Distributed, seed: int) -> Iterator[Fault]:
    """The short form."""
    return _faults(system, NASTIEST, Random(f"nastiest {seed}"))


def kills(system: Embedded, count: int) -> Iterator[Fault]:
    """Of the one process of the embedded mode."""
    return (Fault("opstrail up killed", system.up.kill) for _ in range(count))


def _faults(system: Distributed, kinds: Iterable[str], random: Random) -> Iterator[Fault]:
    return (Fault(kind, partial(FAULTS[kind], system, random)) for kind in kinds)
