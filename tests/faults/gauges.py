"""Memory of every process and lag of the timeline, looked at again and again from a thread."""

import contextlib
import json
import statistics
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.faults.system import Distributed, System
from tests.support.processes import ProcessError
from tests.support.services import ProgramService

_LOOK_S: Final = 2.0
_METRIC_TIMEOUT_S: Final = 1.0
_READY_TIMEOUT_S: Final = 6.0  # each dependency is asked for some seconds
_FACTS_METRIC: Final = "opstrail_facts_held"
# Kinds of samples beside those of memory, which are named after processes.
FACTS: Final = "records in memory of all correlates"
LAG_S: Final = "lag of the timeline, real seconds"


@dataclass(frozen=True, slots=True)
class Sample:
    """`kind` is that of a process, with MiB resident, or FACTS or LAG_S."""

    at_s: float
    kind: str
    value: float


@dataclass(slots=True)
class Gauges:
    """`samples` may be read at any time."""

    system: System
    samples: list[Sample] = field(default_factory=list)
    failure: BaseException | None = None
    _is_over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="gauges", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._is_over.set()
        if self._thread is not None:
            self._thread.join(30)

    def between(self, kind: str, since_s: float, until_s: float) -> list[float]:
        return [
            each.value
            for each in list(self.samples)
            if each.kind == kind and since_s <= each.at_s < until_s
        ]

    def kinds(self) -> list[str]:
        return list(dict.fromkeys(each.kind for each in list(self.samples)))

    def median(self, kind: str, since_s: float, until_s: float) -> float | None:
        values = self.between(kind, since_s, until_s)
        return statistics.median(values) if values else None

    def _run(self) -> None:
        try:
            while not self._is_over.wait(_LOOK_S):
                self._look()
        except BaseException as error:
            self.failure = error

    def _look(self) -> None:
        now_s = time.monotonic()
        for kind, pid in self._pids():
            if (rss := _rss_mib(pid)) is not None:
                self.samples.append(Sample(now_s, kind, rss))
        facts = [_metric(url, _FACTS_METRIC) for url in self._with_facts()]
        known = [each for each in facts if each is not None]
        if known:
            self.samples.append(Sample(now_s, FACTS, sum(known)))
        if (lag_s := _lag_s(self.system.reading_url)) is not None:
            # It is told in seconds of the clock that runs fast.
            self.samples.append(Sample(now_s, LAG_S, lag_s / self.system.clock.rate))

    def _with_facts(self) -> list[str]:
        return [
            each.url
            for each in self.system.workers
            if each.kind in ("correlate", "up") and each.is_wanted
        ]

    def _pids(self) -> list[tuple[str, int]]:
        pids = [
            (worker.kind, worker.pid) for worker in self.system.workers if worker.pid is not None
        ]
        if isinstance(self.system, Distributed):
            for name, service in self.system.services().items():
                if name != "PostgreSQL" and isinstance(service, ProgramService):
                    with contextlib.suppress(ProcessError):
                        pids.append((name, service.process.pid))
        return [(kind, pid) for kind, pid in pids if pid is not None]


def _rss_mib(pid: int) -> float | None:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return None


def _metric(url: str, name: str) -> float | None:
    try:
        with urllib.request.urlopen(f"{url}/metrics", timeout=_METRIC_TIMEOUT_S) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.partition(" ")[0] == name:
            return float(line.rpartition(" ")[2])
    return None


def _lag_s(url: str) -> float | None:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=_READY_TIMEOUT_S) as answer:
            body = answer.read()
    except urllib.error.HTTPError as error:
        body = error.read()  # not ready is an answer, too
    except OSError:
        return None
    try:
        lag_s: float | None = json.loads(body)["lag_seconds"]["timeline"]
    except (ValueError, KeyError):
        return None
    return lag_s


def growth(gauges: Gauges, since_s: float, until_s: float) -> Mapping[str, tuple[float, ...]]:
    """By kind: least, median and most, and the medians of the first and the last third."""
    third_s = (until_s - since_s) / 3
    rows: dict[str, tuple[float, ...]] = {}
    for kind in gauges.kinds():
        values = gauges.between(kind, since_s, until_s)
        if not values:
            continue
        first = gauges.between(kind, since_s, since_s + third_s) or values
        last = gauges.between(kind, until_s - third_s, until_s) or values
        rows[kind] = (
            min(values),
            statistics.median(values),
            max(values),
            statistics.median(first),
            statistics.median(last),
        )
    return rows
