"""`make bench ONLY=memory`: memory of each process at full load; MINUTES=5.

The load is that of the pipeline's highest rate, and the clock runs so fast that records are let go
of from the first minute on: what grows here would grow for ever.
"""

import argparse
import asyncio
import contextlib
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import uvloop
from rich.console import Console

from tests.bench.flow import EVENTS_PER_REQUEST, LAG_S, Flow
from tests.bench.installation import Installation, Shape, end_in_order, running
from tests.bench.machine import this_machine
from tests.bench.pipeline import CLOCK_RATE, HORIZON_HOURS
from tests.bench.process_figures import rss_bytes
from tests.bench.result import REPETITIONS_MIN, Case, Plot, Result, save, show

TABLE: Final = "Memory"
LOAD: Final = "Load"
OVER_TIME: Final = "Memory over time"
_FACTS: Final = "facts"
_LOOK_S: Final = 1.0
_POINTS: Final = 30
_WARM_UP_S: Final = 20.0
_MB: Final = 1e6
_SYSTEMS: Final = {
    "distributed": Shape(clock_rate=CLOCK_RATE, horizon_hours=HORIZON_HOURS),
    "embedded": Shape(is_embedded=True, clock_rate=CLOCK_RATE, horizon_hours=HORIZON_HOURS),
}


@dataclass(frozen=True, slots=True)
class _Look:
    """`value` is memory in MB, or how many records are held when `process` is _FACTS."""

    at_s: float
    process: str
    value: float


def measure(console: Console, *, minutes: float) -> Result:
    """Both modes, each for so long."""
    result = Result(
        "memory",
        f"{minutes:g} minutes of each mode after {_WARM_UP_S:g} s; the values are the medians of"
        f" five equal parts. Requests of {EVENTS_PER_REQUEST} events of one workspace, so"
        f" many under way as are shown within about {LAG_S:g} s. The"
        f" wall clock ran {CLOCK_RATE:,} times as fast, with a horizon of {HORIZON_HOURS} hours.",
        this_machine(),
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for name, shape in _SYSTEMS.items():
            runner.run(_measure(result, name, shape, minutes * 60))
            console.print(f"{name}: done")
    result.only_plotted = [OVER_TIME]
    result.plots = [
        Plot(table=OVER_TIME, what="memory", along="second", lines="process", is_log_along=False)
    ]
    return result


async def _measure(result: Result, name: str, shape: Shape, seconds: float) -> None:
    with running(shape) as there:
        flow = Flow(there)
        looks: list[_Look] = []
        watching = asyncio.create_task(_watch(there, looks))
        try:
            found = await flow.run(
                None,
                warm_up_s=_WARM_UP_S,
                window_s=seconds / REPETITIONS_MIN,
                windows=REPETITIONS_MIN,
            )
        finally:
            watching.cancel()
            flow.close()
        # The draining at the end is no full load.
        _add(result, name, [each for each in looks if each.at_s <= _WARM_UP_S + seconds], seconds)
        rates = [each.shown_per_s for each in found]
        result.add(LOAD, {"system": name}, "events", "/s", rates)


async def _watch(there: Installation, looks: list[_Look]) -> None:
    started_s = time.monotonic()
    while True:
        at_s = time.monotonic() - started_s
        with contextlib.suppress(OSError):  # too busy to say
            facts = await asyncio.to_thread(there.facts_held)
            looks.append(_Look(at_s, _FACTS, facts))
        looks += [_Look(at_s, name, rss_bytes(pid) / _MB) for name, pid in there.pids().items()]
        await asyncio.sleep(_LOOK_S)


def _add(result: Result, system: str, looks: Sequence[_Look], seconds: float) -> None:
    facts = [each for each in looks if each.process == _FACTS]
    held = _medians(facts, _WARM_UP_S, seconds, REPETITIONS_MIN)
    if len(held) == REPETITIONS_MIN:
        result.add(LOAD, {"system": system}, "records in memory", "", held)
    for process in dict.fromkeys(each.process for each in looks if each.process != _FACTS):
        own = [each for each in looks if each.process == process]
        parts = _medians(own, _WARM_UP_S, seconds, REPETITIONS_MIN)
        case: Case = {"system": system, "process": process}
        result.add(TABLE, case, "memory", "MB", parts)
        growth = 100 * (parts[-1] - parts[0]) / parts[0]
        result.add_once(TABLE, case, "last fifth against first", "%", growth)
        width_s = seconds / _POINTS
        for number, value in enumerate(_medians(own, _WARM_UP_S, seconds, _POINTS)):
            at: Case = {"process": process, "second": int(_WARM_UP_S + number * width_s)}
            result.add_once(OVER_TIME, at, "memory", "MB", value)


def _medians(looks: Sequence[_Look], since_s: float, seconds: float, parts: int) -> list[float]:
    """Of each of so many equal parts of the time; those without a look are left out."""
    width_s = seconds / parts
    found = []
    for part in range(parts):
        low_s = since_s + part * width_s
        values = [each.value for each in looks if low_s <= each.at_s < low_s + width_s]
        if values:
            found.append(statistics.median(values))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    options = parser.parse_args()
    end_in_order()
    console = Console()
    result = measure(console, minutes=options.minutes)
    show(result, console)
    save(result)


if __name__ == "__main__":
    main()
