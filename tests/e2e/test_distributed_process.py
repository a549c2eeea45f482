"""Each process of the distributed system killed in turn, while events stream in.

All tests share one installation: they leave it running, but for the last one.
"""

import asyncio
import itertools
import os
import subprocess
import sys
import threading
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from schemas import topics
from tests.support.opstrail import (
    _LISTENING,
    PARTITIONS,
    DistributedOpstrail,
    User,
    opstrail,
)
from tests.support.processes import ChildProcess, wait_until

EVENTS_PER_REQUEST = 20
# Hundreds of events a second: what is starting needs the processor more than the sender.
PAUSE_S = 0.03


def run(number: int) -> dict[str, Any]:
    return {
        "type": "action_run",
        "id": str(uuid.uuid4()),
        "workspace": f"workspace-{number % 7}",
        "block": "nginx",
        "action": "deploy",
        "started_at": f"2026-03-24T10:{number // 60 % 60:02}:{number % 60:02}Z",
        "finished_at": "2026-03-24T11:27:45Z",
        "exit_code": 0,
    }


@pytest.fixture(scope="module")
def system(
    tmp_path_factory: pytest.TempPathFactory,
    kafka_bootstrap: str,
    clickhouse_url: str,
    postgres_url: str,
) -> Any:
    system = DistributedOpstrail(
        tmp_path_factory.mktemp("distributed"),
        kafka=kafka_bootstrap,
        clickhouse=clickhouse_url,
        postgres=postgres_url,
    )
    yield system
    system.close()


def loaded_libraries(process: ChildProcess) -> set[str]:
    """Those of them that a process has mapped, whatever imported them, and when."""
    maps = Path(f"/proc/{process.pid}/maps").read_text()
    return {name for name in ("numpy", "pandas", "pyarrow") if f"/site-packages/{name}/" in maps}


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_process_that_has_worked_has_loaded_no_library_for_frames_and_arrays(
    system: DistributedOpstrail,
) -> None:
    User(system).send(run(1))

    loaded = {name: loaded_libraries(process) for name, process in system.processes.items()}
    # What analysts get is made with these.
    assert loaded.pop("query") == {"numpy", "pyarrow"}
    assert loaded == {"ingest": set(), "correlate": set(), "sink": set()}


def test_what_got_202_is_on_the_timeline_once_whichever_process_was_killed(
    system: DistributedOpstrail,
) -> None:
    accepted: list[tuple[str, str]] = []  # (position, id)
    attempted: set[str] = set()
    is_over = threading.Event()

    def send_without_end() -> None:
        user = User(system)
        for number in itertools.count(0, EVENTS_PER_REQUEST):
            if is_over.wait(PAUSE_S):
                return
            events = [run(number + step) for step in range(EVENTS_PER_REQUEST)]
            attempted.update(event["id"] for event in events)
            try:
                position = user.send(*events, wait=False)["position"]
            except (httpx.TransportError, AssertionError):
                continue
            accepted.extend((position, event["id"]) for event in events)

    sender = threading.Thread(target=send_without_end)
    sender.start()
    for name in ("correlate", "sink", "ingest", "correlate", "sink"):
        known = len(accepted)
        wait_until(
            lambda before=known: len(accepted) > before + 200,  # type: ignore[misc]
            timeout_s=60,
            what="events to be accepted",
        )
        process = system.processes[name]
        process.kill()
        heard = len(_LISTENING.findall(process.output))
        process.start()
        if name == "ingest":
            process.wait_until(
                lambda p=process, h=heard: len(_LISTENING.findall(p.output)) > h,  # type: ignore[misc]
                timeout_s=60,
                what="its address",
            )
            system.sending = _LISTENING.findall(process.output)[-1]
    is_over.set()
    sender.join()

    user = User(system)
    for position in dict.fromkeys(position for position, _ in accepted):
        user.wait_for(position)
    found = [entry["id"] for entry in user.timeline() if entry["id"] in attempted]
    assert len(found) == len(set(found))
    assert {event_id for _, event_id in accepted} <= set(found)


def test_init_may_be_repeated_and_prints_the_key_once(system: DistributedOpstrail) -> None:
    again = subprocess.run(
        opstrail("init"),
        env={**os.environ, **system.variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert again.returncode == 0, again.stderr
    assert again.stdout == ""
    check = subprocess.run(
        opstrail("check"),
        env={**os.environ, **system.variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    ok = [line for line in check.stdout.splitlines() if line.startswith("ok ")]
    # The fourth where the server lets us make the user for SQL.
    assert (check.returncode, len(ok) in (3, 4)) == (0, True), check.stdout + check.stderr


@pytest.mark.parametrize("command", ["init", "correlate", "sink"])
def test_a_process_whose_kafka_is_away_says_so_and_ends_with_69(
    command: str, tmp_path: Path
) -> None:
    ended = subprocess.run(
        opstrail(command),
        env={
            **os.environ,
            "OPSTRAIL_KAFKA_BOOTSTRAP": "127.0.0.1:9",
            "OPSTRAIL_CLICKHOUSE_URL": "http://127.0.0.1:9",
            "OPSTRAIL_DATA_DIR": str(tmp_path),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 69, ended.stderr[-2000:]
    assert "opstrail: Kafka at 127.0.0.1:9" in ended.stderr
    assert "Traceback" not in ended.stderr


async def is_all_committed(system: DistributedOpstrail) -> bool:
    """Whether `correlate` has committed everything on audit.events."""
    bootstrap = system.variables["OPSTRAIL_KAFKA_BOOTSTRAP"]
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await admin.start()
    await consumer.start()
    try:
        partitions = [TopicPartition(topics.EVENTS, number) for number in range(PARTITIONS)]
        ends = await consumer.end_offsets(partitions)
        committed = await admin.list_consumer_group_offsets(topics.CORRELATE_APP)
    finally:
        await consumer.stop()
        await admin.close()
    return all(
        end == 0 or (partition in committed and committed[partition].offset >= end)
        for partition, end in ends.items()
    )


def test_state_survives_a_killed_correlate_process(system: DistributedOpstrail) -> None:
    user = User(system)
    earlier = {**run(1), "workspace": "restart", "finished_at": "2026-03-24T10:30:00Z"}
    user.send(earlier)
    # Or the log would tell it all again, and nothing of the state would be needed.
    wait_until(
        lambda: asyncio.run(is_all_committed(system)), timeout_s=30, what="the input's commit"
    )

    system.processes["correlate"].kill()
    system.processes["correlate"].start()
    visit = {
        "type": "ssh_session",
        "id": str(uuid.uuid4()),
        "workspace": "restart",
        "host": {"inventory_name": "server01"},
        "started_at": "2026-03-24T10:40:00Z",
        "ended_at": "2026-03-24T10:50:00Z",
    }
    user.send(visit)

    entry = user.get(f"/v1/records/ssh_session/{visit['id']}")
    assert [(link["rule"], link["target"]["id"]) for link in entry["links"]] == [
        ("after", earlier["id"])
    ]
    changed = user.get(f"/v1/records/action_run/{earlier['id']}")
    assert [link["rule"] for link in changed["links"]] == ["before"]


def test_every_process_stops_cleanly_when_asked(system: DistributedOpstrail) -> None:
    User(system).send(run(1))

    for process in system.processes.values():
        process.stop()

    assert {name: process.exit_code for name, process in system.processes.items()} == dict.fromkeys(
        system.processes, 0
    )
