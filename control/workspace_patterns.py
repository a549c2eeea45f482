"""The workspaces that a narrowed key may touch: exact names, or `prefix*`. Pure.

None in place of patterns means every workspace of the organization; an empty list cannot be, so
that nothing hangs on whether somebody tells the two apart.
"""

from collections.abc import Sequence
from typing import Final

from control.errors import InvalidValueError
from control.names import check_name

_FIELD: Final = "workspaces"
# Each request may look at all of a key's patterns; whoever needs more has a naming scheme.
PATTERNS_MAX: Final = 100


def check_patterns(patterns: Sequence[str] | None) -> None:
    """Raises InvalidValueError: none, too many, or one that no workspace's name can match."""
    if patterns is None:
        return
    if not 1 <= len(patterns) <= PATTERNS_MAX:
        raise InvalidValueError(f"1 to {PATTERNS_MAX} patterns.", field=_FIELD)
    for pattern in patterns:
        check_name(pattern.removesuffix("*"), field=_FIELD)


def allows(patterns: Sequence[str] | None, workspace: str) -> bool:
    """Whether a key with these patterns may touch `workspace`; upper and lower case differ."""
    if patterns is None:
        return True
    return any(
        workspace.startswith(pattern[:-1]) if pattern.endswith("*") else workspace == pattern
        for pattern in patterns
    )
