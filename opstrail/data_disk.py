"""How much room the disk of the data folder has, as metrics."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path

from runtime.metrics import DATA_DISK_BYTES, DATA_DISK_FREE_BYTES


def watch_disk(folder: Path) -> None:
    """Both are read anew whenever the metrics are; not a number when the folder is gone."""
    DATA_DISK_FREE_BYTES.set_function(_or_nan(lambda: shutil.disk_usage(folder).free))
    DATA_DISK_BYTES.set_function(_or_nan(lambda: shutil.disk_usage(folder).total))


def _or_nan(read_bytes: Callable[[], int]) -> Callable[[], float]:
    def read() -> float:
        try:
            return read_bytes()
        except OSError:
            return math.nan

    return read
