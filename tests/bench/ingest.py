"""`make bench ONLY=ingest`: accepted events and requests a second, and how long each takes.

Connections send their next request when the last is answered. In the same run: a server that only
answers (what the load generator could do), and one a user might write instead of ingest.
"""

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import uvloop
from rich.console import Console

from schemas.times import parse_us
from tests.bench.http_load import Window, event_request, saturate
from tests.bench.installation import Shape, end_in_order, running
from tests.bench.machine import this_machine
from tests.bench.process_figures import cpu_s
from tests.bench.result import REPETITIONS_MIN, Case, Plot, Result, save, show
from tests.bench.sent_events import USUAL_EVENTS_PER_HOUR, sendings
from tests.support.processes import ChildProcess
from tests.support.services import REPOSITORY

TABLE: Final = "Accepting"
BATCHES: Final = (1, 10, 100, 1_000)
_CONNECTIONS: Final = 32
_CONNECTIONS_FOR_LARGE: Final = 8
_LARGE: Final = 1_000
# Distinct bodies of one size: as many events in all, so that compression has no easier game.
_EVENTS_PREPARED: Final = 50_000
_BODIES_MAX: Final = 5_000
_WORKSPACES: Final = 100
_WARM_UP_S: Final = 1.5
_BEGINNING_US: Final = parse_us("2026-01-01T00:00:00Z")
_START_TIMEOUT_S: Final = 30.0
_PROFILED_BATCHES: Final = (1, 100)
_PROFILED_WINDOW_S: Final = 1.0
_NO_KEY: Final = "none"
NULL: Final = "null server"
PLAIN: Final = "plain server, Kafka"
KAFKA: Final = "ingest, Kafka"
EMBEDDED: Final = "opstrail up"


def measure(console: Console, *, window_s: float) -> Result:
    """Run all servers and batches."""
    result = Result(
        "ingest",
        f"{REPETITIONS_MIN} windows of {window_s:g} s after {_WARM_UP_S:g} s of warm-up;"
        f" {_CONNECTIONS} connections ({_CONNECTIONS_FOR_LARGE} for batches of {_LARGE:,}), each"
        " with one request under way. `plain server` is Starlette, pydantic and json with one"
        " Kafka record an event, to the same topic. `opstrail up` correlates and stores at the"
        " same time. Generator CPU is that of the process that sends, which shares the machine.",
        this_machine(),
    )
    bodies = {batch: _bodies(batch) for batch in BATCHES}

    def ask(name: str, processes: int, urls: Sequence[str], key: str) -> None:
        for batch in BATCHES:
            requests = [event_request(urls[0], key, body) for body in bodies[batch]]
            case: Case = {"server": name, "processes": processes, "batch": batch}
            windows, generator_s = _loaded(urls, requests, batch, window_s)
            _add(result, case, windows, batch, generator_s)
            console.print(f"{name}, {processes} process, batches of {batch:,}: done")

    with _started("tests.bench.null_server") as url:
        ask(NULL, 1, [url], _NO_KEY)
    with running(Shape(ingest=2, correlate=0, sink=0, query=0)) as there:
        urls = there.sending_urls
        ask(KAFKA, 1, urls[:1], there.admin_key)
        ask(KAFKA, 2, urls, there.admin_key)
        with _started("tests.bench.plain_server", there.services["Kafka"].address) as url:
            ask(PLAIN, 1, [url], _NO_KEY)
    with running(Shape(is_embedded=True)) as there:
        ask(EMBEDDED, 1, there.sending_urls, there.admin_key)
    _add_ratios(result)
    result.plots = [
        Plot(table=TABLE, what="events", along="batch", lines="server", is_log_up=True),
        Plot(table=TABLE, what="p99", along="batch", lines="server", is_log_up=True),
    ]
    return result


