"""The services that other tests rely on really answer, and can be disturbed and brought back."""

import asyncio
import os
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import clickhouse_connect
import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from clickhouse_connect.driver.exceptions import DatabaseError

from tests.support import clickhouse_service as clickhouse
from tests.support import kafka_service as kafka
from tests.support import postgres_service as postgres
from tests.support.postgres_service import libpq_url
from tests.support.processes import ChildProcess, ProcessError
from tests.support.services import MISSING, Recipe, Service, find, require

ANSWER_TIMEOUT_S = 30


def unique(prefix: str) -> str:
    return f"{prefix}_{uuid.uuid4().hex[:8]}"


async def create_topic(bootstrap: str) -> str:
    topic = unique("services")
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()
    return topic


async def produce(bootstrap: str, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True)
    await producer.start()
    try:
        await asyncio.wait_for(producer.send_and_wait(topic, value), ANSWER_TIMEOUT_S)
    finally:
        await producer.stop()


async def consume_one(bootstrap: str, topic: str) -> bytes | None:
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=unique("group"),
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        message = await asyncio.wait_for(consumer.getone(), ANSWER_TIMEOUT_S)
    finally:
        await consumer.stop()
    value: bytes | None = message.value
    return value


def test_kafka_gives_back_to_a_group_what_was_produced(kafka_bootstrap: str) -> None:
    async def round_trip() -> bytes | None:
        topic = await create_topic(kafka_bootstrap)
        await produce(kafka_bootstrap, topic, b"hello")
        return await consume_one(kafka_bootstrap, topic)

    assert asyncio.run(round_trip()) == b"hello"


def test_kafka_keeps_its_address_and_data_when_killed(kafka_service: Service) -> None:
    bootstrap = kafka_service.address

    async def kill_between_produce_and_consume() -> bytes | None:
        topic = await create_topic(bootstrap)
        await produce(bootstrap, topic, b"kept")
        await asyncio.to_thread(kafka_service.kill)
        await asyncio.to_thread(kafka_service.start)
        return await consume_one(bootstrap, topic)

    assert asyncio.run(kill_between_produce_and_consume()) == b"kept"


def test_clickhouse_is_no_older_than_the_product_supports(clickhouse_url: str) -> None:
    with clickhouse_connect.get_client(dsn=clickhouse_url) as client:
        version = str(client.command("SELECT version()"))

    assert tuple(map(int, version.split(".")[:2])) >= (25, 8)


def test_clickhouse_drops_a_second_insert_under_the_same_token(clickhouse_url: str) -> None:
    database = unique("services")
    with clickhouse_connect.get_client(dsn=clickhouse_url) as client:
        client.command(f"CREATE DATABASE {database}")
        client.command(
            f"CREATE TABLE {database}.numbers (n UInt32) ENGINE = MergeTree ORDER BY n"
            " SETTINGS non_replicated_deduplication_window = 100"
        )
        settings = {"async_insert": 0, "insert_deduplicate": 1, "insert_deduplication_token": "t-1"}
        for _ in range(2):
            client.insert(
                "numbers", [[1], [2]], column_names=["n"], database=database, settings=settings
            )

        rows = client.query(f"SELECT n FROM {database}.numbers ORDER BY n").result_rows
        client.command(f"DROP DATABASE {database}")

    assert list(rows) == [(1,), (2,)]


def test_clickhouse_reader_reads_and_changes_nothing(clickhouse_reader_url: str) -> None:
    with clickhouse_connect.get_client(dsn=clickhouse_reader_url) as client:
        assert client.command("SELECT currentUser()") == "reader"
        with pytest.raises(DatabaseError, match=r"READONLY|readonly|Code: 164"):
            client.command(f"CREATE DATABASE {unique('refused')}")


def test_clickhouse_keeps_its_address_and_data_when_killed(clickhouse_service: Service) -> None:
    database = unique("services")
    with clickhouse_connect.get_client(dsn=clickhouse_service.address) as client:
        client.command(f"CREATE DATABASE {database}")

    clickhouse_service.kill()
    clickhouse_service.start()

    with clickhouse_connect.get_client(dsn=clickhouse_service.address) as client:
        assert client.command(f"EXISTS DATABASE {database}") == 1
        client.command(f"DROP DATABASE {database}")


