"""One connection to the engine, for one thread; every error of it told apart.

A dependency that is away, refuses us or is not prepared is a TimelineUnavailableError; a statement
that the engine does not understand is our own mistake and an AssertionError.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

from clickhouse_connect.driver import options
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DataError

from runtime.errors import TimelineUnavailableError
from runtime.tls import distrust
from timeline.column import Table
from timeline.open_answer import OpenAnswer
from timeline.statement import Statement

Row: TypeAlias = Sequence[Any]

# To find out whether an insert was given a frame or an array, the client imports pandas and NumPy:
# 0.4 s and 80 MB in each process that inserts. It is given lists: let it think there are neither.
vars(options).update(np=None, pd=None, pd_time_test=None)

# What ClickHouse answers to a statement that is wrong in itself: unknown names and functions,
# wrong types and numbers of arguments, syntax, parameters. Source: its ErrorCodes.cpp.
_OUR_MISTAKES: Final = frozenset(
    {6, 8, 10, 16, 26, 27, 32, 34, 35, 36, 38, 39, 41, 42, 43, 44, 46, 47, 50, 53, 62, 63, 70, 72}
    | {117, 130, 169, 179, 184, 207, 215, 321, 386, 403, 456, 457}
)
# Both start as one in chDB: a bad argument, and a folder that another process has open.
_BAD_ARGUMENTS: Final = 36
_NOT_PREPARED: Final = frozenset({60, 81})  # unknown table, unknown database


class Connection:
    """Not for two threads at once. `rows` and `insert` wait; none of them retries."""

    def __init__(self, client: Client, database: str) -> None:
        self._client = client
        self._database = database
        self._answer = OpenAnswer(client)

    @property
    def database(self) -> str:
        """The one that names without another stand for."""
        return self._database

    @property
    def client(self) -> Client:
        """For `sql_execution.py` and `sql_user.py`, which tell errors apart in their own way."""
        return self._client

    def break_off(self) -> None:
        """Before closing a stream that was not read to its end: then nobody reads the rest."""
        self._answer.break_off()

    def create_database(self) -> None:
        with translated("making the database"):
            # The pattern of the setting leaves nothing to escape.
            self._client.command(
                f"CREATE DATABASE IF NOT EXISTS `{self._database}`", use_database=False
            )

    def command(self, sql: str) -> None:
        """Run a statement of ours that answers nothing."""
        with translated(sql.split("(")[0][:60]):
            self._client.command(sql)

    def rows(self, statement: Statement, settings: Mapping[str, Any] | None = None) -> list[Row]:
        """All rows of a bounded SELECT."""
        with translated("reading the timeline"):
            return list(
                self._client.query(
                    statement.sql,
                    parameters=dict(statement.parameters) or None,
                    settings=dict(settings or {}),
                ).result_rows
            )

    def insert(self, table: Table, columns: Mapping[str, Sequence[Any]], *, token: str) -> int:
        """Insert rows given by column; the number of rows. Nothing happens for none.

        The same token again within the table's window changes nothing, whatever the rows: it names
        exactly these. A failure leaves the outcome unknown; the same call again settles it.
        """
        count = len(next(iter(columns.values())))
        if count == 0:
            return 0
        types = {column.name: column.type for column in table.columns}
        with translated(f"inserting into {table.name}"):
            self._client.insert(
                table.name,
                list(columns.values()),
                column_names=list(columns),
                column_type_names=[types[name] for name in columns],
                column_oriented=True,
                settings={"insert_deduplication_token": token},
            )
        return count

    def close(self) -> None:
        self._client.close()


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Errors of the client as ours. `doing` holds no value from outside."""
    try:
        yield
    except DataError as error:
        raise AssertionError(f"{doing}: {error}") from error
    except ClickHouseError as error:
        code = getattr(error, "code", None)
        if code in _NOT_PREPARED:
            raise TimelineUnavailableError(
                f"{doing}: the timeline store holds no tables yet; run `opstrail init`"
            ) from error
        if code in _OUR_MISTAKES and not _is_occupied(error, code):
            raise AssertionError(f"{doing}: ClickHouse error {code}") from error
        if (reason := distrust(error)) is not None:
            raise TimelineUnavailableError(
                f"{doing}: ClickHouse shows a certificate that is not trusted ({reason}); are"
                " OPSTRAIL_CLICKHOUSE_CA_FILE and the name in OPSTRAIL_CLICKHOUSE_URL right?"
            ) from error
        reason = getattr(error, "name", None) or f"error {code}" if code else type(error).__name__
        raise TimelineUnavailableError(
            f"{doing}: the timeline store did not answer as expected ({reason})"
        ) from error


def _is_occupied(error: ClickHouseError, code: int) -> bool:
    return code == _BAD_ARGUMENTS and "EmbeddedServer" in str(error)
