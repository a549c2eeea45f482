"""The sentence that tells a person why a link is there. Pure.

Made when it is read: half of what a link would take on disk and on the log is this sentence, and
all of it follows from what the link and its record say anyway (decision 0024).
"""

from collections.abc import Mapping
from typing import Final

from schemas.kinds import Kind, Origin, Rule
from schemas.limits import US_PER_MS, US_PER_S
from schemas.records import RECORD_KINDS

# Its fields: what the target is called, the gap, and what both have in common.
SENTENCES: Final[Mapping[Rule, str]] = {
    Rule.DURING: "the {noun} overlaps in time; {because}",
    Rule.AFTER: "the {noun} ended {gap} before the start; {because}",
    Rule.BEFORE: "the {noun} started {gap} after the end; {because}",
    Rule.RETRIGGERED_FROM: "this run repeats that one, as its sender stated",
    Rule.RETRIGGERED_AS: "that run repeats this one, as its sender stated",
}
SAME_INSTANCE: Final = "same CLI instance "
SAME_ACTOR: Final = "same actor "
NOTHING_IN_COMMON: Final = "same workspace, another origin"
NOUNS: Final[Mapping[Kind, str]] = {kind: spec.noun for kind, spec in RECORD_KINDS.items()}


def explain_link(
    rule: str,
    target_kind: str,
    gap_ms: int | None,
    origin: str,
    *,
    actor: str,
    cli_instance_id: str,
) -> str:
    """Why two records are linked. `origin` is an `Origin` or ''; actor and instance are those of
    the record the link stands on.
    """
    sentence = SENTENCES.get(rule)  # type: ignore[call-overload]  # a StrEnum is its text
    if sentence is None:
        return f"linked by the rule {rule}"  # of a newer version
    if origin == Origin.CLI_INSTANCE:
        because = SAME_INSTANCE + cli_instance_id
    else:
        because = SAME_ACTOR + actor if origin == Origin.ACTOR else NOTHING_IN_COMMON
    gap = "" if gap_ms is None else duration_text(gap_ms * US_PER_MS)
    noun = NOUNS.get(target_kind, target_kind)  # type: ignore[call-overload]
    return str(sentence.format(noun=noun, gap=gap, because=because))


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
