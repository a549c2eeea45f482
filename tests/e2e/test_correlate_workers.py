"""Workers of `correlate` that come, go and are killed while envelopes stream in.

Faust deals the partitions anew each time. Whatever it fetched, emptied or acknowledged meanwhile,
each envelope is handled, after the one before it.
"""

import asyncio
import itertools
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from runtime.kafka_log import KafkaLog
from runtime.kafka_topics import make_topics
from runtime.settings import load_settings
from schemas import topics
from schemas.entry import TIMELINE_CODEC
from schemas.envelope import Envelope, Event, Sender
from tests.support.opstrail import PARTITIONS
from tests.support.ports import free_port
from tests.support.processes import ChildProcess, wait_until

WORKSPACES = 40
# Some hundred envelopes wait at each change of shares, and two cores keep up with the rest.
PAUSE_S = 0.006
ENOUGH = 200
# The shortest that a broker takes by default: so long until the killed one's share is dealt anew.
WORKER = """
import processors.app
processors.app._SESSION_TIMEOUT_S, processors.app._HEARTBEAT_S = 6.0, 1.0
from opstrail.main import main
main()
"""


class Sending:
    """Appends envelopes from a thread until it is stopped; `offsets` by partition are durable."""

    def __init__(self, bootstrap: str) -> None:
        self.offsets: dict[int, list[int]] = {}
        self._bootstrap = bootstrap
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._send()))
        self._thread.start()

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join()

    @property
    def count(self) -> int:
        return sum(map(len, list(self.offsets.values())))

    async def _send(self) -> None:
        log = KafkaLog(self._bootstrap, partitions=PARTITIONS, inflight_bytes_max=1 << 26)
        for number in itertools.count():
            if self._is_over.is_set():
                break
            for position in await log.append([envelope(number)], timeout_s=60):
                self.offsets.setdefault(position.partition, []).append(position.offset)
            await asyncio.sleep(PAUSE_S)
        await log.close()


def envelope(number: int) -> Envelope:
    started_at = 1_774_346_400_000_000 + number * 1_000
    fields = {
        "id": str(uuid.uuid4()),
        "block": "nginx",
        "action": "deploy",
        "started_at": started_at,
        "finished_at": started_at + 1_000_000,
        "exit_code": 0,
    }
    return Envelope(
        sender=Sender(organization="workers", actor="ci", actor_kind="service", key_id="key"),
        workspace=f"workspace-{number % WORKSPACES}",
        received_at=time.time_ns() // 1_000,
        events=[Event("action_run", fields)],
    )


class Timeline:
    """What `correlate` has sent on since this was made."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._starts = asyncio.run(self._ends())

    def entries(self) -> dict[int, set[int]]:
        """Offsets of the input, by partition, whose entries are on the log of the timeline."""
        return asyncio.run(self._read())

    async def _ends(self) -> dict[TopicPartition, int]:
        async with AIOKafkaConsumer(bootstrap_servers=self._bootstrap) as consumer:
            partitions = [TopicPartition(topics.TIMELINE, each) for each in range(PARTITIONS)]
            ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
            return ends

    async def _read(self) -> dict[int, set[int]]:
        found: dict[int, set[int]] = {each: set() for each in range(PARTITIONS)}
        async with AIOKafkaConsumer(bootstrap_servers=self._bootstrap) as consumer:
            ends = await consumer.end_offsets(list(self._starts))
            consumer.assign(list(self._starts))
            for partition, offset in self._starts.items():
                consumer.seek(partition, offset)
            while any([await consumer.position(each) < end for each, end in ends.items()]):
                for messages in (await consumer.getmany(timeout_ms=200)).values():
                    for message in messages:
                        batch = TIMELINE_CODEC.decode(message.value)
                        if batch["entries"]:
                            found[batch["partition"]].add(batch["offset"])
        return found


@pytest.fixture
def worker(
    tmp_path: Path, kafka_bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], ChildProcess]]:
    variables = {
        "OPSTRAIL_KAFKA_BOOTSTRAP": kafka_bootstrap,
        "OPSTRAIL_PARTITIONS": str(PARTITIONS),
        # Nobody is there: nothing is let go of, so nothing is asked of it.
        "OPSTRAIL_CLICKHOUSE_URL": f"http://127.0.0.1:{free_port()}",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    asyncio.run(make_topics(load_settings()))
    workers: list[ChildProcess] = []

    def make(name: str) -> ChildProcess:
        workers.append(
            ChildProcess(
                [sys.executable, "-c", WORKER, "correlate"],
                folder=Path.cwd(),
                log=tmp_path / f"{name}.log",
                variables={**variables, "OPSTRAIL_DATA_DIR": str(tmp_path / name)},
            )
        )
        return workers[-1]

    yield make
    for each in workers:
        each.stop()


def restored(process: ChildProcess) -> int:
    return process.output.count("state restored")


def test_every_envelope_is_handled_whoever_comes_and_goes(
    worker: Callable[[str], ChildProcess], kafka_bootstrap: str
) -> None:
    timeline = Timeline(kafka_bootstrap)
    sending = Sending(kafka_bootstrap)
    first, second = worker("first"), worker("second")

    def join(process: ChildProcess) -> None:
        before = restored(process)
        process.start()
        process.wait_until(lambda: restored(process) > before, timeout_s=60, what="its share")

    def send_more() -> None:
        enough = sending.count + ENOUGH
        wait_until(lambda: sending.count > enough, timeout_s=60, what="more envelopes")

    try:
        join(first)  # without any committed offset, with envelopes waiting already
        send_more()
        join(second)
        send_more()
        first.kill()
        join(first)
        send_more()
        second.stop()
        send_more()
        first.kill()
        join(second)
        join(first)
        send_more()
    finally:
        sending.stop()

    wanted = {partition: set(offsets) for partition, offsets in sending.offsets.items()}

    def lost() -> dict[int, set[int]]:
        found = timeline.entries()
        return {each: wanted[each] - found[each] for each in wanted if wanted[each] - found[each]}

    wait_until(
        lambda: all(max(wanted[each]) in timeline.entries()[each] for each in wanted),
        timeout_s=60,
        what="the last envelopes' entries",
        poll_s=1.0,
    )
    wait_until(lambda: not lost(), timeout_s=20, what="every envelope's entries", poll_s=1.0)
    assert first.is_running
    assert second.is_running
