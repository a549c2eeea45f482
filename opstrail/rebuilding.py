"""A rebuild from its beginning to the switch, embedded and distributed.

Must stay true:
- Readers have the old generation until the new one is whole and was checked; then the new one.
- Broken off at any moment, the next run goes on; nothing that lives was touched.
"""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Final

from control.database import open_control
from opstrail.data_folder import FolderInUseError, owned
from opstrail.rebuild_report import RebuildReport
from opstrail.required_servers import require_clickhouse
from processors.horizon import horizon_of
from processors.kafka_source import KafkaSource
from processors.rebuild import Rebuild, RebuildProgress
from processors.rebuild_source import Source, WholePast
from processors.sqlite_source import SqliteSource
from runtime.backup_archive import LOG
from runtime.errors import RefusedError, SettingsError
from runtime.kafka_security import kafka_security
from runtime.settings import Settings
from runtime.sqlite_log import SqliteLog
from timeline.generation import FRESH_S, Generations, generation_database
from timeline.generation_change import GenerationChange
from timeline.rebuild_check import GenerationCheck, check_generation, problems, read_digest
from timeline.sql_user import make_sql_user, sql_user_password
from timeline.store import Store, open_store, sql_wall_gap

# What arrives meanwhile is in one table a moment before it is in the next.
_CHECKS_MAX: Final = 5
_CHECK_DELAY_S: Final = 2.0

Told = Callable[[RebuildProgress], None]


async def rebuild(settings: Settings, told: Told, *, is_loss_accepted: bool) -> RebuildReport:
    """Rebuild, check and switch; or stop at SIGINT or SIGTERM.

    Raises RefusedError: it cannot be begun. UnavailableError: the same call goes on with it.
    """
    async with _store(settings) as store, _source(settings) as source:
        change = GenerationChange(store)
        known, generation = await asyncio.to_thread(change.prepare)
        await asyncio.to_thread(_make_wall, settings, store, known, generation)
        await change.copy_labels(known.living, generation)
        await change.fill(generation)
        # After that: what is not on the log yet, the sinks fill in.
        ends = await source.ends()
        past = WholePast(source, store, generation_database(store.database, known.living))
        run = Rebuild(
            past,
            store,
            generation,
            lost_after_us=settings.lost_after_us,
            horizon=horizon_of(settings),
            rows_max=settings.sink_rows_max,
            told=told,
        )
        with _stopping(run.stop):
            progress = await run.run(ends)
        report = RebuildReport(
            generation=generation,
            before=known.living,
            messages=progress.done,
            from_snapshots=past.counts.from_snapshots,
            missing=past.counts.missing,
            is_stopped=progress.is_stopped,
        )
        if progress.is_stopped:
            return report
        for partition, received in progress.received.items():
            stored = await read_digest(store, generation, partition, ends[partition])
            if (stored.events, stored.checksum) != (received.events, received.checksum):
                report.unequal_partitions.append(partition)
        report.check = await _checked(store, known.living, generation)
        if report.faults() or (report.losses() and not is_loss_accepted):
            return report
        await change.live(generation, before=known.living)
        report.is_living = True
        # Whoever said a label in the last second may have said it to the old one.
        await asyncio.sleep(2 * FRESH_S)
        await change.copy_labels(known.living, generation)
        return report


async def abandon(settings: Settings) -> list[int]:
    """Give up the generations that were begun and do not live; which they were."""
    async with _store(settings) as store:
        change = GenerationChange(store)
        filling = (await change.generations()).filling
        for generation in filling:
            await change.drop(generation)
        return list(filling)


async def drop_generations(settings: Settings) -> list[int]:
    """Drop what the generations before the living one hold; which they were."""
    async with _store(settings) as store:
        change = GenerationChange(store)
        known = await change.generations()
        old = [each for each in range(known.living) if each not in known.dropped]
        for generation in old:
            await change.drop(generation)
        return old


async def _checked(store: Store, before: int, generation: int) -> GenerationCheck:
    check = await check_generation(store, before, generation)
    for _ in range(_CHECKS_MAX - 1):
        if not problems(check):
            break
        await asyncio.sleep(_CHECK_DELAY_S)
        check = await check_generation(store, before, generation)
    return check


@contextlib.asynccontextmanager
async def _store(settings: Settings) -> AsyncIterator[Store]:
    with contextlib.ExitStack() as opened:
        if settings.kafka_bootstrap:
            require_clickhouse(settings)
        else:
            opened.enter_context(_folder(settings.data_dir))
        store = open_store(settings)
        opened.callback(store.close)
        yield store


@contextlib.contextmanager
def _folder(folder: Path) -> Iterator[None]:
    if not (folder / LOG).exists():
        raise SettingsError(f"OPSTRAIL_DATA_DIR: {folder} holds no log of `opstrail up`")
    try:
        with owned(folder):
            yield
    except FolderInUseError as error:
        raise RefusedError(
            f"{folder} is in use by another opstrail process: stop `opstrail up`, run this again,"
            " then start it; senders have to try again meanwhile"
        ) from error


@contextlib.asynccontextmanager
async def _source(settings: Settings) -> AsyncIterator[Source]:
    if settings.kafka_bootstrap:
        kafka = KafkaSource(
            settings.kafka_bootstrap,
            partitions=settings.partitions,
            security=kafka_security(settings),
        )
        try:
            await kafka.start()
            yield kafka
        finally:
            await kafka.close()
    else:
        log = SqliteLog(settings.data_dir / LOG, inflight_bytes_max=settings.inflight_bytes_max)
        try:
            yield SqliteSource(log)
        finally:
            log.close()


@contextlib.contextmanager
def _stopping(stop: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def _make_wall(settings: Settings, store: Store, known: Generations, generation: int) -> None:
    """Behind SQL stands the same wall in the new generation. Raises RefusedError."""
    if not settings.clickhouse_url:
        return
    control = open_control(settings.control_database_url)
    try:
        password = sql_user_password(control.installation().pepper)
    finally:
        control.close()
    base = store.database
    if not settings.clickhouse_sql_url:
        further = [
            generation_database(base, each) for each in sorted({*known.present, generation}) if each
        ]
        store.write_now(
            lambda connection: make_sql_user(connection, base, password, further), database=base
        )
    if sql_wall_gap(settings, password, generation_database(base, known.living)) is not None:
        return
    target = generation_database(base, generation)
    if (gap := sql_wall_gap(settings, password, target)) is not None:
        raise RefusedError(
            f"the user for SQL has no rights in the database {target} of the new generation"
            f" ({gap}); give it there what it has in {base} (docs/sql.md) and run this again"
        )
