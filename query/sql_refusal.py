"""How a query is refused: always the same kind of problem, naming what is not allowed."""

from runtime.errors import RefusedError
from schemas.rejections import is_harmless_name
from timeline.sql_error import SQL_REFUSED


def sql_refused(detail: str) -> RefusedError:
    """`detail` holds nothing of the query but names that `shown` let through."""
    return RefusedError(detail, code=SQL_REFUSED)


def shown(name: str) -> str:
    """A name of the query for people: in backticks, or only that there is one."""
    return f"`{name}`" if is_harmless_name(name) else "of that name"
