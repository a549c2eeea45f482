"""The order of tool versions as people mean it: 0.9 < 0.10-rc1 < 0.10 < 0.10.1. Pure.

Versions are free text from outside. The order is Semantic Versioning's, widened by what tools print
besides: a leading name or `v`, any number of numbers (missing ones are 0), `rc1` as `rc.1`, PEP 440
without dashes (`1.0rc1`, `1.0.post1`) and `git describe` (`1.2.3-4-gabc1234` is after 1.2.3).

Must stay true: one order for all versions, so that "below" never runs in a circle. Hence no library
for a part of them: PEP 440 has `1.0-1` after 1.0, Semantic Versioning has it before.
"""

import re
from enum import IntEnum
from typing import Final, TypeAlias


class _Stage(IntEnum):
    BEFORE = 0  # a pre-release
    RELEASE = 1
    AFTER = 2  # a post-release, or commits since


# Numbers sort by value and before words; of two that begin alike the shorter is lower.
_Part: TypeAlias = tuple[bool, int, str]
VersionKey: TypeAlias = tuple[tuple[int, ...], _Stage, tuple[_Part, ...]]

_VERSION: Final = re.compile(
    r"(?:[a-z][a-z0-9_.-]*[ /]+){0,3}"  # `polycrate version `, `polycrate/`
    r"v?(?P<numbers>[0-9]+(?:\.[0-9]+)*)"
    r"(?:-(?P<commits>[0-9]+)-g[0-9a-f]{4,40}"
    r"|[-._]?(?:post|rev|r)[-._]?(?P<post>[0-9]*)"
    r"|-(?!dirty)(?P<pre>[0-9a-z][0-9a-z._-]*?)"
    # Without a dash only these words: a commit's SHA may begin with a number, too.
    r"|[._]?(?P<word>(?:alpha|beta|preview|pre|dev|rc|a|b|c)[-._]?[0-9]*))?"
    r"(?:-dirty)?"  # the same version with local changes
    r"(?:\+[0-9a-z._-]*)?"  # build metadata
    r"(?: +\([a-z0-9 .,:;/_+-]*\))?",  # `0.18.3 (linux/amd64)`
    re.ASCII,
)
_PART: Final = re.compile(r"[0-9]+|[a-z]+")


def version_key(text: str) -> VersionKey | None:
    """What sorts as the version does; None when `text` cannot be read as one. Never raises.

    Two spellings of one version (`v1.0`, `1.0.0+build`) have the same key.
    """
    found = _VERSION.fullmatch(text.strip().lower())
    if found is None:
        return None
    numbers = [int(number) for number in found["numbers"].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers), *_stage(found)


def _stage(found: re.Match[str]) -> tuple[_Stage, tuple[_Part, ...]]:
    pre = found["pre"] or found["word"]
    if pre is not None:
        return _Stage.BEFORE, tuple(map(_part, _PART.findall(pre)))
    since = found["commits"] if found["post"] is None else found["post"]
    if since is None:
        return _Stage.RELEASE, ()
    return _Stage.AFTER, (_part(since or "0"),)


def _part(text: str) -> _Part:
    return (False, int(text), "") if text.isdecimal() else (True, 0, text)
