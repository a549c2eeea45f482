"""The user of a ClickHouse server that analysts' SQL runs as: a wall behind the guard.

Must stay true:
- It reads the tables of the views and nothing else, and of these the rows of the organization that
  the id of the query names. The text of a query cannot change its id. It could change a setting:
  ClickHouse applies the SETTINGS of a subquery unchecked, also with readonly = 1 (seen in 26.7).
- Rights come last: at no moment may it read a table that has no policy for it.
- Everybody else goes on reading every row. A policy says so, because a server may be configured to
  hide the rows of a table with policies from whoever has none.
- Its password follows from a secret that all processes of an installation know. Nothing stores,
  prints or sends it: the server is told its digest.
"""

import hashlib
import hmac
import time
from collections.abc import Callable, Sequence
from typing import Final
from uuid import uuid4

import structlog
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from runtime.errors import TimelineUnavailableError
from timeline.connection import Connection, translated
from timeline.sql_views import BASE_TABLES

# Long enough for the whole history at the pace of a slow line.
STREAM_SECONDS_MAX: Final = 600
SECONDS_MAX: Final = 10
# Where a query does not say how much memory it may use.
MEMORY_BYTES: Final = 2 * 1024**3

_PURPOSE: Final = b"clickhouse sql user v1"
_POLICY: Final = "opstrail_sql"
_POLICY_OF_OTHERS: Final = "opstrail_others"
# The id of a query is `opstrail/<organization>/<random>`. '' is the name of no organization.
# An id that names nobody gives '': what a forged message left there is nobody's to read.
ROWS_OF_THE_ASKING: Final = (
    "organization != '' AND organization = extract(initialQueryID(), '^opstrail/([^/]+)/')"
)
# Without `readonly`: each query states it, which a user with readonly = 2 may not.
_SETTINGS: Final = (
    f"max_execution_time = {SECONDS_MAX} MIN 1 MAX {STREAM_SECONDS_MAX},"
    f" max_memory_usage = {MEMORY_BYTES} MIN 1, allow_ddl = 0 CONST"
)

# Source: ClickHouse's ErrorCodes.cpp.
_LOGIN_REFUSED: Final = frozenset({192, 193, 194, 516})
_ACCESS_DENIED: Final = 497
# Read-only users, read-only storage of users, no storage that takes them, DDL prohibited.
_MAKING_REFUSED: Final = frozenset({_ACCESS_DENIED, 164, 392, 495, 514})

# Two processes that make the same at the same moment may each be told to come again.
_ATTEMPTS: Final = 5
_RETRY_DELAY_S: Final = 0.2

_log = structlog.get_logger(__name__)


def sql_user_name(database: str) -> str:
    return f"opstrail_sql_{database}"


def sql_user_password(secret: bytes) -> str:
    """`secret` is one that all processes of the installation share and nobody else knows."""
    return hmac.new(secret, _PURPOSE, hashlib.sha256).hexdigest()


def query_id_stem(organization: str) -> str:
    """What the id of an organization's query begins with. Its name holds no slash."""
    return f"opstrail/{organization}/"


def new_query_id(stem: str) -> str:
    """No two queries at once may have the same."""
    return f"{stem}{uuid4().hex}"


