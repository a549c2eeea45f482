"""In which form an answer is asked for: `?format=`, else `Accept`. Pure.

Source: the contract, section 5; RFC 9110, section 12.5.1 (Accept).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from starlette.requests import Request

from runtime.http import Problem
from timeline.parameters import Parameters

FORMAT: Final = "format"
JSON: Final = "json"


class ExportFormat(StrEnum):
    """The forms other than JSON; the values are those of `?format=`."""

    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"
    ARROW = "arrow"

    @property
    def media_type(self) -> str:
        return _MEDIA_TYPES[self]

    @property
    def suffix(self) -> str:
        """How the names of such files end; Arrow's own for its stream is `.arrows`."""
        return ".arrows" if self is ExportFormat.ARROW else f".{self.value}"


_MEDIA_TYPES: Final[Mapping[ExportFormat, str]] = {
    ExportFormat.NDJSON: "application/x-ndjson",
    ExportFormat.CSV: "text/csv; charset=utf-8; header=present",
    ExportFormat.PARQUET: "application/vnd.apache.parquet",
    ExportFormat.ARROW: "application/vnd.apache.arrow.stream",
}
_JSON_MEDIA_TYPE: Final = "application/json"


def negotiate(request: Request) -> ExportFormat | None:
    """The form asked for; None: JSON.

    Raises RefusedError naming `format`, and the 406 problem when `Accept` allows none of ours.
    """
    pairs = request.query_params.multi_items()
    stated = Parameters((pair for pair in pairs if pair[0] == FORMAT), (FORMAT,))
    if (chosen := stated.choice(FORMAT, (JSON, *ExportFormat))) is not None:
        return None if chosen == JSON else ExportFormat(chosen)
    return accepted(",".join(request.headers.getlist("accept")))


def other_parameters(request: Request) -> list[tuple[str, str]]:
    """The query parameters but `format`, for those that know nothing of forms."""
    return [pair for pair in request.query_params.multi_items() if pair[0] != FORMAT]


@dataclass(frozen=True, slots=True)
class _MediaRange:
    """One element of `Accept`; `type` and `subtype` may be `*`."""

    type: str
    subtype: str
    parameters: Mapping[str, str]
    quality: float

    def precision(self, media_type: str) -> int | None:
        """How exactly it names this media type, the higher the more; None: not at all.

        A parameter that says otherwise than ours does makes it another type; one that ours does
        not have (`profile=…`) is passed over, as RFC 9110 allows.
        """
        essence, stated = _split_media_type(media_type)
        type_, _, subtype = essence.partition("/")
        if self.type not in ("*", type_) or self.subtype not in ("*", subtype):
            return None
        same = 0
        for name, value in self.parameters.items():
            ours = stated.get(name, "utf-8" if name == "charset" else None)
            if ours is None:
                continue
            if value.lower() != ours:
                return None
            same += 1
        return (self.type != "*") + (self.subtype != "*") + same


# JSON first, so that it is what equal wishes get.
_OFFERED: Final[tuple[tuple[ExportFormat | None, str], ...]] = (
    (None, _JSON_MEDIA_TYPE),
    *_MEDIA_TYPES.items(),
)


def accepted(accept: str) -> ExportFormat | None:
    """What a header `Accept` wishes most; None: JSON. Raises the 406 problem.

    Elements that are no media ranges say nothing; without any, everything is welcome.
    """
    ranges = list(_media_ranges(accept))
    if not ranges:
        return None
    wishes = [(form, _wish(ranges, media_type)) for form, media_type in _OFFERED]
    # The first of those that are wished most.
    form, (quality, _) = max(wishes, key=lambda wish: wish[1])
    if quality == 0:
        raise _not_acceptable()
    return form


def _wish(ranges: list[_MediaRange], media_type: str) -> tuple[float, int]:
    """Quality and precision of the range that names this media type most exactly."""
    fitting = [
        (precision, media_range.quality)
        for media_range in ranges
        if (precision := media_range.precision(media_type)) is not None
    ]
    precision, quality = max(fitting, default=(0, 0.0))
    return quality, precision


# RFC 9110, sections 5.6.2 (token), 5.6.4 (quoted-string), 12.4.2 (weight).
_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED: Final = r'"(?:[^"\\]|\\.)*"'
_ELEMENT: Final = re.compile(rf"(?:{_QUOTED}|[^,\"])+", re.ASCII)
_RANGE: Final = re.compile(rf"({_TOKEN})/({_TOKEN})", re.ASCII)
_PARAMETER: Final = re.compile(
    rf"[ \t]*;[ \t]*(?:({_TOKEN})=({_TOKEN}|{_QUOTED}))?[ \t]*", re.ASCII
)
_WEIGHT: Final = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?", re.ASCII)
# More than any client states; each is compared with each form.
_RANGES_MAX: Final = 64


def _media_ranges(accept: str) -> Iterator[_MediaRange]:
    for found in _ELEMENT.findall(accept)[:_RANGES_MAX]:
        if (media_range := _media_range(found.strip(" \t"))) is not None:
            yield media_range


def _media_range(text: str) -> _MediaRange | None:
    """None: it is none."""
    named = _RANGE.match(text)
    if named is None or (named[1] == "*" and named[2] != "*"):
        return None
    parameters: dict[str, str] = {}
    at = named.end()
    while at < len(text):
        found = _PARAMETER.match(text, at)
        if found is None:
            return None
        if found[1] is not None:
            parameters[found[1].lower()] = _unquoted(found[2])
        at = found.end()
    weight = parameters.pop("q", "1")
    if _WEIGHT.fullmatch(weight) is None:
        return None
    return _MediaRange(named[1].lower(), named[2].lower(), parameters, float(weight))


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value


def _split_media_type(media_type: str) -> tuple[str, dict[str, str]]:
    essence, *stated = media_type.split("; ")
    return essence, dict(parameter.split("=", 1) for parameter in stated)


def _not_acceptable() -> Problem:
    offered = ", ".join(media_type for _, media_type in _OFFERED)
    return Problem(
        "not_acceptable",
        status=406,
        title="No form of the answer is acceptable",
        detail=f"The header Accept allows none of: {offered}.",
    )
