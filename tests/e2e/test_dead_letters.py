"""What cannot be used stops nothing and is kept; `opstrail dead-letters` shows and resends it."""

import asyncio
import contextlib
import itertools
import json
import os
import sqlite3
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from processors.dead_letter import DEAD_LETTER_CODEC, undecodable_letter
from schemas import topics
from schemas.access_event import ACCESS_CODEC
from schemas.codec import UndecodableError
from schemas.entry import TIMELINE_CODEC
from schemas.envelope import ENVELOPE_CODEC, Envelope, Event, Sender, encode_envelope
from tests.support.opstrail import (
    MODES,
    PARTITIONS,
    DistributedOpstrail,
    EmbeddedOpstrail,
    Opstrail,
    User,
    opstrail,
    running,
)
from tests.support.processes import wait_until

WAIT_S = 60.0
_CODECS = {
    topics.EVENTS: ENVELOPE_CODEC,
    topics.TIMELINE: TIMELINE_CODEC,
    topics.ACCESS: ACCESS_CODEC,
}


@pytest.fixture(scope="module", params=MODES)
def system(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Opstrail]:
    folder = tmp_path_factory.mktemp(request.param)
    with running(request.param, folder, request.getfixturevalue) as system:
        yield system


def run(workspace: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "action_run",
        "id": str(uuid.uuid4()),
        "workspace": workspace,
        "block": "nginx",
        "action": "deploy",
        "started_at": "2026-03-24T10:00:00Z",
        "finished_at": "2026-03-24T10:05:00Z",
        "exit_code": 0,
        **more,
    }


def new_workspace() -> str:
    return f"workspace-{uuid.uuid4().hex}"


