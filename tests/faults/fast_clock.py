"""A process of ours under a wall clock that runs fast: days in minutes, and what is old is let go.

`python -m tests.faults.fast_clock --rate 1000 --since EPOCH_US -- correlate`

Must stay true:
- All processes with the same rate and start agree on the time, also those started later.
- Only `time.time_ns` runs fast: `runtime.clock.wall_clock_us` reads it, and with it all that is
  written down of events. Waits and time limits go by the monotonic clock and stay real; so do what
  keys expire by (`datetime.now`), and whatever Kafka and the libraries read (`time.time`).
"""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

_NS_PER_US: Final = 1_000
# The shortest that a broker takes by default. So long a killed worker's share lies idle.
SESSION_TIMEOUT_S: Final = 6.0
HEARTBEAT_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class FastClock:
    """From `since_us` on, µs since 1970, time passes `rate` times as fast."""

    rate: int
    since_us: int

    def now_us(self) -> int:
        return self._fast_ns(time.time_ns) // _NS_PER_US

    def install(self) -> None:
        """Make `time.time_ns` of this process run fast."""
        real_ns = time.time_ns
        time.time_ns = lambda: self._fast_ns(real_ns)

    def arguments(self) -> list[str]:
        """The same clock for another process."""
        return ["--rate", str(self.rate), "--since", str(self.since_us)]

    def _fast_ns(self, real_ns: Callable[[], int]) -> int:
        since_ns = self.since_us * _NS_PER_US
        return since_ns + (real_ns() - since_ns) * self.rate


def command(clock: FastClock, *arguments: str, dying_at: str | None = None) -> list[str]:
    """The command line of one of our commands under this clock.

    `dying_at` is a point of `tests.faults.dying_worker` and how often it is passed before.
    """
    module = "tests.faults.fast_clock" if dying_at is None else "tests.faults.dying_worker"
    point = [] if dying_at is None else ["--at", dying_at]
    return [sys.executable, "-m", module, *clock.arguments(), *point, "--", *arguments]


def option(arguments: Sequence[str], name: str) -> str:
    """The value after an option. Raises ValueError when it is missing."""
    return arguments[arguments.index(name) + 1]


def run(own: Sequence[str], arguments: Sequence[str], prepare: Callable[[], None]) -> None:
    """Install the clock, shorten what a group waits for a dead member, `prepare`, then run it."""
    FastClock(int(option(own, "--rate")), int(option(own, "--since"))).install()
    if arguments[0] == "correlate":
        import processors.app

        processors.app._SESSION_TIMEOUT_S = SESSION_TIMEOUT_S  # type: ignore[misc]
        processors.app._HEARTBEAT_S = HEARTBEAT_S  # type: ignore[misc]
    if arguments[0] == "sink":
        import processors.access_sink
        import processors.sink

        for module in (processors.sink, processors.access_sink):
            module._SESSION_TIMEOUT_MS = int(SESSION_TIMEOUT_S * 1000)  # type: ignore[attr-defined]
            module._HEARTBEAT_MS = int(HEARTBEAT_S * 1000)  # type: ignore[attr-defined]
    prepare()
    from opstrail.main import main

    sys.argv = ["opstrail", *arguments]
    main()


def split(arguments: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Our own options, and the command after `--`."""
    border = arguments.index("--")
    return arguments[:border], arguments[border + 1 :]


if __name__ == "__main__":
    run(*split(sys.argv[1:]), prepare=lambda: None)
