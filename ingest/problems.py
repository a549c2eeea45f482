"""The problems that only sending events can meet. None repeats anything of the request."""

from collections.abc import Sequence

from runtime.http import Problem
from schemas.limits import BODY_BYTES_MAX, EVENTS_PER_REQUEST_MAX, MIB
from schemas.rejections import Rejection


def not_json(detail: str) -> Problem:
    """400: no UTF-8 or no JSON, so nothing in the body can be told apart."""
    return Problem("not_json", status=400, title="The body is not JSON", detail=detail)


def no_event(detail: str) -> Problem:
    """400: JSON, but there is no event in it."""
    return Problem("no_event", status=400, title="The body holds no event", detail=detail)


def not_a_cloudevent(detail: str) -> Problem:
    """400: the media type says CloudEvents, the body says otherwise."""
    return Problem(
        "not_a_cloudevent", status=400, title="The body is not a CloudEvent", detail=detail
    )


def bad_compression(encoding: str) -> Problem:
    """400: what came is not what Content-Encoding says, or it was cut off."""
    return Problem(
        "bad_compression",
        status=400,
        title="The body cannot be decompressed",
        detail=f"The body is not whole {encoding} data.",
    )


def body_too_slow() -> Problem:
    """408: the body did not arrive in time."""
    return Problem(
        "body_too_slow",
        status=408,
        title="The body did not arrive in time",
        detail="Nothing was stored. Send it again, in smaller parts if the line is slow.",
        headers={"Connection": "close"},
    )


def body_too_large() -> Problem:
    """413, for what was sent and for what comes out of it."""
    return Problem(
        "body_too_large",
        status=413,
        title="The body is too large",
        detail=f"At most {BODY_BYTES_MAX // MIB} MiB, before and after decompression."
        " Send the events in several requests.",
    )


def too_many_events() -> Problem:
    """413, by number."""
    return Problem(
        "too_many_events",
        status=413,
        title="Too many events",
        detail=f"At most {EVENTS_PER_REQUEST_MAX:,} events in one request. Send several.",
    )


def unsupported_media_type(detail: str, *, accepted: Sequence[str]) -> Problem:
    """415, for Content-Type."""
    return Problem(
        "unsupported_media_type",
        status=415,
        title="Unsupported media type",
        detail=detail,
        headers={"Accept-Post": ", ".join(accepted)},
    )


def unsupported_encoding(detail: str, *, accepted: Sequence[str]) -> Problem:
    """415, for Content-Encoding. Source: RFC 9110, section 12.5.3."""
    return Problem(
        "unsupported_encoding",
        status=415,
        title="Unsupported content encoding",
        detail=detail,
        headers={"Accept-Encoding": ", ".join(accepted)},
    )


def all_events_refused(rejected: Sequence[Rejection]) -> Problem:
    """422: the body was read, and none of its events could be kept."""
    return Problem(
        "all_events_refused",
        status=422,
        title="Every event was refused",
        detail="Nothing was stored; `rejected` says why for each event.",
        members={"rejected": rejected},
    )
