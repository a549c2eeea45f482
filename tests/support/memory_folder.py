"""The data of servers and shared stores in memory, because they sync to the disk at each insert.

Only a power cut would take from a server what it wrote to memory, and no test can cut the power: to
wait for the disk proves nothing here, and takes minutes.

Must stay true:
- The folders of single tests (`tmp_path`) stay on the disk: processes are killed there while they
  sync, and who looks for the reason of a failure finds their logs.
- Who sets TMPDIR is obeyed.
- Without enough memory to spare all is as if this file were not there.
- Nothing outlives the run in memory; what a killed run left, the next one removes.
"""

import atexit
import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Final

MEMORY: Final = Path("/dev/shm")  # of Linux; elsewhere it is not there
VARIABLE: Final = "TMPDIR"
_TESTS_VARIABLE: Final = "PYTEST_DEBUG_TEMPROOT"  # where pytest makes `tmp_path`
# Several times what a whole run holds at once, so that the servers beside it have room.
FREE_BYTES_MIN: Final = 2 * 1024**3
_PREFIX: Final = "opstrail-tests-"
# Younger ones may be those of a run that is about to lock its own.
_AGE_MIN_S: Final = 60.0


def use_memory_folder() -> None:
    """Make temporary folders in memory if it can, also those of processes that are started."""
    if os.environ.get(VARIABLE) or not os.access(MEMORY, os.W_OK | os.X_OK):
        return
    _remove_left_ones()
    if free_bytes() < FREE_BYTES_MIN:
        return
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=MEMORY))
    folder.chmod(0o755)  # PostgreSQL runs as another user
    descriptor = os.open(folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)  # for as long as this process lives
    # First in, last out: whatever else is registered still finds its folders.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ.setdefault(_TESTS_VARIABLE, tempfile.gettempdir())
    os.environ[VARIABLE] = str(folder)
    tempfile.tempdir = None  # is found anew


def free_bytes() -> int:
    """Of the folder, and of the machine: a folder in memory promises more than there is."""
    of_folder = shutil.disk_usage(MEMORY).free
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return min(of_folder, int(value.split()[0]) * 1024)
    return 0


def _remove_left_ones() -> None:
    for folder in MEMORY.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # another user's, or gone meanwhile
            if time.time() - folder.stat().st_mtime > _AGE_MIN_S:
                _remove_unlocked(folder)


def _remove_unlocked(folder: Path) -> None:
    """Raises OSError when a run holds it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    finally:
        os.close(descriptor)
