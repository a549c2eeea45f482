"""The timeline store: a ClickHouse server by HTTP, or chDB inside this process.

Must stay true:
- Everything above sees one interface and one SQL; which engine it is decides `open_store` alone.
- The event loop never waits for the engine: each kind of work has its own few threads, and each
  thread its own connection, made at its first use. So reading cannot hold up writing.
- chDB: one process owns the folder; never open it before a fork.
- What is read goes to the living generation, or to that of the answer it is for; what names another
  database goes there (see generation.py).
"""

import asyncio
import importlib
import os
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import unquote, urlsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client

from runtime.errors import SettingsError, TimelineUnavailableError, UnavailableError
from runtime.settings import Settings
from runtime.tls import checked_ca_file
from timeline.connection import Connection, Row, translated
from timeline.generation import Generations, LivingGeneration, present_one, read_generations
from timeline.sql_user import NoWallError, behind_wall, connect_walled, sql_user_name
from timeline.statement import Statement

T = TypeVar("T")

# More reads at once only share the same two or four cores; the rest queue here.
READ_THREADS: Final = 4
# Analysts' queries and streams at once; each may keep a core busy, so that pages have the others.
SQL_LANES: Final = 3
SQL_LANE_WAIT_S: Final = 10.0
_SQL_LANE_POLL_S: Final = 0.02
CONNECT_TIMEOUT_S: Final = 5
READ_TIMEOUT_S: Final = 15
WRITE_TIMEOUT_S: Final = 120
# Above the longest that a stream may take in the engine.
SQL_TIMEOUT_S: Final = 630
PING_TIMEOUT_S: Final = 3.0
# Below READ_TIMEOUT_S, so that the engine ends a slow query before its client gives up.
QUERY_SECONDS_MAX: Final = 10

# chDB would take half of the machine for caches that a server of its own might fill.
_MARK_CACHE_BYTES: Final = 64 * 1024**2

# Written out because their defaults differ between versions: 26.2 made inserts asynchronous.
_SETTINGS: Final[dict[str, Any]] = {
    "async_insert": 0,
    "insert_deduplicate": 1,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    # Senders choose the months: one insert may span hundreds of partitions.
    "max_partitions_per_insert_block": 0,
    # A record never moves to another partition (see ddl.py).
    "do_not_merge_across_partitions_select_final": 1,
    # An index may leave out the newest revision, and an older one would come back.
    "use_skip_indexes_if_final": 0,
    # A column keeps its meaning in WHERE even where a SELECT uses its name.
    "prefer_column_name_to_alias": 1,
}
# Newer names for the same; an older server does not know them.
_SETTINGS_IF_KNOWN: Final = {"deduplicate_insert": "enable"}
# For answers, of which a reader waits for each. Otherwise one thread has to do where a GiB for each
# is not free, which a small store never has.
_READING_IF_KNOWN: Final = {"max_threads_min_free_memory_per_thread": 0}
_IF_KNOWN: Final = frozenset({*_SETTINGS_IF_KNOWN, *_READING_IF_KNOWN})