def test_postgres_answers(postgres_url: str) -> None:
    with psycopg.connect(libpq_url(postgres_url)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_postgres_keeps_its_address_and_data_when_killed(postgres_service: Service) -> None:
    table = unique("services")
    url = libpq_url(postgres_service.address)
    with psycopg.connect(url) as connection:
        connection.execute(f"CREATE TABLE {table} (n int)")

    postgres_service.kill()
    postgres_service.start()

    with psycopg.connect(url) as connection:
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
        connection.execute(f"DROP TABLE {table}")


@pytest.mark.parametrize("name", ["kafka_service", "clickhouse_service", "postgres_service"])
def test_a_paused_service_is_silent_until_it_is_resumed(
    name: str, request: pytest.FixtureRequest
) -> None:
    service: Service = request.getfixturevalue(name)
    answers = {
        "Kafka": kafka.answers,
        "ClickHouse": clickhouse.answers,
        "PostgreSQL": postgres.answers,
    }[service.name]

    service.pause()
    try:
        assert not answers(service.address)
    finally:
        service.resume()

    assert answers(service.address)


def test_a_paused_postgres_is_silent_on_connections_it_had(postgres_service: Service) -> None:
    with (
        psycopg.connect(libpq_url(postgres_service.address)) as connection,
        ThreadPoolExecutor(1) as thread,
    ):
        postgres_service.pause()
        try:
            query = thread.submit(connection.execute, "SELECT 1")
            with pytest.raises(TimeoutError):
                query.result(timeout=0.5)
        finally:
            postgres_service.resume()

        assert query.result(ANSWER_TIMEOUT_S).fetchone() == (1,)


@pytest.mark.parametrize("name", ["kafka_service", "clickhouse_service", "postgres_service"])
def test_a_service_restarts_in_order(name: str, request: pytest.FixtureRequest) -> None:
    service: Service = request.getfixturevalue(name)

    service.restart()  # returns only when it answers


def test_an_address_in_the_environment_wins_and_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(kafka.VARIABLE, "kafka.example:9092")

    service = find(kafka.RECIPE)

    assert (service.address, service.source) == ("kafka.example:9092", "environment")


def missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """A service that cannot be had on this machine."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.delenv(kafka.VARIABLE, raising=False)
    return Recipe(
        name=kafka.NAME, variable=kafka.VARIABLE, container=kafka.program, program=kafka.program
    )


def test_a_missing_service_skips_with_what_is_missing_and_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = missing(tmp_path, monkeypatch)
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("OPSTRAIL_REQUIRE_SERVICES", raising=False)

    with pytest.raises(
        pytest.skip.Exception, match=rf"{MISSING}: Kafka: .*Java.*Set {recipe.variable}"
    ):
        require(recipe)


@pytest.mark.parametrize(("name", "value"), [("CI", "true"), ("OPSTRAIL_REQUIRE_SERVICES", "1")])
def test_a_missing_service_fails_where_skipping_is_not_allowed(
    name: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = missing(tmp_path, monkeypatch)
    monkeypatch.setenv(name, value)

    with pytest.raises(pytest.fail.Exception, match=MISSING):
        require(recipe)


def test_a_child_that_ends_early_shows_its_log(tmp_path: Path) -> None:
    child = ChildProcess(["sh", "-c", "echo gone wrong"], folder=tmp_path, log=tmp_path / "log")
    child.start()

    with pytest.raises(ProcessError, match="gone wrong"):
        child.wait_until(lambda: False, timeout_s=10, what="nothing")
    child.kill()


def test_a_child_that_ignores_the_request_to_stop_is_killed(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    child = ChildProcess(
        ["sh", "-c", f"trap '' TERM INT; touch {ready}; while :; do sleep 0.05; done"],
        folder=tmp_path,
        log=tmp_path / "log",
    )
    child.start()
    child.wait_until(ready.exists, timeout_s=10, what="its trap")
    pid = child.pid

    child.stop(timeout_s=0.2)

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
