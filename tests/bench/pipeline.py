"""`make bench ONLY=pipeline`: how many events a second get from request to timeline, and how soon.

The highest sustained rate: so much is under way as is shown within four seconds, and for each event
that is shown another one is sent. So the lag does not grow, and no stage waits for work. Then 10,
50 and 90 % of it at a steady pace, and the 2,000 events/s of the target.
"""

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import uvloop
from rich.console import Console

from tests.bench.flow import (
    EVENTS_PER_REQUEST,
    LAG_S,
    PACED_LAG_S_MAX,
    Flow,
    FlowWindow,
)
from tests.bench.ingest import quantile_ms
from tests.bench.installation import Shape, end_in_order, running
from tests.bench.machine import this_machine
from tests.bench.result import REPETITIONS_MIN, Case, Plot, Result, save, show
from tests.bench.sent_events import BUSY_EVENTS_PER_HOUR, USUAL_EVENTS_PER_HOUR

SUSTAINED: Final = "Highest sustained rate"
LATENCY: Final = "From accepted to queryable"
CPU: Final = "CPU time of each process at the highest rate"
CLOCK_RATE: Final = 7_200
HORIZON_HOURS: Final = 26
# Past the horizon, so that as much is let go of as comes.
_FILL_S: Final = HORIZON_HOURS * 3_600 / CLOCK_RATE + 2
_SHARES: Final = (10, 50, 90)
_TARGET_EVENTS_PER_S: Final = 2_000
_EMBEDDED: Final = Shape(is_embedded=True, clock_rate=CLOCK_RATE, horizon_hours=HORIZON_HOURS)
_DISTRIBUTED: Final = Shape(clock_rate=CLOCK_RATE, horizon_hours=HORIZON_HOURS)
# These go through all steps.
_SYSTEMS: Final = {"embedded": _EMBEDDED, "distributed, 1 correlate": _DISTRIBUTED}
# Of these the highest rate is of interest, by shape and events an hour in each workspace.
_OTHERS: Final = {
    "distributed, 2 correlates": (replace(_DISTRIBUTED, correlate=2), USUAL_EVENTS_PER_HOUR),
    f"distributed, {BUSY_EVENTS_PER_HOUR} events an hour": (_DISTRIBUTED, BUSY_EVENTS_PER_HOUR),
}


def measure(console: Console, *, window_s: float) -> Result:
    """Run all systems one after the other."""
    result = Result(
        "pipeline",
        f"{REPETITIONS_MIN} windows of {window_s:g} s; requests of {EVENTS_PER_REQUEST} events of"
        " one workspace, of as many workspaces as it takes for"
        f" {USUAL_EVENTS_PER_HOUR} events an hour in each. The wall clock of all Opstrail processes"
        f" ran {CLOCK_RATE:,} times as fast, with a horizon of {HORIZON_HOURS} hours: so records"
        " are let go of as they are in weeks of use. Highest rate: so much is under way to the"
        f" timeline as still gets there within about {LAG_S:g} s. Steady pace: nothing is sent"
        f" while something accepted {PACED_LAG_S_MAX:g} s ago is missing; then the rate sent is"
        " below the rate wanted. `from accepted`: from the 202 to the answer of"
        " `GET /v1/positions/…`.",
        this_machine(),
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for name, shape in _SYSTEMS.items():
            runner.run(_measure(result, name, shape, console, window_s))
        for name, (shape, events_per_hour) in _OTHERS.items():
            runner.run(_highest_alone(result, name, shape, events_per_hour, window_s))
            console.print(f"{name}: done")
    result.plots = [
        Plot(table=LATENCY, what="p50", along="wanted events/s", lines="system"),
        Plot(table=LATENCY, what="p99", along="wanted events/s", lines="system"),
    ]
    return result


async def _measure(
    result: Result, name: str, shape: Shape, console: Console, window_s: float
) -> None:
    with running(shape) as there:
        flow = Flow(there)
        try:
            found = await flow.run(
                None, warm_up_s=_FILL_S, window_s=window_s, windows=REPETITIONS_MIN
            )
            highest = _add_highest(result, name, found)
            console.print(f"{name}: {highest:,.0f} events/s")
            steps = [(f"{share} %", highest * share / 100) for share in _SHARES]
            for step, rate in [*steps, ("target", float(_TARGET_EVENTS_PER_S))]:
                found = await flow.run(
                    rate, warm_up_s=LAG_S, window_s=window_s, windows=REPETITIONS_MIN
                )
                case: Case = {"system": name, "of the highest": step, "wanted events/s": int(rate)}
                _add_latencies(result, case, found)
                console.print(f"{name}, {step}: done")
        finally:
            flow.close()


def profile(result: Result, window_s: float) -> None:
    """What the processes are busy with at the highest rate, in runs of their own."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for name, shape in _SYSTEMS.items():
            runner.run(_profile(result, name, replace(shape, is_profiled=True), window_s))


async def _profile(result: Result, name: str, shape: Shape, window_s: float) -> None:
    with running(shape) as there:
        flow = Flow(there)
        try:
            await flow.run(None, warm_up_s=_FILL_S, window_s=window_s, windows=1)
            there.forget_profiles()
            await flow.run(None, warm_up_s=0, window_s=window_s, windows=REPETITIONS_MIN)
        finally:
            flow.close()
        for process, lines in there.profiles().items():
            result.profiles[f"{name}: {process}"] = lines


async def _highest_alone(
    result: Result, name: str, shape: Shape, events_per_hour: int, window_s: float
) -> None:
    with running(shape) as there:
        flow = Flow(there, events_per_hour=events_per_hour)
        try:
            found = await flow.run(
                None, warm_up_s=_FILL_S, window_s=window_s, windows=REPETITIONS_MIN
            )
            _add_highest(result, name, found)
        finally:
            flow.close()


def _add_highest(result: Result, name: str, found: Sequence[FlowWindow]) -> float:
    case: Case = {"system": name}
    rates = [each.shown_per_s for each in found]
    result.add(SUSTAINED, case, "events", "/s", rates)
    result.add(SUSTAINED, case, "accepted", "/s", [each.accepted_per_s for each in found])
    for share in (50, 99):
        times = [quantile_ms(each.latencies_s, share) / 1_000 for each in found]
        result.add(SUSTAINED, case, f"from accepted p{share}", "s", times)
    for process in found[0].cpu_us:
        cpu_us = [each.cpu_us[process] for each in found]
        result.add(CPU, {**case, "process": process}, "CPU", "µs/event", cpu_us)
    together = [sum(each.cpu_us.values()) for each in found]
    result.add(CPU, {**case, "process": "all together"}, "CPU", "µs/event", together)
    measured = result.find(SUSTAINED, "events", case)
    assert measured is not None
    return measured.median


def _add_latencies(result: Result, case: Case, found: Sequence[FlowWindow]) -> None:
    result.add(LATENCY, case, "sent", "events/s", [each.accepted_per_s for each in found])
    for share in (50, 95, 99):
        times = [quantile_ms(each.latencies_s, share) / 1_000 for each in found]
        result.add(LATENCY, case, f"p{share}", "s", times)
    accepting = [quantile_ms(each.accept_s, 99) for each in found]
    result.add(LATENCY, case, "until accepted p99", "ms", accepting)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--window-s", type=float, default=5.0)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    end_in_order()
    console = Console()
    result = measure(console, window_s=options.window_s)
    save(result)
    if options.profile:
        profile(result, options.window_s)
    show(result, console)
    save(result)


if __name__ == "__main__":
    main()