class Store:
    """Belongs to one process; `close` ends its threads after what is under way."""

    def __init__(
        self,
        connect: Callable[[int], Client],
        *,
        database: str,
        memory_bytes_max: int,
        name: str,
        connect_sql: Callable[[int, str], Client] | None = None,
    ) -> None:
        """`connect(timeout_s)` opens a client; `connect_sql(timeout_s, database)` one with the
        rights of analysts in that database.

        `database` is that of the settings, with the first generation; `name` is for people: where
        the store is.
        """
        self.database = database
        self._living: Final = LivingGeneration(database)
        self.name = name
        self._connect = connect
        reading = {"max_execution_time": QUERY_SECONDS_MAX, "max_memory_usage": memory_bytes_max}
        writing = {"max_execution_time": 0, "max_memory_usage": memory_bytes_max}
        answering = {**reading, **_READING_IF_KNOWN}
        self._reading = Lane(self._open(READ_TIMEOUT_S, answering), database, READ_THREADS, "read")
        self._writing = Lane(self._open(WRITE_TIMEOUT_S, writing), database, 1, "write")
        # Its own thread: whether the store answers must not depend on how busy the others are.
        self._pinging = Lane(self._open(CONNECT_TIMEOUT_S, reading), database, 1, "ping")
        self._sql = [
            Lane(self._open(SQL_TIMEOUT_S, reading, connect_sql), database, 1, f"sql-{number}")
            for number in range(SQL_LANES)
        ]
        # Taken and given back by any thread or loop: a deque needs no lock for that.
        self._sql_free = deque(self._sql)
        self.is_embedded = False

    @asynccontextmanager
    async def sql_lane(self) -> AsyncIterator["Lane"]:
        """A lane for one reader; given back when what was submitted last has ended.

        Raises UnavailableError when all are busy for long.
        """
        deadline_s = time.monotonic() + SQL_LANE_WAIT_S
        while not self._sql_free:
            if time.monotonic() > deadline_s:
                raise UnavailableError("all lanes for SQL are busy")
            await asyncio.sleep(_SQL_LANE_POLL_S)
        lane = self._sql_free.popleft()
        try:
            yield lane
        finally:
            # Its one thread works in order: this comes after whatever is still under way.
            try:
                lane.submit(lambda _: self._sql_free.append(lane))
            except TimelineUnavailableError:
                self._sql_free.append(lane)  # closed for good

    async def living_database(self) -> str:
        """The one that `read` would go to. Raises TimelineUnavailableError."""
        chosen = self._living.chosen()
        if chosen is not None:
            return chosen
        return await self.read(lambda connection: connection.database)

    async def read(self, work: Callable[[Connection], T], *, database: str | None = None) -> T:
        """Run `work` on a reading connection. Raises TimelineUnavailableError."""
        return await asyncio.wrap_future(self._submit(self._reading, work, database))

    async def write(self, work: Callable[[Connection], T], *, database: str | None = None) -> T:
        """Run `work` on the one writing connection, after what was asked before.

        A caller that is cancelled leaves the outcome unknown; the work still ends.
        Raises TimelineUnavailableError.
        """
        return await asyncio.wrap_future(self._submit(self._writing, work, database))

    def read_now(self, work: Callable[[Connection], T], *, database: str | None = None) -> T:
        """The same for callers without an event loop."""
        return self._submit(self._reading, work, database).result()

    def write_now(self, work: Callable[[Connection], T], *, database: str | None = None) -> T:
        """The same for callers without an event loop."""
        return self._submit(self._writing, work, database).result()

    async def rows(self, statement: Statement, *, database: str | None = None) -> list[Row]:
        """All rows of one bounded SELECT. Raises TimelineUnavailableError."""
        return await self.read(lambda connection: connection.rows(statement), database=database)

    async def generations(self) -> Generations:
        """As they are now. Raises TimelineUnavailableError."""
        return await self.read(read_generations, database=self.database)

    async def ping(self, *, timeout_s: float = PING_TIMEOUT_S) -> None:
        """Return when the store answers and holds our tables. Raises TimelineUnavailableError."""
        answer = asyncio.wrap_future(self._pinging.submit(_ping))
        try:
            await asyncio.wait_for(answer, timeout_s)
        except TimeoutError as error:
            raise TimelineUnavailableError(
                f"the timeline store did not answer in {timeout_s:g} s"
            ) from error

    def close(self) -> None:
        """Wait for what is under way, then disconnect."""
        for lane in (self._pinging, self._reading, self._writing, *self._sql):
            lane.close()

    def _submit(
        self, lane: "Lane", work: Callable[[Connection], T], database: str | None
    ) -> Future[T]:
        if (known := database or self._living.chosen()) is not None:
            return lane.submit(work, database=known)
        one = present_one()

        def ask_and_work(connection: Connection) -> T:
            living = self._living.ask(lambda: connection, one)
            return work(lane.connection(living))

        return lane.submit(ask_and_work)

    def _open(
        self,
        timeout_s: int,
        limits: dict[str, Any],
        connect: Callable[[int, str], Client] | None = None,
    ) -> Callable[[str], Connection]:
        def open_connection(database: str) -> Connection:
            with translated("connecting to the timeline store"):
                client = connect(timeout_s, database) if connect else self._connect(timeout_s)
                known = client.server_settings
                settings = {**_SETTINGS, **_SETTINGS_IF_KNOWN, **limits}
                for name, value in settings.items():
                    if name in known or name not in _IF_KNOWN:
                        client.set_client_setting(name, value)
                # Not while connecting: the database may not be there before the first migration.
                client.database = database
            return Connection(client, database)

        return open_connection


class Lane:
    """A few threads for one kind of work, each with a connection of its own to each database.

    There are as many of these as a process has seen generations, and one.
    """

    def __init__(
        self, connect: Callable[[str], Connection], database: str, threads: int, name: str
    ) -> None:
        """`database` is that of whatever does not name another."""
        self._connect = connect
        self._database = database
        self._local = threading.local()
        self._opened: list[Connection] = []
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=f"timeline-{name}")

    def submit(self, work: Callable[[Connection], T], *, database: str | None = None) -> Future[T]:
        try:
            return self._pool.submit(self._run, work, database or self._database)
        except RuntimeError as error:
            raise TimelineUnavailableError("the timeline store is closed") from error

    async def run(self, work: Callable[[Connection], T], *, database: str | None = None) -> T:
        """Wait for `work` on one of the threads. A caller that is cancelled does not end it."""
        return await asyncio.wrap_future(self.submit(work, database=database))

    def connection(self, database: str) -> Connection:
        """That of this thread, one of the lane's."""
        connections: dict[str, Connection] = self._local.__dict__
        connection = connections.get(database)
        if connection is None:
            connection = connections[database] = self._connect(database)
            self._opened.append(connection)
        return connection

    def close(self) -> None:
        self._pool.shutdown(wait=True)
        for connection in self._opened:
            connection.close()
        self._opened.clear()

    def _run(self, work: Callable[[Connection], T], database: str) -> T:
        return work(self.connection(database))


