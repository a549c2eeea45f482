"""The control database: one object per process, which hands out transactions.

Everything here waits for the database: call it from a thread, never from an event loop.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, inspect, select
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from control.dialects import WRITES, open_engine
from control.errors import ControlUnavailableError
from control.tables import INSTALLATION

_AWAY: Final = "The control database does not answer (OPSTRAIL_CONTROL_URL)."
_NOT_PREPARED: Final = "The control database is not prepared yet: run `opstrail init`."


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """The secrets all processes of one installation share; made once, never shown or logged."""

    pepper: bytes = field(repr=False)  # of the keys' digests
    position_secret: bytes = field(repr=False)  # seals the positions that clients get


class Control:
    """Usable from many threads at once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = engine.execution_options(**WRITES)
        self._installation: Installation | None = None
        self._installation_lock = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads. Raises ControlUnavailableError, also for its body."""
        with _database_errors(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction: what its body did is durable at its end, or undone when it raised.

        Raises ControlUnavailableError, also for its body; raised at the end itself, the outcome is
        unknown.
        """
        with _database_errors(), self._writer.begin() as connection:
            yield connection

    def migrate(self) -> None:
        """Bring the tables to this version. Safe to repeat, and from several processes at once.

        Raises ControlUnavailableError; SettingsError when a newer version made the database.
        """
        # Alembic takes as long to import as all else here, and a process that serves needs none.
        from control.migration import upgrade

        with self.writing() as connection:
            upgrade(connection)

    def ping(self) -> None:
        """Raises ControlUnavailableError when the database does not answer."""
        with self.reading() as connection:
            connection.exec_driver_sql("SELECT 1")

    def installation(self) -> Installation:
        """Read once and kept. Raises ControlUnavailableError, also before the first `migrate`."""
        with self._installation_lock:
            if self._installation is None:
                self._installation = self._read_installation()
            return self._installation

    @property
    def file(self) -> Path | None:
        """The database's own file; None: it is PostgreSQL."""
        name = self._engine.url.database
        return Path(name) if self._engine.dialect.name == "sqlite" and name else None

    def close(self) -> None:
        """Give back all connections that are not in use."""
        self._engine.dispose()

    def _read_installation(self) -> Installation:
        with self.reading() as connection:
            if not inspect(connection).has_table(INSTALLATION.name):
                raise ControlUnavailableError(_NOT_PREPARED)
            row = connection.execute(select(INSTALLATION)).one()
        return Installation(pepper=row.pepper, position_secret=row.position_secret)


def open_control(url: str) -> Control:
    """`sqlite:///path`, `postgresql://…` or `postgresql+psycopg://…`; connects at first use.

    Raises SettingsError: another kind of address, or a folder that is not there.
    """
    return Control(open_engine(url))


@contextmanager
def _database_errors() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeoutError) as error:
        raise ControlUnavailableError(_AWAY) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise ControlUnavailableError(_AWAY) from error
        raise  # a statement of ours is wrong: our own fault
