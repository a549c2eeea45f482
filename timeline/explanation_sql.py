"""The sentences of `schemas/explanation.py` as the engine writes them, for analysts' SQL.

Must stay true: for every link both say the same.
"""

from collections.abc import Mapping
from string import Formatter
from typing import Final

from schemas.explanation import NOTHING_IN_COMMON, NOUNS, SAME_ACTOR, SAME_INSTANCE, SENTENCES
from schemas.kinds import Origin


def explain_link_sql(
    *, rule: str, target_kind: str, gap_ms: str, origin: str, actor: str, cli_instance_id: str
) -> str:
    """An expression; each argument is one, of a String (`gap_ms`: of an integer or NULL)."""
    parts = {
        "noun": _by_text(target_kind, {kind: f"'{noun}'" for kind, noun in NOUNS.items()}),
        "gap": f"if(isNull({gap_ms}), '', {_duration(f'intDiv(ifNull({gap_ms}, 0), 1000)')})",
        "because": f"multiIf({origin} = '{Origin.CLI_INSTANCE}',"
        f" concat('{SAME_INSTANCE}', {cli_instance_id}),"
        f" {origin} = '{Origin.ACTOR}', concat('{SAME_ACTOR}', {actor}),"
        f" '{NOTHING_IN_COMMON}')",
    }
    cases = ", ".join(
        f"{rule} = '{known}', {_filled(sentence, parts)}" for known, sentence in SENTENCES.items()
    )
    return f"multiIf({cases}, concat('linked by the rule ', {rule}))"


def _filled(sentence: str, parts: Mapping[str, str]) -> str:
    pieces = []
    for text, field, _, _ in Formatter().parse(sentence):
        if text:
            pieces.append(f"'{text}'")
        if field:
            pieces.append(parts[field])
    return f"concat({', '.join(pieces)})" if len(pieces) > 1 else pieces[0]


def _by_text(value: str, known: Mapping[str, str]) -> str:
    """What is not known is its own name."""
    cases = ", ".join(f"{value} = '{text}', {found}" for text, found in known.items())
    return f"multiIf({cases}, {value})"


_MINUTE_S: Final = 60
_HOUR_S: Final = 3_600
_DAY_S: Final = 86_400


def _duration(seconds: str) -> str:
    return (
        f"multiIf({seconds} >= {_DAY_S}, {_two(seconds, _DAY_S, 'd', _HOUR_S, 24, 'h')},"
        f" {seconds} >= {_HOUR_S}, {_two(seconds, _HOUR_S, 'h', _MINUTE_S, 60, 'min')},"
        f" {seconds} >= {_MINUTE_S}, {_two(seconds, _MINUTE_S, 'min', 1, 60, 's')},"
        f" {seconds} > 0, concat(toString({seconds}), ' s'), 'less than 1 s')"
    )


def _two(
    seconds: str, great_s: int, great_unit: str, small_s: int, small_many: int, small_unit: str
) -> str:
    great = f"toString(intDiv({seconds}, {great_s}))"
    small = f"intDiv({seconds}, {small_s}) % {small_many}"
    return (
        f"concat({great}, ' {great_unit}',"
        f" if({small} > 0, concat(' ', toString({small}), ' {small_unit}'), ''))"
    )
