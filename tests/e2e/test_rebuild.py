"""`opstrail rebuild`: a damaged timeline becomes whole again while people read and send."""

import asyncio
import itertools
import json
import os
import signal
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import clickhouse_connect
import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from clickhouse_connect.driver.client import Client

from schemas import topics
from schemas.topics import REVISION_BITS
from tests.simulation.histories import mixed_history
from tests.support.opstrail import (
    PARTITIONS,
    DistributedOpstrail,
    EmbeddedOpstrail,
    Opstrail,
    User,
    opstrail,
)
from tests.support.processes import ChildProcess, wait_until

EVENTS = 400
REQUESTS = 40
EVENTS_PER_REQUEST = 5
# As often as the rebuild has something new to catch up with; all of it is read in the end.
STREAM_WAIT_S = 0.1
# Without a pause most of the machine would do nothing but read.
READ_WAIT_S = 0.2
# So few rows an insert that a rebuild takes long enough to be broken off.
SLOWLY = {"OPSTRAIL_SINK_ROWS_MAX": "1"}
WAIT_S = 90.0


def moved(event: dict[str, Any], team: str) -> dict[str, Any]:
    if "workspace" not in event:
        return event
    return {**event, "workspace": event["workspace"].replace("team", team)}


def sent_history(user: User, team: str) -> list[dict[str, Any]]:
    """What the timeline says of some hundred events of a month, in many requests."""
    deliveries = mixed_history(3, EVENTS)
    size = EVENTS // REQUESTS
    positions = []
    for start in range(0, EVENTS, size):
        lines = [json.dumps(moved(each.event, team)) for each in deliveries[start : start + size]]
        positions.append(user.send_lines("\n".join(lines).encode())["position"])
    for position in positions:
        user.wait_for(position)
    return told(user, team)


@pytest.fixture
def team() -> str:
    """What the history's workspaces begin with: the broker remembers those of other tests."""
    return f"team{uuid.uuid4().hex[:8]}"


def told(user: User, team: str) -> list[dict[str, Any]]:
    """The history's part of the timeline, whatever else is on it."""
    return without_revision(each for each in user.timeline() if each["workspace"].startswith(team))


def without_revision(items: Any) -> list[dict[str, Any]]:
    return [{name: each[name] for name in each if name != "revision"} for each in items]


def generations(user: User) -> set[int]:
    return {each["revision"] >> REVISION_BITS for each in user.timeline()}


