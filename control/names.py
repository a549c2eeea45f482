"""Which names and texts may be stored. Pure. Source: the contract, section 2.

No error repeats the value: somebody may have pasted a key into the wrong field.
"""

import re
from typing import Final

from control.errors import InvalidValueError
from schemas.limits import NAME_CHARACTERS_MAX, STRING_CHARACTERS_MAX
from schemas.secrets import looks_like_secret

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
# Control characters (Cc), bidirectional overrides, and surrogates, which no database can store.
_LYING_CHARACTER: Final = re.compile(
    r"[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def check_name(name: str, *, field: str) -> None:
    """A name of an organization or a workspace. Raises InvalidValueError with `field`."""
    _check_length(name, NAME_CHARACTERS_MAX, field)
    if _NAME.fullmatch(name) is None:
        raise InvalidValueError(
            "Only letters, digits, `.`, `_`, `-`; not starting with `.` or `-`.", field=field
        )
    _check_no_secret(name, field)


def check_text(text: str, *, field: str, characters_max: int = STRING_CHARACTERS_MAX) -> None:
    """One line for people to read. Raises InvalidValueError with `field`."""
    _check_length(text, characters_max, field)
    if _LYING_CHARACTER.search(text) is not None:
        raise InvalidValueError("No control characters or bidirectional overrides.", field=field)
    # "anna" and "anna " would be two actors that read as one.
    if text != text.strip():
        raise InvalidValueError("No white space at either end.", field=field)
    _check_no_secret(text, field)


def _check_length(text: str, characters_max: int, field: str) -> None:
    if not 1 <= len(text) <= characters_max:
        raise InvalidValueError(f"1 to {characters_max} characters.", field=field)


def _check_no_secret(text: str, field: str) -> None:
    if looks_like_secret(text):
        raise InvalidValueError("This looks like a secret.", field=field, code="looks_like_secret")
