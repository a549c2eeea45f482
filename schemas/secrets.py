"""What looks like a secret, so that it is refused and never stored, logged or repeated.

Must stay true: `may_hold_secret` is never false for a JSON text one of whose strings
`looks_like_secret` (tested by generation). It is the cheap look at a whole body; only when it is
true is each string looked at.
"""

import re
from typing import Final

_SECRET: Final = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY"
    r"|AGE-SECRET-KEY-"
    r"|gh[pousr]_[A-Za-z0-9]{4}"
    r"|github_pat_[A-Za-z0-9]"
    r"|glpat-[A-Za-z0-9_-]{4}"
    r"|xox[a-z]-[A-Za-z0-9]"
    r"|(?:AKIA|ASIA)[A-Z0-9]{12}"
    r"|opstrail_[A-Za-z0-9]{20}",
)
# `eyJ….….…`, told by the first `eyJ` of a run of token characters alone. Trying each of them would
# take quadratic time, and 16 KiB of `eyJ` a tenth of a second an event.
_TOKEN: Final = re.compile(
    r"(?<![A-Za-z0-9_-])(?>[A-Za-z0-9_-]*?eyJ)[A-Za-z0-9_-]*+\.[A-Za-z0-9_-]++\."
)
# One literal of each alternative above. A JSON text can spell them otherwise only with \u escapes.
_MARKERS: Final = (
    b"PRIVATE KEY",
    b"AGE-SECRET-KEY-",
    b"ghp_",
    b"gho_",
    b"ghu_",
    b"ghs_",
    b"ghr_",
    b"github_pat_",
    b"glpat-",
    b"xox",
    b"AKIA",
    b"ASIA",
    b"eyJ",
    b"opstrail_",
    b"\\u",
)


def looks_like_secret(text: str) -> bool:
    """Whether a known secret format stands anywhere in `text`. Source: the contract, section 2."""
    return _SECRET.search(text) is not None or ("eyJ" in text and _TOKEN.search(text) is not None)


def may_hold_secret(body: bytes) -> bool:
    """Whether a JSON text has to be searched string by string; errs on the side of true."""
    return any(marker in body for marker in _MARKERS)
