"""The end of a worker that must not go on."""

import os
import sys
from typing import NoReturn

import structlog

from runtime.errors import EXIT_BUG


def stop_at_once(doing: str, error: BaseException) -> NoReturn:
    """End without a commit, so that nothing is passed over."""
    structlog.get_logger().critical("correlate stops", doing=doing, exc_info=error)
    sys.stderr.flush()
    os._exit(EXIT_BUG)