def command(system: Opstrail, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`opstrail dead-letters …`."""
    url, key = system.reading_url, system.admin_key
    return subprocess.run(
        opstrail("dead-letters", *arguments),
        env={**os.environ, "OPSTRAIL_URL": url, "OPSTRAIL_KEY": key, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )


def told(system: Opstrail, *arguments: str) -> Any:
    ended = command(system, *arguments, "--json")
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_a_dead_letter_is_found_shown_and_resent_and_log_order_still_decides(
    system: Opstrail,
) -> None:
    """No dead letter of today's reasons can be mended: the log's past stays as it is."""
    workspace = new_workspace()
    first = run(workspace)
    early = {**first, "finished_at": "2026-03-24T10:01:00Z", "started_at": "2026-03-24T09:00:00Z"}
    user = User(system)
    user.send(first)
    user.send({**early, "block": "other"})
    before = user.timeline(workspace=workspace)

    (listed,) = told(system, "list", "--workspace", workspace)["items"]
    shown = told(system, "show", listed["id"])
    refused = command(system, "resend", listed["id"])
    answer = told(system, "resend", listed["id"], "--force")
    user.wait_for(answer["position"])

    assert listed["reason"] == "conflicting_snapshot"
    assert (shown["event"]["block"], shown["actor"]) == ("other", "admin")
    assert shown["source"]["topic"] == topics.EVENTS
    assert refused.returncode == 1
    assert "?force=true" in refused.stderr
    newest, oldest = told(system, "list", "--workspace", workspace)["items"]
    assert (listed["resent_at"], listed["resent_position"]) == (None, None)
    assert oldest["resent_at"] == newest["received_at"]
    assert oldest == {
        **listed,
        "resent_at": oldest["resent_at"],
        "resent_position": answer["position"],
    }
    assert newest["resent_at"] is None
    same = ("workspace", "kind", "record_id", "reason", "detail", "actor", "key_id", "event")
    assert {name: newest[name] for name in same} == {name: listed[name] for name in same}
    assert newest["received_at"] > listed["received_at"]
    assert user.timeline(workspace=workspace) == before
    history = user.get(f"/v1/records/action_run/{first['id']}/history")["items"]
    assert [item["dead_reason"] for item in history] == [None, *["conflicting_snapshot"] * 2]
    table = command(system, "list", "--workspace", workspace).stdout
    assert listed["id"] in table
    assert max(map(len, table.splitlines())) <= 80


def test_who_resent_what_is_on_record_as_a_change(system: Opstrail) -> None:
    workspace = new_workspace()
    event = run(workspace)
    user = User(system)
    user.send(event, {**event, "block": "other"})
    (listed,) = told(system, "list", "--workspace", workspace)["items"]
    told(system, "resend", listed["id"], "--force")

    operation = "POST /v1/dead-letters/{place}/resend"

    def on_record() -> list[Any]:
        items = user.get("/v1/access-log", operation=operation, limit="1000")["items"]
        return [each for each in items if each["target"]["path"] == {"place": listed["id"]}]

    wait_until(lambda: bool(on_record()), timeout_s=WAIT_S, what="the access log")
    (access,) = on_record()
    assert (access["action"], access["actor"]) == ("write", "admin")


def poison(topic: str) -> list[bytes | None]:
    """Messages that nobody can read: from nothing to one that ends too early."""
    header = _CODECS[topic]._header
    return [
        *(None, b"", b"\x00", b"not Avro at all", b"\xc3\x01" + b"unknown!" + b"x" * 64),
        *(header, header + b"\xff" * 64, header + b"\x02a" + b"\x00" * 8),
    ]


def test_what_nobody_can_read_stops_no_partition_of_no_topic(
    system: Opstrail, tmp_path: Path
) -> None:
    user = User(system)
    user.send(run(new_workspace()))
    kept = _poisoned(system)
    # So many that each partition gets some.
    good = [run(new_workspace()) for _ in range(8 * PARTITIONS)]
    user.send(*good)
    user.get("/v1/workspaces", limit="7")

    assert {event["id"] for event in good} <= {entry["id"] for entry in user.timeline()}
    wait_until(
        lambda: bool(user.get("/v1/access-log", operation="GET /v1/workspaces")["items"]),
        timeout_s=WAIT_S,
        what="the access log",
    )
    assert user.get("/v1/dead-letters", reason="conflicting_snapshot", limit="1000")["items"]
    assert b"not Avro" not in user.ask("/v1/dead-letters", limit="1000").content
    letters = list(kept)
    assert_shown_to_the_operator(system, letters, tmp_path)
    for letter, value in letters:
        assert letter["content"] == value
        assert letter["topic"] == topics.EVENTS
        assert letter["detail"].startswith("envelope: ")
        assert letter["organization"] == ""


def test_what_a_newer_version_reads_is_put_on_the_log_again_by_the_operator(
    system: Opstrail,
) -> None:
    """As after an upgrade: the letter is of a message that this version can read."""
    if not isinstance(system, DistributedOpstrail):
        pytest.skip("the folder belongs to the running process; see tests/opstrail/commands")
    workspace, event = new_workspace(), run("")
    user = User(system)
    sender = user.get("/v1/principals")["items"][0]
    fields = {"id": event["id"], "block": "nginx", "action": "deploy"}
    envelope = Envelope(
        sender=Sender(
            organization="default",
            actor=sender["name"],
            actor_kind=sender["kind"],
            key_id="key-1",
        ),
        workspace=workspace,
        received_at=1_774_346_400_000_000,
        events=[Event("action_run", {**fields, "started_at": 1_774_346_400_000_000})],
    )
    error, offset = UndecodableError("envelope: unknown schema"), 2**40
    letter = undecodable_letter(encode_envelope(envelope), error, partition=1, offset=offset)

    async def keep() -> None:
        bootstrap = system.variables["OPSTRAIL_KAFKA_BOOTSTRAP"]
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
        async with producer:
            await producer.send_and_wait(topics.DEAD_LETTERS, DEAD_LETTER_CODEC.encode(letter))

    asyncio.run(keep())
    listed = json.loads(_locally(system, "list", "--undecodable", "--limit", "1000", "--json"))
    (item,) = [each for each in listed["items"] if each["id"] == f"1-{offset}"]
    assert item["is_readable_now"]
    for _ in range(2):
        assert "on the log again" in _locally(system, "resend", item["id"])

    wait_until(lambda: bool(user.timeline(workspace=workspace)), timeout_s=WAIT_S, what="the run")
    (entry,) = user.timeline(workspace=workspace)
    assert (entry["id"], entry["actor"]) == (event["id"], sender["name"])


def assert_shown_to_the_operator(
    system: Opstrail, letters: list[tuple[dict[str, Any], bytes]], folder: Path
) -> None:
    """By `opstrail dead-letters` on the server's machine, without a key."""
    listed = json.loads(_locally(system, "list", "--undecodable", "--limit", "1000", "--json"))
    by_place = {item["id"]: item for item in listed["items"]}
    for letter, value in letters:
        item = by_place[f"{letter['partition']}-{letter['offset']}"]
        assert (item["bytes"], item["detail"]) == (len(value), letter["detail"])
        assert item["found_at"] or item["received_after"]
        assert not item["is_readable_now"]
    assert len(by_place) == len(listed["items"])
    table = _locally(system, "list", "--undecodable", "--limit", "1000")
    assert max(map(len, table.splitlines())) <= 80
    assert "not Avro" not in table
    letter, value = next(each for each in letters if each[1] == b"not Avro at all")
    place, raw = f"{letter['partition']}-{letter['offset']}", folder / "message.bin"
    text = _locally(system, "show", place, "--raw", str(raw))
    assert raw.read_bytes() == value
    assert raw.stat().st_mode & 0o777 == 0o600
    assert letter["detail"] in text
    assert "not Avro" not in text


def _locally(system: Opstrail, *arguments: str) -> str:
    if isinstance(system, DistributedOpstrail):
        where: list[str] = []
        variables = system.variables
    else:
        assert isinstance(system, EmbeddedOpstrail)
        where = ["--data-dir", str(system.folder / "data")]
        variables = {}
    ended = subprocess.run(
        opstrail("dead-letters", *arguments, *where),
        env={**os.environ, **variables, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def _poisoned(system: Opstrail) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Writes into every partition; what came of those on audit.events, and what they were."""
    if isinstance(system, DistributedOpstrail):
        bootstrap = system.variables["OPSTRAIL_KAFKA_BOOTSTRAP"]
        poisoned = asyncio.run(_poison_kafka(bootstrap))
    else:
        assert isinstance(system, EmbeddedOpstrail)
        folder = system.folder / "data"
        poisoned = _poison_sqlite(folder)

    def kept() -> Iterator[tuple[dict[str, Any], bytes]]:
        """Once all is done."""
        letters = (
            asyncio.run(_kafka_letters(bootstrap))
            if isinstance(system, DistributedOpstrail)
            else _sqlite_letters(folder)
        )
        by_place = {(each["partition"], each["offset"]): each for each in letters}
        for place, value in poisoned.items():
            yield by_place[place], value

    return kept()


async def _poison_kafka(bootstrap: str) -> dict[tuple[int, int], bytes]:
    """What now stands on audit.events, by partition and offset."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    poisoned: dict[tuple[int, int], bytes] = {}
    try:
        for topic in _CODECS:
            for partition in range(PARTITIONS):
                for key, value in itertools.product((None, b"nobody/nothing"), poison(topic)):
                    if key is not None or value is not None:  # the client wants one of them
                        sent = await producer.send_and_wait(
                            topic, value, key=key, partition=partition
                        )
                        if topic == topics.EVENTS:
                            poisoned[sent.partition, sent.offset] = value or b""
    finally:
        await producer.stop()
    return poisoned


async def _kafka_letters(bootstrap: str) -> list[dict[str, Any]]:
    """Others may have been on the broker before."""
    partitions = [TopicPartition(topics.DEAD_LETTERS, number) for number in range(PARTITIONS)]
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    letters: list[dict[str, Any]] = []
    try:
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        for partition in partitions:
            consumer.seek(partition, 0)  # not "the beginning", which it may forget for the end
        while any([await consumer.position(each) < end for each, end in ends.items()]):
            for messages in (await consumer.getmany(timeout_ms=500)).values():
                letters += [DEAD_LETTER_CODEC.decode(message.value) for message in messages]
    finally:
        await consumer.stop()
    return letters


def _poison_sqlite(folder: Path) -> dict[tuple[int, int], bytes]:
    """The same for the embedded logs."""
    poisoned: dict[tuple[int, int], bytes] = {}
    for name, topic in (("log.db", topics.EVENTS), ("access.db", topics.ACCESS)):
        with contextlib.closing(sqlite3.connect(folder / name, timeout=WAIT_S)) as log, log:
            for value in poison(topic):
                sql = "INSERT INTO envelopes (message) VALUES (?)"
                offset = log.execute(sql, [value or b""]).lastrowid
                if topic == topics.EVENTS:
                    poisoned[0, offset or 0] = value or b""
    return poisoned


def _sqlite_letters(folder: Path) -> list[dict[str, Any]]:
    with contextlib.closing(sqlite3.connect(folder / "correlate.db", timeout=WAIT_S)) as state:
        rows = state.execute("SELECT letter FROM dead_letters").fetchall()
    return [DEAD_LETTER_CODEC.decode(letter) for (letter,) in rows]
