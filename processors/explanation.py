"""The sentence that tells a person why a link is there. Pure.

A sentence depends only on what the link itself says, so equal links read alike.
"""

from typing import assert_never

from processors.links import ConfiguredBy, Link
from schemas.kinds import Rule
from schemas.limits import US_PER_S
from schemas.records import RECORD_KINDS


def explain_link(link: Link) -> str:
    """Why the two records are linked."""
    noun = RECORD_KINDS[link.target_kind].noun
    gap = "" if link.gap_us is None else duration_text(link.gap_us)
    because = "same workspace, another origin" if link.origin is None else f"same {link.origin}"
    match link.rule:
        case Rule.DURING:
            return f"the {noun} overlaps in time; {because}"
        case Rule.AFTER:
            return f"the {noun} ended {gap} before the start; {because}"
        case Rule.BEFORE:
            return f"the {noun} started {gap} after the end; {because}"
        case Rule.RETRIGGERED_FROM:
            return "this run repeats that one, as its sender stated"
        case Rule.RETRIGGERED_AS:
            return "that run repeats this one, as its sender stated"
    assert_never(link.rule)


def explain_configuration(configured_by: ConfiguredBy) -> str:
    """Why that sync is held to have configured the record."""
    gap = configured_by.gap_us
    when = "at the same moment" if gap == 0 else f"{duration_text(gap)} earlier"
    if configured_by.is_stated:
        return f"last successful sync of the stated commit, {when}"
    if configured_by.instance_id is not None:
        instance_id = configured_by.instance_id
        return f"last successful sync from {instance_id} before the start, {when}"
    return f"last successful sync in the workspace before the start, {when}"


def duration_text(duration_us: int) -> str:
    """`2 h 10 min`, `4 min 21 s`, `12 s`, `3 d 1 h`: the two greatest units, rounded down."""
    seconds = duration_us // US_PER_S
    if seconds >= 86_400:
        return _two(seconds // 86_400, "d", seconds // 3_600 % 24, "h")
    if seconds >= 3_600:
        return _two(seconds // 3_600, "h", seconds // 60 % 60, "min")
    if seconds >= 60:
        return _two(seconds // 60, "min", seconds % 60, "s")
    return f"{seconds} s" if seconds else "less than 1 s"


def _two(great: int, great_unit: str, small: int, small_unit: str) -> str:
    return f"{great} {great_unit} {small} {small_unit}" if small else f"{great} {great_unit}"