def sql_user_statements(database: str, password: str, generations: Sequence[str] = ()) -> list[str]:
    """What makes the user or brings it to this version; each may be run again.

    `generations`: the databases of further generations, which it reads like the first.
    The pattern of OPSTRAIL_CLICKHOUSE_DATABASE leaves nothing to escape but its reserved words.
    """
    user = sql_user_name(database)
    base_tables = [
        f"`{holder}`.{table}" for holder in (database, *generations) for table in BASE_TABLES
    ]
    digest = hashlib.sha256(password.encode()).hexdigest()
    identified = f"IDENTIFIED WITH sha256_hash BY '{digest}' SETTINGS {_SETTINGS}"
    statements = [
        f"CREATE USER IF NOT EXISTS {user} {identified}",
        f"ALTER USER {user} {identified}",
    ]
    tables = ", ".join(base_tables)
    for policy, rows, readers in (
        (_POLICY_OF_OTHERS, "1", f"ALL EXCEPT {user}"),
        (_POLICY, ROWS_OF_THE_ASKING, user),
    ):
        rest = f"{policy} ON {tables} USING {rows} TO {readers}"
        statements += [f"CREATE ROW POLICY IF NOT EXISTS {rest}", f"ALTER ROW POLICY {rest}"]
    granted = ", ".join(f"SELECT ON {table}" for table in base_tables)
    return [*statements, f"GRANT {granted} TO {user} WITH REPLACE OPTION"]


def make_sql_user(
    connection: Connection, database: str, password: str, generations: Sequence[str] = ()
) -> str | None:
    """None, or why the server does not let us. Safe to repeat and to race.

    `generations`: as for `sql_user_statements`; of one that is left out it may read nothing more.
    Raises TimelineUnavailableError.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            for statement in sql_user_statements(database, password, generations):
                _run(connection, statement)
            return None
        except _NotAllowedError as error:
            return str(error)
        except TimelineUnavailableError:
            if attempt == _ATTEMPTS:
                raise
            time.sleep(_RETRY_DELAY_S * attempt)
    raise AssertionError("unreachable")


def wall_gap(client: Client, database: str) -> str | None:
    """Why `client`'s user is no wall: it may not read the tables, or reads without a policy.

    Raises TimelineUnavailableError.
    """
    for table in BASE_TABLES:
        try:
            with translated("asking for the rights of the user for SQL"):
                # This query's id names no organization.
                found = client.query(f"SELECT 1 FROM `{database}`.{table} LIMIT 1").result_rows
        except TimelineUnavailableError as error:
            if getattr(error.__cause__, "code", None) != _ACCESS_DENIED:
                raise
            return f"it may not read {table}; run `opstrail init`"
        if found:
            return f"no policy hides rows of {table} from it"
    return None


def behind_wall(
    connect_user: Callable[[int], Client], connect_owner: Callable[[int], Client], database: str
) -> Callable[[int], Client]:
    """Connect as the user for SQL; where it is not there or no wall, as the owner, and say so."""
    told: set[str] = set()

    def connect(timeout_s: int) -> Client:
        try:
            return connect_walled(connect_user, database, timeout_s)
        except NoWallError as error:
            reason = str(error)
        if reason not in told:
            told.add(reason)
            _log.warning("sql_without_second_wall", reason=reason)
        return connect_owner(timeout_s)

    return connect


def connect_walled(connect_user: Callable[[int], Client], database: str, timeout_s: int) -> Client:
    """Raises NoWallError; TimelineUnavailableError or ClickHouseError when the server is away."""
    try:
        client = connect_user(timeout_s)
    except ClickHouseError as error:
        if getattr(error, "code", None) not in _LOGIN_REFUSED:
            raise
        raise NoWallError("the server does not know the user for SQL, or its password") from error
    try:
        gap = wall_gap(client, database)
    except TimelineUnavailableError:
        client.close()
        raise
    if gap is not None:
        client.close()
        raise NoWallError(f"the user for SQL is no wall: {gap}")
    return client


class NoWallError(Exception):
    """The user for SQL cannot be used; the text says why."""


class _NotAllowedError(Exception):
    """The server refuses to make users; the text is ClickHouse's name of the error."""


def _run(connection: Connection, statement: str) -> None:
    # Nothing of a statement is repeated: it holds the digest of the password.
    with translated("making the user for SQL"):
        try:
            connection.client.command(statement)
        except ClickHouseError as error:
            if getattr(error, "code", None) in _MAKING_REFUSED:
                raise _NotAllowedError(getattr(error, "name", None) or "refused") from error
            raise