def _bodies(batch: int) -> list[bytes]:
    tellers = sendings(_WORKSPACES, _BEGINNING_US, USUAL_EVENTS_PER_HOUR)
    count = min(_BODIES_MAX, _EVENTS_PREPARED // batch)
    return [tellers[number % _WORKSPACES].body(batch) for number in range(count)]


def _loaded(
    urls: Sequence[str], requests: Sequence[bytes], batch: int, window_s: float
) -> tuple[list[Window], float]:
    """The windows, and the share of one core that sending took."""
    connections = _CONNECTIONS_FOR_LARGE if batch >= _LARGE else _CONNECTIONS

    async def load() -> list[Window]:
        return await saturate(
            urls,
            requests,
            connections=connections,
            warm_up_s=_WARM_UP_S,
            window_s=window_s,
            windows=REPETITIONS_MIN,
        )

    before_s = cpu_s(os.getpid())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        windows = runner.run(load())
    taken_s = _WARM_UP_S + sum(each.taken_s for each in windows)
    return windows, (cpu_s(os.getpid()) - before_s) / taken_s


def _add(
    result: Result, case: Case, windows: Sequence[Window], batch: int, generator: float
) -> None:
    rates = [len(each.latencies_s) / each.taken_s for each in windows]
    result.add(TABLE, case, "events", "/s", [rate * batch for rate in rates])
    result.add(TABLE, case, "requests", "/s", rates)
    for share in (50, 95, 99):
        times = [quantile_ms(each.latencies_s, share) for each in windows]
        result.add(TABLE, case, f"p{share}", "ms", times)
    result.add_once(TABLE, case, "generator CPU", "% of a core", generator * 100)
    if any(each.refused for each in windows):
        result.add(TABLE, case, "refused by 503", "requests", [each.refused for each in windows])


def quantile_ms(times_s: Sequence[float], percent: int) -> float:
    """The smallest time that at least so many percent did not exceed."""
    if not times_s:
        return float("nan")
    ordered = sorted(times_s)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] * 1_000


RATIOS: Final = "Against what a user might write instead"


def _add_ratios(result: Result) -> None:
    for batch in BATCHES:
        cells = [
            result.find(TABLE, "events", {"server": server, "processes": 1, "batch": batch})
            for server in (KAFKA, PLAIN, NULL)
        ]
        ours, theirs, null = (0.0 if each is None else each.median for each in cells)
        case: Case = {"batch": batch}
        result.add_once(RATIOS, case, "ingest / plain server", "times", ours / theirs)
        result.add_once(RATIOS, case, "null server / ingest", "times", null / ours)


def profile(result: Result) -> None:
    """What the servers are busy with, in runs of their own."""
    shapes = {KAFKA: Shape(correlate=0, sink=0, query=0), EMBEDDED: Shape(is_embedded=True)}
    for name, shape in shapes.items():
        with running(replace(shape, is_profiled=True)) as there:
            for batch in _PROFILED_BATCHES:
                url = there.sending_urls[0]
                bodies = _bodies(batch)
                requests = [event_request(url, there.admin_key, body) for body in bodies]
                there.forget_profiles()
                _loaded([url], requests, batch, _PROFILED_WINDOW_S)
                (lines,) = there.profiles().values()
                result.profiles[f"{name}, batches of {batch}"] = lines


@contextlib.contextmanager
def _started(module: str, *arguments: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="opstrail-bench-") as folder:
        process = ChildProcess(
            [sys.executable, "-m", module, *arguments],
            folder=REPOSITORY,
            log=Path(folder, "server.log"),
        )
        process.start()
        try:
            process.wait_until(
                lambda: "listening on" in process.output, timeout_s=_START_TIMEOUT_S, what=module
            )
            yield process.output.partition("listening on ")[2].split()[0]
        finally:
            process.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--window-s", type=float, default=3.0)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    end_in_order()
    console = Console()
    result = measure(console, window_s=options.window_s)
    save(result)
    if options.profile:
        profile(result)
    show(result, console)
    save(result)


if __name__ == "__main__":
    main()
