"""Everything in one process: SQLite log, correlation, chDB store, HTTP."""

import asyncio
import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from starlette.applications import Starlette

from control.authenticator import Authenticator
from control.bootstrap import bootstrap
from control.database import Control, open_control
from control.keys import NewKey, create_key
from control.principals import create_principal, principal_exists
from control.roles import Role
from ingest.app import ingest_routes
from opstrail.http_app import build_http_app
from processors.embedded import EmbeddedPipeline
from query.app import query_routes
from query.services import query_services
from runtime.clock import wall_clock_us
from runtime.errors import SettingsError
from runtime.settings import Settings
from runtime.sqlite_log import SqliteLog
from schemas.kinds import ActorKind
from timeline.migrations import migrate
from timeline.store import open_store
from timeline.writer import EntryWriter

DEFAULT_ORGANIZATION: Final = "default"
_ADMIN_KEY_FILE: Final = "admin.key"
_CHECK_TIMEOUT_S: Final = 3.0


class Embedded:
    """The whole product on one folder. One process owns the folder; close when done."""

    def __init__(self, settings: Settings) -> None:
        """Opens or makes everything, brings it up to date and starts correlating.

        Raises SettingsError when the folder is unusable or another process owns it, and
        UnavailableError when a database cannot be opened.
        """
        if settings.kafka_bootstrap:
            raise SettingsError(
                "OPSTRAIL_KAFKA_BOOTSTRAP is set: this command brings its own log; unset it, or run"
                " `opstrail ingest`, `correlate`, `sink` and `query`"
            )
        folder = settings.data_dir
        with contextlib.ExitStack() as opened:
            opened.enter_context(_owned(folder))
            control = open_control(settings.control_database_url)
            opened.callback(control.close)
            self._control: Final = control
            self.admin_key_path: Final = folder / _ADMIN_KEY_FILE
            self.new_admin_key: Final = bootstrap(control)
            if self.new_admin_key is not None:
                _write_secret(self.admin_key_path, self.new_admin_key)
            store = open_store(settings)
            opened.callback(store.close)
            migrate(store)
            log = SqliteLog(folder / "log.db", inflight_bytes_max=settings.inflight_bytes_max)
            opened.callback(log.close)
            pipeline = EmbeddedPipeline(
                log,
                folder / "correlate.db",
                EntryWriter(store),
                lost_after_us=settings.lost_after_us,
                rows_max=settings.sink_rows_max,
            )
            pipeline.start()
            opened.callback(pipeline.stop)
            authenticator = Authenticator(
                control, monotonic_s=time.monotonic, utc_now=lambda: datetime.now(UTC)
            )
            secret = control.installation().position_secret
            services = query_services(
                settings,
                store=store,
                control=control,
                authenticator=authenticator,
                position_secret=secret,
                wall_clock=wall_clock_us,
            )
            self.app: Final[Starlette] = build_http_app(
                [
                    *ingest_routes(
                        authenticator=authenticator,
                        log=log,
                        position_secret=secret,
                        clock=wall_clock_us,
                        settings=settings,
                    ),
                    *query_routes(services),
                ],
                checks={
                    "log": lambda: log.ping(timeout_s=_CHECK_TIMEOUT_S),
                    "timeline": store.ping,
                    "control": lambda: asyncio.to_thread(control.ping),
                    "pipeline": pipeline.ping,
                },
                on_close=authenticator.close,
                while_serving=services.label_mirror.running,
            )
            self._opened: Final = opened.pop_all()

    @property
    def admin_key(self) -> str:
        """The key kept in the folder. Raises SettingsError when it was taken away."""
        try:
            return self.admin_key_path.read_text().strip()
        except OSError as error:
            raise SettingsError(
                f"{self.admin_key_path}: {error.strerror}; the admin key of this folder is needed"
            ) from error

    def key_for(self, name: str, kind: ActorKind) -> str:
        """A new key of a principal, made if need be, that may only send."""
        return _submit_key(self._control, name, kind)

    def close(self) -> None:
        """Finish the step under way and close everything, in the opposite order of opening."""
        self._opened.close()


def _submit_key(control: Control, name: str, kind: ActorKind) -> str:
    now = datetime.now(UTC)
    with control.writing() as connection:
        if not principal_exists(connection, organization=DEFAULT_ORGANIZATION, name=name):
            create_principal(
                connection, organization=DEFAULT_ORGANIZATION, name=name, kind=kind, now=now
            )
        created = create_key(
            connection,
            NewKey(
                organization=DEFAULT_ORGANIZATION,
                principal=name,
                name=f"demo {now:%Y-%m-%d}",
                roles=frozenset({Role.SUBMIT}),
            ),
            pepper=control.installation().pepper,
            random_bytes=secrets.token_bytes,
            now=now,
        )
    return created.text


@contextlib.contextmanager
def _owned(folder: Path) -> Iterator[None]:
    """Hold the folder: chDB and the log allow one process."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise SettingsError(f"OPSTRAIL_DATA_DIR: {folder}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise SettingsError(
            f"OPSTRAIL_DATA_DIR: {folder} is in use by another opstrail process"
        ) from error
    try:
        yield
    finally:
        os.close(lock)


def _write_secret(path: Path, secret: str) -> None:
    """A file only its owner may read, from its first byte on."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(secret + "\n")
