"""What the threads of a process are busy with: their stacks, a hundred times a second.

A look counts as much as the thread computed since the look before, so waiting counts nothing. What
C does counts for the Python function that called it, or that it calls next: of two functions that
call each other through C, believe the sum. Costs a few percent: never while measuring.
"""

import contextlib
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Final

_LOOK_S: Final = 0.01
_WRITE_S: Final = 1.0
_LINES: Final = 10
_OURS: Final = frozenset(
    ("schemas", "runtime", "control", "timeline", "ingest", "processors", "query")
)
# By default a thread keeps the lock for 5 ms, or until it calls something that lets go of it: then
# all looks would fall on these calls.
_SWITCH_S: Final = 20e-6


class Sampler:
    """Looks at all threads of this process that run Python."""

    def __init__(self) -> None:
        self._own: Final[defaultdict[str, float]] = defaultdict(float)
        self._within: Final[defaultdict[str, float]] = defaultdict(float)
        self._looked_at_s: Final[dict[int, float]] = {}  # CPU time of a thread at its last look
        self._seen_s = 0.0
        self._all_s = 0.0

    @contextlib.contextmanager
    def looking(self) -> Iterator[None]:
        """Look for as long as the body runs."""
        is_over = threading.Event()
        thread = threading.Thread(target=self._run, args=(is_over,), name="sampler", daemon=True)
        switch_s = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH_S)
        before_s = time.process_time()
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()
            sys.setswitchinterval(switch_s)
            self._all_s += time.process_time() - before_s

    def lines(self) -> list[str]:
        """Where it computed most: in functions themselves, then in ours with all they called."""
        all_s = max(self._all_s, self._seen_s, 1e-9)

        def top(of: dict[str, float], is_shown: Callable[[str], bool]) -> list[str]:
            ordered = sorted(filter(is_shown, of), key=lambda name: -of[name])
            return [f"{of[name] / all_s:6.1%}  {name}" for name in ordered[:_LINES]]

        outside_s = all_s - self._seen_s
        return [
            "itself:",
            *top(self._own, lambda _: True),
            f"{outside_s / all_s:6.1%}  threads without Python, and looking",
            "ours, with callees:",
            *top(self._within, lambda name: name.partition("/")[0] in _OURS),
        ]

    def _run(self, is_over: threading.Event) -> None:
        self._looked_at_s.clear()
        while not is_over.wait(_LOOK_S):
            for thread in threading.enumerate():
                if thread.ident is not None and not thread.name.startswith("sampler"):
                    self._look(thread.ident)

    def _look(self, ident: int) -> None:
        frame = sys._current_frames().get(ident)
        if frame is None:
            return
        now_s = time.clock_gettime(time.pthread_getcpuclockid(ident))
        computed_s = now_s - self._looked_at_s.get(ident, now_s)
        self._looked_at_s[ident] = now_s
        self._seen_s += computed_s
        self._own[_name(frame)] += computed_s
        within: set[str] = set()
        above: FrameType | None = frame
        while above is not None:
            within.add(_name(above))
            above = above.f_back
        for name in within:
            self._within[name] += computed_s


def write_while_running(path: Path) -> None:
    """From now on, once a second, what this process was busy with since the file was gone.

    Deleting the file begins anew: so the warm-up is left out.
    """

    def run() -> None:
        sampler = Sampler()
        while True:
            with sampler.looking():
                time.sleep(_WRITE_S)
            if not path.exists():
                sampler = Sampler()
            path.write_text("\n".join(sampler.lines()) + "\n")

    threading.Thread(target=run, name="sampler-writer", daemon=True).start()


def _name(frame: FrameType) -> str:
    code = frame.f_code
    path = Path(code.co_filename)
    return f"{path.parent.name}/{path.name}:{code.co_qualname}"