def rebuild(variables: Mapping[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        opstrail("rebuild", *options),
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def broken_off(
    folder: Path,
    variables: Mapping[str, str],
    number: signal.Signals,
    when: Callable[[], bool] | None = None,
) -> ChildProcess:
    """A rebuild that gets this signal once `when()` holds, else when it says how far it is."""
    process = ChildProcess(
        opstrail("rebuild"),
        folder=folder,
        log=folder / f"rebuild-{number.name}.log",
        variables={**variables, **SLOWLY},
        stop_signal=number,
    )
    process.start()
    is_time = when or (lambda: "s left" in process.output)
    process.wait_until(is_time, timeout_s=WAIT_S, what="a part of the rebuild")
    if number == signal.SIGKILL:
        process.kill()
    else:
        process.stop()
    return process


class Streaming:
    """Sends runs from its own thread for as long as it is entered."""

    def __init__(self, system: Opstrail) -> None:
        self.accepted: list[str] = []
        self.newest: dict[str, str] = {}  # by workspace, where its last request is on the log
        self._system = system
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _send(self) -> None:
        user = User(self._system)
        for number in itertools.count():
            if self._is_over.wait(STREAM_WAIT_S):
                return
            workspace = f"stream-{number % 5}"
            events = [run(workspace) for _ in range(EVENTS_PER_REQUEST)]
            self.newest[workspace] = user.send(*events, wait=False)["position"]
            self.accepted += [event["id"] for event in events]


class Reading:
    """Asks for the same again and again; what it was told, and what it should not have been."""

    def __init__(self, system: Opstrail, team: str, allowed: Sequence[Any]) -> None:
        self.seen: list[int] = []  # numbers of the allowed answers
        self.mixed: list[Any] = []
        self._system = system
        self._team = team
        self._allowed = allowed
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._read)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _read(self) -> None:
        user = User(self._system)
        while not self._is_over.wait(READ_WAIT_S):
            answer = exported(user, self._team)
            if answer in self._allowed:
                self.seen.append(self._allowed.index(answer))
            else:
                self.mixed.append(answer)


def run(workspace: str) -> dict[str, Any]:
    return {
        "type": "action_run",
        "id": str(uuid.uuid4()),
        "workspace": workspace,
        "block": "nginx",
        "action": "deploy",
        "started_at": "2026-06-24T10:00:00Z",
        "finished_at": "2026-06-24T10:27:45Z",
        "exit_code": 0,
    }


def exported(user: User, team: str) -> list[dict[str, Any]]:
    """March in one answer, which takes several statements."""
    answer = user.ask(
        "/v1/timeline", from_="2026-03-01T00:00:00Z", to="2026-04-01T00:00:00Z", format="ndjson"
    )
    assert answer.status_code == 200, answer.text
    items = [json.loads(line) for line in answer.text.splitlines()]
    return without_revision(each for each in items if each["workspace"].startswith(team))


@pytest.fixture
def system(
    tmp_path: Path, kafka_bootstrap: str, clickhouse_url: str, postgres_url: str
) -> Iterator[DistributedOpstrail]:
    system = DistributedOpstrail(
        tmp_path, kafka=kafka_bootstrap, clickhouse=clickhouse_url, postgres=postgres_url
    )
    yield system
    system.close()


@pytest.fixture
def clickhouse(system: DistributedOpstrail) -> Iterator[Client]:
    url = system.variables["OPSTRAIL_CLICKHOUSE_URL"]
    with clickhouse_connect.get_client(dsn=url, autogenerate_session_id=False) as client:
        yield client


def database(system: DistributedOpstrail) -> str:
    return system.variables["OPSTRAIL_CLICKHOUSE_DATABASE"]


def inserted(client: Client, holder: str) -> int:
    """How many messages a rebuild has inserted there; 0 also where nothing is there yet."""
    known = f"SELECT count() FROM system.tables WHERE database = '{holder}' AND name = 'watermarks'"
    if not client.query(known).result_rows[0][0]:
        return 0
    reached = f"SELECT partition, max(offset) + 1 FROM {holder}.watermarks GROUP BY partition"
    return sum(offset for _, offset in client.query(reached).result_rows)


def lose_every_second_record(client: Client, holder: str) -> None:
    for table in ("entries", "entry_times"):
        client.command(
            f"ALTER TABLE {holder}.{table} DELETE WHERE sipHash64(id) % 2 = 0"
            " SETTINGS mutations_sync = 2"
        )


def test_a_damaged_timeline_is_rebuilt_while_events_stream_in(
    system: DistributedOpstrail, clickhouse: Client, tmp_path: Path, team: str
) -> None:
    user = User(system)
    whole = sent_history(user, team)
    whole_export = exported(user, team)
    base, target = database(system), f"{database(system)}_g1"
    lose_every_second_record(clickhouse, base)
    damaged = exported(user, team)
    assert 0 < len(damaged) < len(whole_export)

    with Streaming(system) as stream, Reading(system, team, [damaged, whole_export]) as reading:
        killed = broken_off(
            tmp_path,
            system.variables,
            signal.SIGKILL,
            lambda: inserted(clickhouse, target) > 5,
        )
        before = inserted(clickhouse, target)
        stopped = broken_off(
            tmp_path,
            system.variables,
            signal.SIGINT,
            lambda: inserted(clickhouse, target) > before + 5,
        )
        assert exported(user, team) == damaged, "nobody reads what is not whole"
        ended = rebuild(system.variables, "--json")
        wait_until(lambda: bool(reading.seen) and reading.seen[-1] == 1, timeout_s=10, what="it")

    assert (killed.exit_code, stopped.exit_code) == (-signal.SIGKILL, 1)
    assert "same command goes on" in " ".join(stopped.output.split())
    assert ended.returncode == 0, ended.stdout + ended.stderr
    report = json.loads(ended.stdout)
    assert (report["generation"], report["living"], report["missing"]) == (1, True, 0)
    assert report["check"] == dict.fromkeys(report["check"], 0)
    assert reading.mixed == []
    assert reading.seen == sorted(reading.seen)
    assert set(reading.seen) == {0, 1}
    assert told(user, team) == whole
    for position in stream.newest.values():
        user.wait_for(position)
    shown = [each["id"] for each in user.timeline() if each["workspace"].startswith("stream-")]
    assert len(shown) == len(set(shown))
    assert set(stream.accepted) <= set(shown)
    assert generations(user) == {1}
    # The pipeline goes on into it, and changes what is there.
    user.send({**run(f"{team}-01"), "started_at": "2026-03-24T10:00:00Z"})
    answer = sql(system, "SELECT count() FROM timeline WHERE startsWith(workspace, 'stream-')")
    assert answer.json()["rows"] == [[len(shown)]]
    dropped = rebuild(system.variables, "--drop-old", "--json")
    assert json.loads(dropped.stdout) == {"dropped": [0]}
    assert clickhouse.query(f"SELECT count() FROM {base}.entries").result_rows == [(0,)]
    assert set(stream.accepted) <= {each["id"] for each in user.timeline()}


def sql(system: Opstrail, query: str) -> httpx.Response:
    return httpx.post(
        f"{system.reading_url}/v1/sql",
        json={"query": query},
        headers={"Authorization": f"Bearer {system.admin_key}"},
        timeout=30,
    )


async def append_what_nobody_can_read(bootstrap: str) -> None:
    """A message that leaves nothing but a dead letter."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        await producer.send_and_wait(topics.EVENTS, b"no envelope", partition=0)
    finally:
        await producer.stop()


async def let_go_of_the_log(bootstrap: str) -> int:
    """As retention does; how many messages there ever were."""
    admin, consumer = (
        AIOKafkaAdminClient(bootstrap_servers=bootstrap),
        AIOKafkaConsumer(bootstrap_servers=bootstrap),
    )
    await admin.start()
    await consumer.start()
    try:
        partitions = [TopicPartition(topics.EVENTS, number) for number in range(PARTITIONS)]
        ends = await consumer.end_offsets(partitions)
        await admin.delete_records(
            {each: RecordsToDelete(before_offset=end) for each, end in ends.items() if end}
        )
        return sum(ends.values())
    finally:
        await consumer.stop()
        await admin.close()


def test_what_the_log_has_let_go_of_comes_from_the_received_events(
    system: DistributedOpstrail, clickhouse: Client, kafka_bootstrap: str, team: str
) -> None:
    user = User(system)
    asyncio.run(append_what_nobody_can_read(kafka_bootstrap))
    earlier = asyncio.run(let_go_of_the_log(kafka_bootstrap))  # of other installations, too
    whole = sent_history(user, team)
    now = asyncio.run(let_go_of_the_log(kafka_bootstrap))
    user.send(run(f"{team}-77"))
    lose_every_second_record(clickhouse, database(system))

    refused = rebuild(system.variables, "--json")
    # Once more it is no better.
    again = rebuild(system.variables, "--json")
    switched = rebuild(system.variables, "--json", "--accept-loss")

    # Of the earlier installations nothing is kept here, and that is said.
    assert earlier > 0
    for ended in (refused, again):
        report = json.loads(ended.stdout)
        assert (ended.returncode, report["living"], report["missing"]) == (1, False, earlier)
    assert json.loads(refused.stdout)["from_snapshots"] == now - earlier
    assert switched.returncode == 0, switched.stdout + switched.stderr
    assert [each for each in told(user, team) if each["workspace"] != f"{team}-77"] == whole
    assert generations(user) == {1}


def test_of_opstrail_up_it_is_rebuilt_while_that_is_stopped(tmp_path: Path, team: str) -> None:
    system = EmbeddedOpstrail(tmp_path)
    user = User(system)
    whole = sent_history(user, team)
    folder = {"OPSTRAIL_DATA_DIR": str(tmp_path / "data")}

    refused = rebuild(folder)
    assert refused.returncode == 1
    assert "stop `opstrail up`" in refused.stderr
    system.close()
    killed = broken_off(tmp_path, folder, signal.SIGKILL)
    stopped = broken_off(tmp_path, folder, signal.SIGINT)
    ended = rebuild(folder)
    system.start()

    assert (killed.exit_code, stopped.exit_code) == (-signal.SIGKILL, 1), stopped.output
    assert ended.returncode == 0, ended.stderr
    assert "generation 1 is what is read now" in ended.stdout
    assert told(user, team) == whole
    assert generations(user) == {1}
    user.send({**run(f"{team}-01"), "started_at": "2026-03-24T10:00:00Z"})
    system.close()
    assert rebuild(folder, "--drop-old").returncode == 0
    assert "nothing to drop" in rebuild(folder, "--drop-old").stdout
    system.start()
    assert len(told(user, team)) == len(whole) + 1
    system.close()
