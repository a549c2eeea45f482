"""The answer for what is not there, which is also the answer for what is another's."""

from runtime.http import Problem


def not_found(detail: str) -> Problem:
    """404; `detail` names the kind of thing, never the thing."""
    return Problem("not_found", status=404, title="There is no such thing", detail=detail)
