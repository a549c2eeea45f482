"""Child processes of the test suite: started, disturbed and stopped by pid.

Must stay true:
- A child never outlives the suite: `stop` ends it, exit handlers stop what was left, and on Linux
  the kernel kills it when the suite itself is killed.
- Every wait is bounded, and its error shows the end of the child's log.
- Only processes started here are ever signalled.
"""

import atexit
import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import cache
from pathlib import Path

from tests.support.ports import is_listening

POLL_S = 0.05
STOP_TIMEOUT_S = 20.0  # a broker flushes its logs first
LOG_TAIL_LINES = 20

# Runs between fork and the real program, in a Python of its own: doing this in the forked copy of
# a process with threads may deadlock. Changing the user clears the death signal, so it comes last.
_LAUNCHER = """
import ctypes, os, sys
parent_pid, uid, gid, *command = sys.argv[1:]
libc = ctypes.CDLL(None)
if int(uid) != os.getuid():
    os.setgroups([])
    os.setgid(int(gid))
    os.setuid(int(uid))
if sys.platform == "linux":
    libc.prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL
if os.getppid() == int(parent_pid):  # else the suite is gone already
    os.execvp(command[0], command)
"""


class ProcessError(Exception):
    """A child did not do what was waited for; the message says what and ends with its log."""


def wait_until(
    condition: Callable[[], bool], *, timeout_s: float, what: str, poll_s: float = POLL_S
) -> None:
    """Return once `condition()` holds. Raises ProcessError naming `what` after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise ProcessError(f"waited {timeout_s:g} s in vain for {what}")
        time.sleep(poll_s)


def wait_for_port(port: int, *, timeout_s: float) -> None:
    """Return once something listens on `port`. Raises ProcessError after `timeout_s`."""
    wait_until(lambda: is_listening(port), timeout_s=timeout_s, what=f"port {port} to listen")


class ChildProcess:
    """One program with its folder and log file; may be started again after it ended.

    It runs in a session of its own, so Ctrl-C in a terminal reaches the suite alone, which then
    stops its children in order.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        log: Path,
        variables: Mapping[str, str] | None = None,
        owner: tuple[int, int] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        """`folder` is its working directory, `log` collects its output over all starts.

        `variables` are added to the suite's own; `owner` is the (uid, gid) to run as, None for
        the suite's; `stop_signal` is the one that asks it to end in an orderly way.
        """
        self._command = list(command)
        self._folder = folder
        self._log = log
        self._variables = dict(variables or {})
        self._owner = owner or (os.getuid(), os.getgid())
        self._stop_signal = stop_signal
        self._process: subprocess.Popen[bytes] | None = None
        self._exit_code: int | None = None

    @property
    def pid(self) -> int:
        """Its process id. Raises ProcessError when it was not started."""
        return self._started().pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended; a paused child is running."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Its last exit code, negative for a signal; None before it ended once."""
        return self._exit_code

    @property
    def output(self) -> str:
        """All it has written, over all starts."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def start(self) -> None:
        """Start it and return at once; does nothing when it runs."""
        if self.is_running:
            return
        self._process = _spawn(self._popen)
        atexit.register(self.stop)

    def stop(self, *, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Ask it to end, kill it after `timeout_s`; does nothing when it does not run."""
        if self.is_running:
            process = self._started()
            process.send_signal(self._stop_signal)
            with contextlib.suppress(ProcessError):  # it may have ended by now
                self.resume()  # a paused process takes no signal
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout_s)
        self.kill()

    def kill(self) -> None:
        """End it and its helpers without warning, as `kill -9` does; no error when it ended."""
        atexit.unregister(self.stop)
        if self._process is None:
            return
        helpers = _descendants(self._process.pid)
        # The child goes first: PostgreSQL would answer the death of a helper by a new one.
        self._process.kill()
        _send(signal.SIGKILL, helpers)
        self._exit_code = self._process.wait(STOP_TIMEOUT_S)
        wait_until(
            lambda: not any(map(_is_alive, helpers)),
            timeout_s=STOP_TIMEOUT_S,
            what="helpers to end",
        )
        self._process = None

    def pause(self) -> None:
        """Freeze it with its helpers: connections stay open and nothing answers."""
        pid = self.pid
        _send(signal.SIGSTOP, [pid])  # first, so that it starts no further helper
        _send(signal.SIGSTOP, _descendants(pid))

    def resume(self) -> None:
        """Let it go on after `pause`."""
        pid = self.pid
        _send(signal.SIGCONT, [*_descendants(pid), pid])

    def wait_until(self, condition: Callable[[], bool], *, timeout_s: float, what: str) -> None:
        """Return once `condition()` holds.

        Raises ProcessError, with the end of the log, after `timeout_s` or when the child ends.
        """

        def holds_or_ended() -> bool:
            return condition() or not self.is_running

        name = Path(self._command[0]).name
        try:
            wait_until(holds_or_ended, timeout_s=timeout_s, what=what)
        except ProcessError as error:
            raise ProcessError(f"{name}: {error}; its log ends:\n{self.log_tail()}") from error
        if not self.is_running:
            raise ProcessError(f"{name} ended before {what}; its log ends:\n{self.log_tail()}")

    def log_tail(self, lines: int = LOG_TAIL_LINES) -> str:
        """The last `lines` lines it wrote; empty when it wrote none."""
        if not self._log.exists():
            return ""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])

    def _popen(self) -> subprocess.Popen[bytes]:
        uid, gid = map(str, self._owner)
        launcher = [sys.executable, "-I", "-c", _LAUNCHER, str(os.getpid()), uid, gid]
        with self._log.open("ab") as output:
            return subprocess.Popen(
                [*launcher, *self._command],
                cwd=self._folder,
                env={**os.environ, **self._variables},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ProcessError(f"{Path(self._command[0]).name} is not running")
        return self._process


def _send(number: signal.Signals, pids: Sequence[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # it ended by itself meanwhile
            os.kill(pid, number)


def _descendants(pid: int) -> list[int]:
    """Processes that `pid` started, and those that they started; none without /proc.

    Not by process group: each helper of PostgreSQL is in a session of its own.
    """
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [each for child in map(int, children) for each in (child, *_descendants(child))]


def _is_alive(pid: int) -> bool:
    """Whether it still holds memory and files: a zombie does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


_Request = tuple[Future[subprocess.Popen[bytes]], Callable[[], subprocess.Popen[bytes]]]


@cache
def _spawn_requests() -> queue.SimpleQueue[_Request]:
    requests: queue.SimpleQueue[_Request] = queue.SimpleQueue()

    def serve() -> None:
        while True:
            future, popen = requests.get()
            try:
                future.set_result(popen())
            except (OSError, ValueError, subprocess.SubprocessError) as error:
                future.set_exception(error)

    threading.Thread(target=serve, name="spawner", daemon=True).start()
    return requests


def _spawn(popen: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    """Call `popen` on a thread that lives as long as the suite.

    Linux sends the death signal when the *thread* that forked ends: a child started by a
    short-lived one (asyncio.to_thread) would die in the middle of the test.
    """
    future: Future[subprocess.Popen[bytes]] = Future()
    _spawn_requests().put((future, popen))
    return future.result(timeout=STOP_TIMEOUT_S)
