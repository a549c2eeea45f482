"""Everything in one process: SQLite log, correlation, chDB store, HTTP."""

import asyncio
import contextlib
import os
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from starlette.applications import Starlette

from control.authenticator import open_authenticator
from control.bootstrap import bootstrap
from control.database import Control, open_control
from control.failed_authentications import FailedAuthentications
from control.keys import NewKey, create_key
from control.principals import create_principal, principal_exists
from control.roles import Role
from ingest.app import ingest_routes
from opstrail.data_disk import watch_disk
from opstrail.data_folder import owned
from opstrail.http_app import build_http_app
from processors.embedded import EmbeddedPipeline
from processors.embedded_access import EmbeddedAccessPipeline
from processors.horizon import horizon_of
from processors.past_reader import PastReader
from processors.unreadable import STATE
from query.app import query_routes
from query.health import Lag
from query.services import query_services
from runtime.backup_archive import ACCESS, LOG
from runtime.clock import wall_clock_us
from runtime.errors import SettingsError
from runtime.settings import Settings
from runtime.sqlite_access_log import SqliteAccessLog
from runtime.sqlite_log import SqliteLog
from schemas.kinds import ActorKind
from timeline.access_writer import AccessWriter
from timeline.merges import MergeGuard
from timeline.migrations import migrate
from timeline.store import open_store
from timeline.writer import EntryWriter

DEFAULT_ORGANIZATION: Final = "default"
_ADMIN_KEY_FILE: Final = "admin.key"
_CHECK_TIMEOUT_S: Final = 3.0
_CATCH_UP_POLL_S: Final = 0.1


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
            opened.enter_context(owned(folder))
            watch_disk(folder)
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
            merge_guard = MergeGuard(store, folder)
            merge_guard.start()
            opened.callback(merge_guard.stop)
            log = SqliteLog(folder / LOG, inflight_bytes_max=settings.inflight_bytes_max)
            opened.callback(log.close)
            pipeline = EmbeddedPipeline(
                log,
                folder / STATE,
                EntryWriter(store),
                lost_after_us=settings.lost_after_us,
                horizon=horizon_of(settings),
                past=PastReader(lambda: store, lost_after_us=settings.lost_after_us),
                rows_max=settings.sink_rows_max,
                has_room=merge_guard.has_room,
            )
            pipeline.start()
            opened.callback(pipeline.stop)
            accesses = SqliteLog(folder / ACCESS, inflight_bytes_max=settings.inflight_bytes_max)
            opened.callback(accesses.close)
            access_pipeline = EmbeddedAccessPipeline(
                accesses, folder / "access-progress.db", AccessWriter(store)
            )
            access_pipeline.start()
            opened.callback(access_pipeline.stop)
            access_log = SqliteAccessLog(accesses)
            failed_authentications = FailedAuthentications(access_log, wall_clock=wall_clock_us)
            authenticator = open_authenticator(control)
            secret = control.installation().position_secret
            services = query_services(
                settings,
                store=store,
                control=control,
                authenticator=authenticator,
                access_log=access_log,
                log=log,
                failed_authentications=failed_authentications,
                position_secret=secret,
                wall_clock=wall_clock_us,
            )
            self._logs: Final = ((log, pipeline), (accesses, access_pipeline))
            self._label_mirror: Final = services.label_mirror
            self.app: Final[Starlette] = build_http_app(
                [
                    *ingest_routes(
                        authenticator=authenticator,
                        failed_authentications=failed_authentications,
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
                    "access_log": lambda: _ask_access_log(access_log, access_pipeline),
                },
                lags={"correlate": _known(pipeline.lag_s), "timeline": services.lag_s},
                on_close=authenticator.close,
                while_serving=services.running,
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

    async def catch_up(self, told: Callable[[int, int], None]) -> int:
        """Return when all that is in the logs now can be read; how many messages that are.

        `told` hears how many of them are done. Raises UnavailableError.
        """
        total = sum(log.last_offset for log, _ in self._logs)
        done = 0
        while done < total:
            await asyncio.sleep(_CATCH_UP_POLL_S)
            for _, pipeline in self._logs:
                await pipeline.ping()
            done = sum(pipeline.reached for _, pipeline in self._logs)
            told(min(done, total), total)
        await self._label_mirror.look()
        return total

    def close(self) -> None:
        """Finish the step under way and close everything, in the opposite order of opening."""
        self._opened.close()


def _known(lag_s: Callable[[], float]) -> Lag:
    async def ask() -> float:
        return lag_s()

    return ask


async def _ask_access_log(log: SqliteAccessLog, pipeline: EmbeddedAccessPipeline) -> None:
    """Return when reading can be put on record. Raises UnavailableError."""
    await log.ping(timeout_s=_CHECK_TIMEOUT_S)
    await pipeline.ping()


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


def _write_secret(path: Path, secret: str) -> None:
    """A file only its owner may read, from its first byte on."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(secret + "\n")
