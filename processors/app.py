"""The correlate stage under Faust; only this file and `faust_transport` know Faust.

Must stay true:
- The agent's body never raises: Faust commits past what raised. What cannot be processed becomes a
  dead letter; when a dependency or our own code fails, the process ends at once without a commit,
  and the supervisor starts another.
- One agent, `events()`, concurrency 1: offsets are acknowledged in order (faust issue 606).
- The table's row goes out before the outputs, and the input is committed after the broker has both,
  by `Progress`. A crash in between is what `Stage.handle` is written for.
- Messages are handled in their order, whatever Faust hands out.
- Faust's defaults are never relied on.
"""

import asyncio
import logging
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

import faust
import structlog
from faust.auth import Credentials, SASLCredentials, SSLCredentials
from mode.utils.objects import cached_property
from mode.utils.queues import FlowControlEvent
from prometheus_client import start_http_server

from processors.applied_envelope import partition_of_row
from processors.correlate_lag import CorrelateLag
from processors.dead_letter import DEAD_LETTER_CODEC
from processors.eviction_limit import EvictionLimit
from processors.faust_transport import FlowControl, Transport
from processors.horizon import horizon_of
from processors.past import PastMissingError
from processors.past_reader import PastReader
from processors.progress import Progress
from processors.stage import Outcome, Stage
from processors.stop import stop_at_once
from runtime import garbage
from runtime.clock import wall_clock_us
from runtime.errors import UnavailableError
from runtime.kafka_security import KafkaSecurity, kafka_security
from runtime.metrics import CORRELATE_LAG_SECONDS, FACTS_HELD, NEWEST_ENVELOPE_AGE_SECONDS
from runtime.settings import Settings
from schemas import topics
from schemas.entry import TIMELINE_CODEC
from timeline.store import open_store

# Of a partition, compressed. While state is read back all of it is in memory as objects: with 8 MiB
# a start with 50,000 records came to 330 to 510 MB, with this to 290.
FETCH_BYTES_MAX: Final = 512 * 1024
# Envelopes are up to half a megabyte: this bounds what waits in memory.
_STREAM_BUFFER_MAX: Final = 1024
_PAST_RETRY_S: Final = 0.5
_SESSION_TIMEOUT_S: Final = 15.0
_HEARTBEAT_S: Final = 3.0


class _App(faust.App):  # type: ignore[misc]  # skipped types
    @cached_property  # type: ignore[untyped-decorator]
    def flow_control(self) -> FlowControlEvent:
        return FlowControl(loop=self.loop)


def build_app(settings: Settings) -> faust.App:
    """The Faust app; nothing connects before it is started."""
    app = _App(
        topics.CORRELATE_APP,
        broker=[f"kafka://{server}" for server in settings.kafka_bootstrap.split(",")],
        broker_credentials=_credentials(kafka_security(settings)),
        store="memory://",
        datadir=str(settings.data_dir / "correlate"),
        processing_guarantee="at_least_once",
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=settings.partitions,
        topic_replication_factor=settings.replication,
        table_standby_replicas=0,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=FETCH_BYTES_MAX,
        broker_commit_interval=1.0,
        broker_session_timeout=_SESSION_TIMEOUT_S,
        broker_heartbeat_interval=_HEARTBEAT_S,
        broker_request_timeout=60.0,
        producer_acks=-1,
        producer_linger=0.005,
        producer_max_batch_size=512 * 1024,
        producer_max_request_size=topics.MESSAGE_BYTES_MAX,
        producer_compression_type="zstd",
        producer_request_timeout=60.0,
        stream_buffer_maxsize=_STREAM_BUFFER_MAX,
        stream_wait_empty=True,
        web_enabled=False,
        worker_redirect_stdouts=False,
    )
    # Before the first topic: each takes its transport from the app.
    transport = Transport(app.conf.broker_consumer, app)
    app.transport = transport
    _Correlate(app, settings, transport.progress).declare()
    return app


def _credentials(security: KafkaSecurity) -> Credentials | None:
    """The same in Faust's words; None: in the open."""
    if (sign_in := security.sign_in) is not None:
        return SASLCredentials(
            username=sign_in.user,
            password=sign_in.password,
            mechanism=sign_in.mechanism,
            ssl_context=security.context,
        )
    return None if security.context is None else SSLCredentials(security.context)


