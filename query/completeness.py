"""Whether more may still come that belongs into an answer."""

from collections.abc import Mapping, Sequence
from typing import Any

from schemas.times import parse_us
from timeline.gap_query import Gap


def is_complete(watermark: Mapping[str, Any], until_us: int, gaps: Sequence[Gap]) -> bool:
    """All that was accepted before `until_us` is shown, and nothing is known to be missing.

    `watermark` is the answer's own.
    """
    complete_until = watermark["complete_until"]
    return not gaps and complete_until is not None and parse_us(complete_until) >= until_us
