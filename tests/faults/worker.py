"""One place for a process of ours: whoever dies in it is replaced, as a supervisor would.

Must stay true:
- The address stays the same, as behind a service name.
- Who ended by itself is noted with its exit code: that is no fault of the rig's.
"""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.faults.dying_worker import EXIT_CODE, Point
from tests.faults.fast_clock import FastClock, command
from tests.support.ports import HOST, free_port
from tests.support.processes import ChildProcess, ProcessError, wait_until
from tests.support.services import REPOSITORY

_LOOK_S: Final = 0.25
# A supervisor does not restart without end what cannot start.
_RESTART_AFTER_S: Final = 1.0
_READY_WAIT_S: Final = 90.0
_DEATH_WAIT_S: Final = 90.0
# What a process writes once it does its work.
_READY: Final[Mapping[str, str]] = {
    "ingest": "listening on",
    "query": "listening on",
    "up": "listening on",
    "correlate": "state restored",
    "sink": "partitions assigned",
}


class Worker:
    """`name` is the kind and a letter, as in `sink-a`. Calls may come from several threads."""

    def __init__(
        self,
        kind: str,
        letter: str,
        *,
        folder: Path,
        variables: Mapping[str, str],
        clock: FastClock,
        arguments: Sequence[str] = (),
    ) -> None:
        self.kind: Final = kind
        self.name: Final = f"{kind}-{letter}"
        self.port: Final = free_port()
        self.url: Final = f"http://{HOST}:{self.port}"
        self.log: Final = folder / f"{self.name}.log"
        self.is_wanted = False
        self.ended: Final[Counter[int]] = Counter()  # exit codes of those that ended by themselves
        self._clock: Final = clock
        self._arguments: Final = [kind, *arguments]
        self._variables: Final = {
            **variables,
            "OPSTRAIL_PORT": str(self.port),
            "OPSTRAIL_METRICS_PORT": str(self.port) if kind in ("correlate", "sink") else "0",
            "OPSTRAIL_DATA_DIR": str(folder / (kind if kind == "up" else self.name)),
        }
        self._lock: Final = threading.RLock()
        self._process = self._made()

    @property
    def pid(self) -> int | None:
        with contextlib.suppress(ProcessError):
            return self._process.pid
        return None

    def start(self) -> None:
        """Start it and return at once; it is kept running from now on."""
        with self._lock:
            self._process = self._made()
            self._process.start()
            self.is_wanted = True

    def start_and_wait(self) -> None:
        """Raises ProcessError."""
        before = self._ready_count()
        self.start()
        wait_until(
            lambda: self._ready_count() > before,
            timeout_s=_READY_WAIT_S,
            what=f"{self.name} to be ready",
            poll_s=_LOOK_S,
        )

    def kill(self) -> None:
        """As `kill -9`; the supervisor starts another."""
        with self._lock:
            self._process.kill()

    def remove(self) -> None:
        """Ask it to end, and leave the place empty."""
        with self._lock:
            self.is_wanted = False
            self._process.stop()

    def pause(self, seconds: float) -> None:
        """Freeze it for so long, as a virtual machine may."""
        with self._lock:
            self._process.pause()
            time.sleep(seconds)
            self._process.resume()

    def die_at(self, point: Point, passes: int) -> None:
        """Replace it by one that dies at this point; return when it has. Raises ProcessError."""
        with self._lock:
            self._process.stop()
            self._process = self._made(f"{point}:{passes}")
            self._process.start()
            wait_until(
                lambda: not self._process.is_running,
                timeout_s=_DEATH_WAIT_S,
                what=f"{self.name} to pass {point}",
                poll_s=_LOOK_S,
            )
            self._process.kill()  # takes note of its exit code
            if (code := self._process.exit_code) != EXIT_CODE:
                raise ProcessError(
                    f"{self.name} ended with {code} before {point}; its log:\n{self.log_tail()}"
                )

    def look_after(self) -> None:
        """Replace it when it is gone and wanted."""
        # Whoever holds the lock is doing something to it.
        if not self._lock.acquire(blocking=False):
            return
        try:
            if not self.is_wanted or self._process.is_running:
                return
            if self.pid is not None:
                self._process.kill()  # takes note of its exit code
                self.ended[self._process.exit_code or 0] += 1
                time.sleep(_RESTART_AFTER_S)
            self.start()
        finally:
            self._lock.release()

    def log_tail(self, lines: int = 30) -> str:
        return self._process.log_tail(lines)

    def _made(self, dying_at: str | None = None) -> ChildProcess:
        return ChildProcess(
            command(self._clock, *self._arguments, dying_at=dying_at),
            folder=REPOSITORY,
            log=self.log,
            variables=self._variables,
        )

    def _ready_count(self) -> int:
        return self._process.output.count(_READY[self.kind])


@dataclass(slots=True)
class Supervisor:
    """Keeps workers running from a thread of its own, until it is stopped."""

    workers: Callable[[], Sequence[Worker]]
    failure: BaseException | None = None
    _is_over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._is_over.set()
        if self._thread is not None:
            self._thread.join(60)

    def _run(self) -> None:
        try:
            while not self._is_over.wait(_LOOK_S):
                for worker in self.workers():
                    if not self._is_over.is_set():
                        worker.look_after()
        except BaseException as error:
            self.failure = error
