"""Whether analysts' SQL runs as a user of the ClickHouse server that may do nothing else."""

from dataclasses import dataclass

from control.database import open_control
from runtime.errors import UnavailableError
from runtime.settings import Settings
from timeline.sql_user import sql_user_password
from timeline.store import open_store, sql_wall_gap


@dataclass(frozen=True, slots=True)
class SqlWall:
    """`text` is for people."""

    is_there: bool
    text: str


def sql_wall(settings: Settings) -> SqlWall | None:
    """None for the embedded store, which knows no users."""
    if not settings.clickhouse_url:
        return None
    try:
        gap = _gap(settings)
    except UnavailableError as error:
        gap = str(error)
    if gap is None:
        return SqlWall(True, "runs as a user that reads one organization and nothing else")
    return SqlWall(False, f"runs without a user of its own ({gap}); see docs/sql.md")


def _gap(settings: Settings) -> str | None:
    control = open_control(settings.control_database_url)
    try:
        password = sql_user_password(control.installation().pepper)
    finally:
        control.close()
    store = open_store(settings)
    try:
        living = store.read_now(lambda connection: connection.database)
    finally:
        store.close()
    return sql_wall_gap(settings, password, living)
