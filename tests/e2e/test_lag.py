"""How far each stage says it is behind, asked from outside of real processes."""

import asyncio
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import httpx

from runtime.kafka_log import KafkaLog
from runtime.kafka_topics import make_topics
from runtime.settings import load_settings
from tests.e2e.test_correlate_workers import envelope
from tests.support.opstrail import (
    PARTITIONS,
    PLAIN_HTTP,
    DistributedOpstrail,
    EmbeddedOpstrail,
    User,
    opstrail,
)
from tests.support.ports import free_port
from tests.support.processes import ChildProcess, wait_until

CORRELATE, NEWEST = "opstrail_correlate_lag_seconds", "opstrail_newest_envelope_age_seconds"
WATERMARK = "opstrail_watermark_lag_seconds"
OF_PARTITION = "opstrail_watermark_partition_lag_seconds"
# Correlates an envelope in half a second.
SLOW_WORKER = """
import time
from processors.stage import Stage
handle = Stage.handle
def slowly(*arguments, **named):
    time.sleep(0.5)
    return handle(*arguments, **named)
Stage.handle = slowly
from opstrail.main import main
main()
"""


def metric(url: str, name: str) -> float:
    """Not a number while nobody listens."""
    try:
        lines = httpx.get(f"{url}/metrics", timeout=10, verify=PLAIN_HTTP).text.splitlines()
    except httpx.TransportError:
        return float("nan")
    (value,) = [line.rpartition(" ")[2] for line in lines if line.partition(" ")[0] == name]
    return float(value)


def session(workspace: str = "acme") -> dict[str, Any]:
    return {
        "type": "ssh_session",
        "id": str(uuid.uuid4()),
        "workspace": workspace,
        "host": {"inventory_name": "server01"},
        "started_at": "2026-03-24T10:00:00Z",
        "ended_at": "2026-03-24T11:27:45Z",
    }


def lag_seconds(user: User) -> dict[str, float | None]:
    found: dict[str, float | None] = user.get("/readyz")["lag_seconds"]
    return found


def test_one_process_tells_of_its_pipeline_and_its_readers(tmp_path: Path) -> None:
    system = EmbeddedOpstrail(tmp_path)
    user = User(system)
    user.send(session())

    lag = lag_seconds(user)
    assert set(lag) == {"correlate", "timeline"}
    assert lag["correlate"] == 0
    timeline_s = lag["timeline"]
    assert timeline_s is not None
    assert 0 <= timeline_s < 30
    assert 0 <= metric(system.reading_url, NEWEST) < 30
    assert 0 <= metric(system.reading_url, WATERMARK) < 30
    assert 0 <= metric(system.reading_url, f'{OF_PARTITION}{{partition="0"}}') < 30
    free_bytes = metric(system.reading_url, "opstrail_data_disk_free_bytes")
    assert 0 < free_bytes <= metric(system.reading_url, "opstrail_data_disk_bytes")
    system.close()


def test_a_slow_correlate_says_so_until_it_has_caught_up(
    tmp_path: Path, kafka_bootstrap: str, monkeypatch: Any
) -> None:
    port = free_port()
    variables = {
        "OPSTRAIL_KAFKA_BOOTSTRAP": kafka_bootstrap,
        "OPSTRAIL_PARTITIONS": str(PARTITIONS),
        "OPSTRAIL_DATA_DIR": str(tmp_path / "data"),
        "OPSTRAIL_METRICS_PORT": str(port),
        # Nobody is there: nothing is let go of, so nothing is asked of it.
        "OPSTRAIL_CLICKHOUSE_URL": f"http://127.0.0.1:{free_port()}",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    asyncio.run(make_topics(load_settings()))
    url = f"http://127.0.0.1:{port}"
    worker = ChildProcess(
        [sys.executable, "-c", SLOW_WORKER, "correlate"],
        folder=Path.cwd(),
        log=tmp_path / "correlate.log",
        variables=variables,
    )
    worker.start()
    worker.wait_until(lambda: "state restored" in worker.output, timeout_s=60, what="its share")

    async def send() -> None:
        log = KafkaLog(kafka_bootstrap, partitions=PARTITIONS, inflight_bytes_max=1 << 26)
        # One workspace: all in one partition.
        await log.append([envelope(0) for _ in range(12)], timeout_s=60)
        await log.close()

    try:
        # Whatever other tests left behind is done first.
        wait_until(lambda: metric(url, CORRELATE) == 0, timeout_s=120, what="the start")
        sent_s = time.monotonic()
        asyncio.run(send())
        wait_until(lambda: metric(url, CORRELATE) > 2, timeout_s=30, what="a lag")
        assert metric(url, CORRELATE) < time.monotonic() - sent_s + 1
        wait_until(lambda: metric(url, CORRELATE) == 0, timeout_s=60, what="no lag")
        assert 0 < metric(url, NEWEST) < time.monotonic() - sent_s + 1
    finally:
        worker.stop()


def test_readers_say_how_far_they_are_behind_while_no_sink_runs(
    tmp_path: Path, kafka_bootstrap: str, clickhouse_url: str, postgres_url: str
) -> None:
    system = DistributedOpstrail(
        tmp_path, kafka=kafka_bootstrap, clickhouse=clickhouse_url, postgres=postgres_url
    )
    port = free_port()
    sink = ChildProcess(
        opstrail("sink"),
        folder=tmp_path,
        log=tmp_path / "other-sink.log",
        variables={**system.variables, "OPSTRAIL_METRICS_PORT": str(port)},
    )
    try:
        user = User(system)
        # In each partition: what others left on the broker is not in this timeline.
        user.send(*(session(f"acme-{number}") for number in range(8 * PARTITIONS)))
        wait_until(lambda: (lag_seconds(user)["timeline"] or 99) < 3, timeout_s=60, what="readers")
        system.processes["sink"].stop()
        wait_until(lambda: (lag_seconds(user)["timeline"] or 0) > 4, timeout_s=30, what="a lag")
        overall_s = metric(system.reading_url, WATERMARK)
        lags_s = [
            metric(system.reading_url, f'{OF_PARTITION}{{partition="{number}"}}')
            for number in range(PARTITIONS)
        ]
        assert 4 < overall_s <= max(lags_s)
        assert min(lags_s) > 3

        sink.start()
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: 0 < metric(url, WATERMARK) < 3, timeout_s=60, what="the sink")
        wait_until(lambda: (lag_seconds(user)["timeline"] or 99) < 3, timeout_s=60, what="readers")
    finally:
        sink.stop()
        system.close()
