"""A small disk of its own for the embedded mode's data, which can be filled and emptied again.

A file system in memory of a fixed size, which takes the right to mount: without it there is none.
"""

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from tests.faults.plan import Fault

_BLOCK: Final = b"\0" * 65_536
_REFUSALS_MIN: Final = 5
_REFUSED_WITHIN_S: Final = 60.0
_STAY_FULL_S: Final = 3.0


class NoMountError(Exception):
    """This machine does not let us mount."""


class NeverFullError(Exception):
    """Events were taken in though the disk had no room."""


@contextlib.contextmanager
def tight_disk(folder: Path, mib: int) -> Iterator[None]:
    """Mounted at `folder`, which must be empty. Raises NoMountError."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "opstrail-faults", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True, timeout=10)
    except (OSError, subprocess.SubprocessError) as error:
        raise NoMountError from error
    try:
        yield
    finally:
        # Lazily: a process that was just killed may still hold a file.
        subprocess.run(["umount", "-l", str(folder)], check=False, timeout=10)


def fills(folder: Path, count: int, refusals: Callable[[], int]) -> Iterator[Fault]:
    """`refusals()` is how many requests were answered with 503 so far."""

    def fill() -> None:
        ballast = folder / "ballast"
        try:
            with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while file.write(_BLOCK):
                    pass
            _wait_for_refusals(refusals)
        finally:
            ballast.unlink()

    return (Fault("data folder's disk full", fill) for _ in range(count))


def _wait_for_refusals(refusals: Callable[[], int]) -> None:
    enough = refusals() + _REFUSALS_MIN
    deadline_s = time.monotonic() + _REFUSED_WITHIN_S
    while refusals() < enough:
        if time.monotonic() > deadline_s:
            raise NeverFullError
        time.sleep(0.1)
    time.sleep(_STAY_FULL_S)
