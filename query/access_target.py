"""What a request was after, as the JSON text an access event keeps. Pure.

Must stay true: nothing in it looks like a secret, it is a JSON object, and never above its bound.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from schemas.secrets import looks_like_secret

SECRET_MARKER: Final = "[removed: looks like a secret]"
CUT_MARKER: Final = "…"

# Of the answer to a change, what says what was changed. A key's text is not among them.
TOLD_OF_CHANGES: Final = (
    *("organization", "principal", "key_id", "name", "kind", "roles", "workspaces"),
    *("environment", "labels", "deploy_actions", "expires_at", "revoked_at", "admin"),
)
# How much of each text is kept, tried in turn.
_TEXT_CHARACTERS: Final = (8_192, 4_096, 2_048, 1_024, 512, 256, 64, 16)
_CUT_WHOLLY: Final = '{"cut":true}'


def target_text(target: Mapping[str, Any], *, bytes_max: int) -> str:
    """What is empty is left out; what is too long is cut, and `cut` says so."""
    stated = {name: _harmless(value) for name, value in target.items() if value}
    text = msgspec.json.encode(stated)
    if len(text) <= bytes_max:
        return text.decode()
    for characters in _TEXT_CHARACTERS:
        text = msgspec.json.encode({**_cut(stated, characters), "cut": True})
        if len(text) <= bytes_max:
            return text.decode()
    return _CUT_WHOLLY


def told_of_change(answer: Any) -> Any:
    """The part of the answer to a change that may be kept."""
    if not isinstance(answer, dict):
        return None
    return {
        name: told_of_change(answer[name]) if name == "admin" else answer[name]
        for name in TOLD_OF_CHANGES
        if answer.get(name) is not None
    }


def _harmless(value: Any) -> Any:
    match value:
        case str():
            # Looked at whole, before anything is cut; and always text that can be written.
            if looks_like_secret(value):
                return SECRET_MARKER
            return value.encode("utf-8", "replace").decode()
        case Mapping():
            return {_harmless(name): _harmless(inner) for name, inner in value.items()}
        case Sequence():
            return [_harmless(inner) for inner in value]
        case _:
            return value


def _cut(value: Any, most: int) -> Any:
    """Texts to so many characters, lists and objects to so many members."""
    match value:
        case str():
            return value if len(value) <= most else value[:most] + CUT_MARKER
        case Mapping():
            members = list(value.items())[:most]
            return {_cut(name, most): _cut(inner, most) for name, inner in members}
        case Sequence():
            return [_cut(inner, most) for inner in value[:most]]
        case _:
            return value
