"""A running installation of either mode with as many processes of a kind as a bench wants.

Data is on the disk, as in production: not in memory, as in the tests. Everything listens on
loopback only, and is stopped and deleted at the end.
"""

import contextlib
import re
import signal
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Final

from tests.faults.fast_clock import FastClock
from tests.support import clickhouse_service, kafka_service, postgres_service
from tests.support.opstrail import initialized, new_variables
from tests.support.ports import HOST, free_port
from tests.support.processes import ChildProcess
from tests.support.services import REPOSITORY, ProgramService, Service

_READY: Final[Mapping[str, str]] = {
    "ingest": "listening on",
    "query": "listening on",
    "up": "listening on",
    "correlate": "state restored",
    "sink": "partitions assigned",
}
_EXIT_ASKED_TO_END: Final = 128 + signal.SIGTERM
_READY_WAIT_S: Final = 90.0
_ADDRESS: Final = re.compile(r"listening on (http://\S+)")
_METRIC_TIMEOUT_S: Final = 5.0
_FACTS: Final = re.compile(r"^opstrail_facts_held (\S+)$", re.MULTILINE)
_NO_RATES: Final[Mapping[str, str]] = {
    "OPSTRAIL_RATE_REQUESTS_PER_S": "0",
    "OPSTRAIL_RATE_EVENTS_PER_S": "0",
}
REAL_TIME: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How many processes of each kind; embedded: one of all."""

    is_embedded: bool = False
    ingest: int = 1
    correlate: int = 1
    sink: int = 1
    query: int = 1
    clock_rate: int = REAL_TIME  # so many times as fast as real time
    horizon_hours: int | None = None
    is_profiled: bool = False


@dataclass(slots=True)
class Installation:
    """`processes` by name: ours as `correlate-1`, and the servers as far as they were started."""

    folder: Path
    clock: FastClock
    admin_key: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    processes: dict[str, ChildProcess] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    metrics_urls: list[str] = field(default_factory=list)

    @property
    def sending_urls(self) -> list[str]:
        return [_address(each) for each in self._of("ingest", "up")]

    @property
    def reading_url(self) -> str:
        return _address(self._of("query", "up")[0])

    @property
    def data(self) -> Path:
        """The embedded mode's data folder."""
        return self.folder / "up-1"

    def pids(self) -> dict[str, int]:
        """Of everything that was started here, but for PostgreSQL, which does next to nothing."""
        found = {name: process.pid for name, process in self.processes.items()}
        for name, service in self.services.items():
            if name != "PostgreSQL" and isinstance(service, ProgramService):
                found[name] = service.process.pid
        return found

    def forget_profiles(self) -> None:
        """What was seen until now was the warm-up."""
        for path in self.folder.glob("*.profile"):
            path.unlink(missing_ok=True)

    def profiles(self) -> dict[str, list[str]]:
        return {path.stem: path.read_text().splitlines() for path in self.folder.glob("*.profile")}

    def facts_held(self) -> float:
        """Records in memory of all that correlate. Raises OSError."""
        return sum(map(_facts_held, self.metrics_urls))

    def start(self, kind: str, number: int, *, is_profiled: bool) -> None:
        """Return once it does its work. Raises ProcessError."""
        name = f"{kind}-{number}"
        into = self.folder / f"{name}.profile" if is_profiled else ""
        metrics_port = free_port() if kind == "correlate" else 0
        process = ChildProcess(
            [
                *(sys.executable, "-m", "tests.bench.profiled", *self.clock.arguments()),
                *("--into", str(into), "--", kind),
            ],
            folder=REPOSITORY,
            log=self.folder / f"{name}.log",
            variables={
                **self.variables,
                "OPSTRAIL_DATA_DIR": str(self.folder / name),
                "OPSTRAIL_METRICS_PORT": str(metrics_port),
            },
        )
        self.processes[name] = process
        process.start()
        if kind == "correlate":
            self.metrics_urls.append(f"http://{HOST}:{metrics_port}")
        process.wait_until(
            lambda: _READY[kind] in process.output, timeout_s=_READY_WAIT_S, what=f"{name}"
        )

    def _of(self, *kinds: str) -> list[ChildProcess]:
        return [
            process for name, process in self.processes.items() if name.partition("-")[0] in kinds
        ]


def end_in_order() -> None:
    """From now on SIGTERM ends this process as Ctrl-C does: what it started is stopped first."""
    signal.signal(signal.SIGTERM, _end)


def _end(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(_EXIT_ASKED_TO_END)


@contextlib.contextmanager
def running(shape: Shape) -> Iterator[Installation]:
    """Start it; stop it and delete its data at the end. Raises ProcessError."""
    clock = FastClock(shape.clock_rate, time.time_ns() // 1_000)
    with contextlib.ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="opstrail-bench-")))
        installation = Installation(folder, clock)
        opened.callback(_stop, installation)
        variables: dict[str, str] = dict(_NO_RATES)
        if shape.horizon_hours is not None:
            variables["OPSTRAIL_HORIZON_HOURS"] = str(shape.horizon_hours)
        kinds = {"up": 1}
        if not shape.is_embedded:
            for service in (
                *(kafka_service.program(), clickhouse_service.program()),
                postgres_service.program(),
            ):
                opened.callback(service.close)
                service.start()
                installation.services[service.name] = service
            found = new_variables(
                folder,
                kafka=installation.services["Kafka"].address,
                clickhouse=installation.services["ClickHouse"].address,
                postgres=installation.services["PostgreSQL"].address,
            )
            # As it is by default: fewer, larger inserts.
            del found["OPSTRAIL_SINK_WAIT_MS"]
            variables |= found
            kinds = {
                "ingest": shape.ingest,
                "correlate": shape.correlate,
                "sink": shape.sink,
                "query": shape.query,
            }
        else:
            variables["OPSTRAIL_PORT"] = "0"
        installation.variables = variables
        if not shape.is_embedded:
            installation.admin_key = initialized(variables).stdout.strip()
        for kind, count in kinds.items():
            for number in range(1, count + 1):
                installation.start(kind, number, is_profiled=shape.is_profiled)
        if shape.is_embedded:
            installation.metrics_urls.append(installation.reading_url)
            installation.admin_key = (installation.data / "admin.key").read_text().strip()
        yield installation


def _stop(installation: Installation) -> None:
    for process in installation.processes.values():
        process.stop()


def _address(process: ChildProcess) -> str:
    found = _ADDRESS.findall(process.output)
    return str(found[-1])


def _facts_held(url: str) -> float:
    with urllib.request.urlopen(f"{url}/metrics", timeout=_METRIC_TIMEOUT_S) as answer:
        found = _FACTS.search(answer.read().decode())
    return 0.0 if found is None else float(found[1])
