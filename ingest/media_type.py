"""What a body is, by its Content-Type. Pure. Source: the contract, section 3; RFC 9110, 8.3."""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from ingest.problems import unsupported_media_type


class MediaType(StrEnum):
    JSON = "application/json"
    NDJSON = "application/x-ndjson"
    CLOUDEVENT = "application/cloudevents+json"
    CLOUDEVENT_BATCH = "application/cloudevents-batch+json"


_KNOWN: Final = {media_type.value: media_type for media_type in MediaType}
# A quoted value may hold a semicolon, so parameters cannot simply be split at it.
_PARAMETER: Final = re.compile(
    r"""[ \t]*;[ \t]*(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)=("(?:[^"\\]|\\.)*"|[^;" \t]+))?""", re.ASCII
)


def read_media_type(stated: Sequence[str]) -> MediaType:
    """`stated`: the values of all Content-Type headers. Raises a 415 Problem."""
    if len(stated) != 1:
        raise _unsupported("State what the body is, in one Content-Type header.")
    essence, semicolon, parameters = stated[0].partition(";")
    # The commonest answer first: the rest of this function is for the other requests.
    media_type = _KNOWN.get(essence) or _KNOWN.get(essence.strip().lower())
    if media_type is None:
        raise _unsupported("The body must be of one of the media types in Accept-Post.")
    if parameters:
        _check_parameters(semicolon + parameters.rstrip())
    return media_type


def _check_parameters(text: str) -> None:
    """Any parameter is fine, but a charset must be UTF-8."""
    at = 0
    while at < len(text):
        found = _PARAMETER.match(text, at)
        if found is None:
            raise _unsupported("The parameters of Content-Type cannot be read.")
        name, value = found.groups()
        if name is not None and name.lower() == "charset" and value.strip('"').lower() != "utf-8":
            raise _unsupported("The charset must be utf-8, or left out.")
        at = found.end()


def _unsupported(detail: str) -> Exception:
    return unsupported_media_type(detail, accepted=list(MediaType))