class _RecoveryErrors(logging.Handler):
    """Faust logs a changelog record it cannot apply, and goes on without it: that loses state."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith("Error in recovery"):
            stop_at_once("recovering state", RuntimeError(record.getMessage()))


class _Correlate:
    """Ties the stage to Faust's topics and table."""

    def __init__(self, app: faust.App, settings: Settings, progress: Progress) -> None:
        self._app: Final = app
        self._progress: Final = progress
        self._stage: Final = Stage(lost_after_us=settings.lost_after_us)
        self._horizon: Final = horizon_of(settings)
        self._store: Final = open_store(settings)
        self._past: Final = PastReader(lambda: self._store, lost_after_us=settings.lost_after_us)
        self._limit: Final = EvictionLimit(
            lambda: self._store, lambda: app.consumer.committed_offsets()
        )
        self._restorations = 0
        self._lag: Final = CorrelateLag(wall_clock_us)
        self._log: Final = structlog.get_logger()
        self._events: Final = self._topic(topics.EVENTS)
        self._timeline: Final = self._topic(topics.TIMELINE)
        self._dead_letters: Final = self._topic(topics.DEAD_LETTERS)
        self._table: Final = app.Table(
            topics.STATE_TABLE,
            partitions=settings.partitions,
            # Without the types Faust reads its own changelog as JSON.
            key_type=bytes,
            value_type=bytes,
        )

    def declare(self) -> None:
        logging.getLogger("faust.tables.recovery").addHandler(_RecoveryErrors())
        FACTS_HELD.set_function(lambda: self._stage.facts)
        # Not before there are partitions: until then it would make a consumer of its own.
        CORRELATE_LAG_SECONDS.set_function(
            lambda: self._lag.seconds(lambda: self._app.consumer.known_ends())
        )
        NEWEST_ENVELOPE_AGE_SECONDS.set_function(self._lag.newest_age_s)
        self._table.on_recover(self._restore)
        self._app.task(self._watch_limit)
        agent = self._app.agent(self._events, concurrency=1, name="correlate")(self._run)
        # Faust takes no handler of ours; its own would restart the agent for ever.
        agent._on_error = self._crashed

    def _topic(self, name: str) -> Any:
        return self._app.topic(
            name,
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
            internal=False,
        )

    async def _restore(self) -> None:
        """After each rebalance: the state of the partitions that are ours now, and no others."""
        try:
            # Before the flow is resumed: Faust seeks after that, while messages come already.
            sought = await self._app.consumer.seek_to_committed()
            next_offsets = {each.partition: offset for each, offset in sought.items()}
            store = self._table.data.data
            for key in [key for key in store if partition_of_row(key) not in next_offsets]:
                # Left behind by a partition that went elsewhere; it comes back whole, by changelog.
                del store[key]
            self._stage.restore(store)
            self._restorations += 1
            self._progress.start(next_offsets)
            self._lag.start(next_offsets)
            garbage.settle()
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError) and self._app.should_stop:
                raise
            stop_at_once("restoring state", error)
        self._log.info("state restored", partitions=len(next_offsets), facts=self._stage.facts)

    async def _run(self, stream: Any) -> None:
        async for event in stream.events():
            message = event.message
            try:
                await self._handle(message)
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                stop_at_once(f"offset {message.offset} of {message.partition}", error)

    async def _crashed(self, _agent: Any, error: BaseException) -> None:
        # Raised by Faust itself, between two messages.
        stop_at_once("reading the stream", error)

    async def _watch_limit(self) -> None:
        try:
            await self._limit.watch()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            stop_at_once("asking what may be let go of", error)

    async def _handle(self, message: Any) -> None:
        partition, key = message.partition, message.key
        outcome = await self._correlate(message)
        if outcome is None:
            return
        sent = []
        if outcome.row is not None:
            sent.append(await self._keep(*outcome.row, partition=partition))
        for letter in outcome.dead_letters:
            value = DEAD_LETTER_CODEC.encode(letter)
            sent.append(await self._dead_letters.send(key=key, value=value, partition=partition))
        for batch in outcome.batches:
            value = TIMELINE_CODEC.encode(batch)
            sent.append(await self._timeline.send(key=key, value=value, partition=partition))
        sent += await self._evict(partition)
        self._progress.handled(partition, message.offset, sent)
        self._lag.handled(partition, message.offset, outcome.batches[-1]["received_at"])

    async def _correlate(self, message: Any) -> Outcome | None:
        """What it leads to; None: it is not its turn."""
        partition = message.partition
        while True:
            # Asked each time: while the past was read, partitions may have been dealt anew.
            due = self._progress.next_offset(partition)
            if due is None or message.offset > due:
                await self._pass_over(message, due)
                return None
            try:
                return self._stage.handle(
                    message.value or b"",
                    partition=partition,
                    offset=message.offset,
                    load_row=self._table.get,
                )
            except PastMissingError as missing:
                needed = missing.needed
            restorations = self._restorations
            try:
                stored = await self._past.read(needed)
            except UnavailableError as error:
                self._log.warning("waiting for the store, for an old event", error=str(error))
                await asyncio.sleep(_PAST_RETRY_S)
                continue
            if restorations == self._restorations:
                self._stage.supply(partition, needed, stored)

    async def _evict(self, partition: int) -> list[Any]:
        """Let go of what is old; what was sent for it."""
        changes = self._stage.evict(
            partition,
            horizon=self._horizon,
            inserted_offset=self._limit.offset(partition),
            load_row=self._table.get,
        )
        return [await self._keep(key, row, partition=partition) for key, row in changes]

    async def _pass_over(self, message: Any, due: int | None) -> None:
        """A message that came too early: it comes again, after the one that is due."""
        if due is None or not self._progress.is_first_miss(message.partition, monotonic()):
            return
        self._log.warning(
            "reading again what was skipped",
            partition=message.partition,
            offset=due,
            came=message.offset,
        )
        await self._app.consumer.seek(message.tp, due)

    async def _keep(self, key: bytes, row: bytes | None, *, partition: int) -> Any:
        """Put a row into the table and its changelog, in this order with the outputs.

        None: delete it.

        Not by `table[key] = row`: that leaves the changelog's record in a buffer of Faust's, whose
        flush gives up after 0.1 s without progress, and then the input is committed without it.
        """
        sent = await self._table.changelog_topic.send(
            key=key,
            value=row,
            partition=partition,
            key_serializer="raw",
            value_serializer="raw",
        )
        if row is None:
            self._table.data.data.pop(key, None)
        else:
            self._table.data.data[key] = row
        return sent


def run_correlate(settings: Settings, on_ready: Callable[[], None] | None = None) -> int:
    """Run one worker until SIGTERM or SIGINT; the exit code.

    A clean stop finishes the envelope under way and commits; what is not committed is read again.
    """
    if settings.metrics_port:
        start_http_server(settings.metrics_port, addr=settings.host)
    # Faust makes its own folder inside, but not this one.
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    app = build_app(settings)
    worker = faust.Worker(app, loglevel="warn", quiet=True, override_logging=False)
    try:
        worker.execute_from_commandline()
    except SystemExit as exit_:
        return int(exit_.code or 0)
    return 0
