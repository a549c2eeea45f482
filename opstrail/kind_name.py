"""What people call the kinds of records on the command line. `run` for `action_run`, and so on."""

from collections.abc import Mapping
from typing import Any, Final

import click

from schemas.kinds import Kind

# The short word is what our own output says, so that it can be given back to us.
_SHORT: Final[Mapping[str, str]] = {
    Kind.ACTION_RUN.value: "run",
    Kind.SSH_SESSION.value: "ssh",
    Kind.WORKSPACE_SYNC.value: "sync",
}
_MORE: Final[Mapping[str, Kind]] = {
    "action": Kind.ACTION_RUN,
    "session": Kind.SSH_SESSION,
}


def short_kind(kind: str) -> str:
    """`ssh` for `ssh_session`; a kind that a newer server knows stays what it is."""
    return _SHORT.get(kind, kind)


class KindName(click.ParamType):
    """A kind in any usual spelling: `ssh`, `ssh-session`, `ssh_sessions`."""

    name = "kind"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Kind:
        if isinstance(value, Kind):
            return value
        word = str(value).lower().replace("-", "_")
        found = _SPELLINGS.get(word) or _SPELLINGS.get(word.removesuffix("s"))
        if found is None:
            words = ", ".join([*_SHORT.values(), *Kind])
            self.fail(f"{value!r} is no kind; there are {words}", param, ctx)
        return found


_SPELLINGS: Final[Mapping[str, Kind]] = {
    **{kind.value: kind for kind in Kind},
    **{_SHORT.get(kind.value, kind.value): kind for kind in Kind},
    **_MORE,
}