def open_store(settings: Settings, *, sql_password: str | None = None) -> Store:
    """The store these settings name. Connects at first use: raises nothing that depends on it.

    Raises SettingsError: the CA's file cannot be used.
    `sql_password` is that of the user for analysts' SQL, where `opstrail init` may have made one.
    """
    if settings.clickhouse_url:
        store = Store(
            _server(settings, settings.clickhouse_url),
            database=settings.clickhouse_database,
            memory_bytes_max=settings.memory_bytes_max,
            name="clickhouse",
            connect_sql=_sql_connect(settings, sql_password),
        )
    else:
        store = Store(
            _embedded(settings.data_dir.absolute(), settings.memory_bytes_max),
            database=settings.clickhouse_database,
            memory_bytes_max=settings.memory_bytes_max,
            name="embedded store",
        )
        store.is_embedded = True
    return store


def sql_wall_gap(settings: Settings, sql_password: str, database: str = "") -> str | None:
    """Why analysts' SQL would run without a user of its own behind it; None where it has one.

    Asked for `database`, else for that of the settings. Raises TimelineUnavailableError.
    """
    connect = _as_sql_user(settings, sql_password)
    with translated("asking for the user for SQL"):
        try:
            asked = database or settings.clickhouse_database
            connect_walled(connect, asked, CONNECT_TIMEOUT_S).close()
        except NoWallError as error:
            return str(error)
    return None


def _sql_connect(
    settings: Settings, sql_password: str | None
) -> Callable[[int, str], Client] | None:
    if settings.clickhouse_sql_url:
        connect_sql = _server(settings, settings.clickhouse_sql_url)
        return lambda timeout_s, _: connect_sql(timeout_s)
    if sql_password is None:
        return None
    user = _as_sql_user(settings, sql_password)
    owner = _server(settings, settings.clickhouse_url)

    @cache
    def walled(database: str) -> Callable[[int], Client]:
        return behind_wall(user, owner, database)

    return lambda timeout_s, database: walled(database)(timeout_s)


def _as_sql_user(settings: Settings, sql_password: str) -> Callable[[int], Client]:
    if settings.clickhouse_sql_url:
        return _server(settings, settings.clickhouse_sql_url)
    login = (sql_user_name(settings.clickhouse_database), sql_password)
    return _server(settings, settings.clickhouse_url, login)


def _server(
    settings: Settings, url: str, login: tuple[str, str] | None = None
) -> Callable[[int], Client]:
    """`login`: a user and a password other than those of the address. Raises SettingsError."""
    address = urlsplit(url)
    ca_file = checked_ca_file(settings, "clickhouse_ca_file")
    if ca_file is not None and address.scheme != "https":
        raise SettingsError(
            "OPSTRAIL_CLICKHOUSE_CA_FILE: has no effect on an http:// address; the ClickHouse"
            " addresses must be https://"
        )
    user, password = login or (
        unquote(address.username or "default"),
        unquote(address.password or ""),
    )

    def connect(timeout_s: int) -> Client:
        return clickhouse_connect.get_client(
            host=address.hostname or "localhost",
            port=address.port or (8443 if address.scheme == "https" else 8123),
            secure=address.scheme == "https",
            verify=True,
            ca_cert=ca_file,
            username=user,
            password=password,
            connect_timeout=CONNECT_TIMEOUT_S,
            send_receive_timeout=timeout_s,
            # Sessions would allow one query at a time, and keep state that we do not want.
            autogenerate_session_id=False,
            dedicated_pool=True,  # for OpenAnswer
            query_retries=0,
            client_name="opstrail",
        )

    return connect


def _import_engine() -> None:
    """Import chDB from an empty folder: while it is imported it starts an engine once, which reads
    config.xml from the current one. Here and not at first use, before there are other threads.
    """
    if "chdb" in sys.modules:
        return
    present = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="opstrail-") as empty:
        os.chdir(empty)
        try:
            importlib.import_module("chdb")
        finally:
            os.chdir(present)


def _embedded(data_dir: Path, memory_bytes_max: int) -> Callable[[int], Client]:
    _import_engine()

    def connect(timeout_s: int) -> Client:
        data_dir.mkdir(parents=True, exist_ok=True)
        # Without one chDB would read config.xml from the current folder.
        config = data_dir / "store.xml"
        if not config.exists():
            config.write_text("<clickhouse></clickhouse>\n")
        return clickhouse_connect.get_client(
            interface="chdb",
            path=str(data_dir / "store"),
            chdb_options={
                "config-file": str(config),
                "max_server_memory_usage": memory_bytes_max,
                "mark_cache_size": _MARK_CACHE_BYTES,
            },
        )

    return connect


def _ping(connection: Connection) -> None:
    connection.rows(Statement("SELECT max(number) FROM migrations"))
