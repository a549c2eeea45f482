"""How a sender wants an event with unknown fields handled. Pure. Source: RFC 7240."""

import re
from collections.abc import Sequence
from typing import Final

APPLIED_LENIENT: Final = "handling=lenient"

# Preferences are separated by commas; parameters, after a semicolon, mean nothing to us.
_PREFERENCE: Final = re.compile(
    r"""[ \t,]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)"""
    r"""(?:[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^,;" \t]*))?"""
    r"""((?:"(?:[^"\\]|\\.)*"|[^,"])*)""",
    re.ASCII,
)


def is_lenient(stated: Sequence[str]) -> bool:
    """`stated`: the values of all Prefer headers. Never raises; the default is strict.

    Of several `handling`, the first counts (RFC 7240, section 2). What cannot be read is ignored.
    """
    for line in stated:
        at = 0
        while (found := _PREFERENCE.match(line, at)) is not None:
            name, value, _ = found.groups()
            if name.lower() == "handling":
                return value is not None and value.strip('"').lower() == "lenient"
            at = found.end()
    return False
