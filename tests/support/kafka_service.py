"""Kafka 4.1, one broker in KRaft mode: from an address, in a container, or from its jars on Java.

Topics are never created by use, so a missing one is an error as in production.
"""

import asyncio
import base64
import os
import re
import shutil
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from tests.support.ports import HOST, free_port, free_ports, is_listening
from tests.support.processes import ChildProcess
from tests.support.services import (
    DOWNLOAD_TIMEOUT_S,
    DockerService,
    ProgramService,
    Recipe,
    Service,
    ServiceMissingError,
    cached,
    data_folder,
    run_tool,
)

NAME = "Kafka"
VARIABLE = "OPSTRAIL_TEST_KAFKA_BOOTSTRAP"
KAFKA_VERSION = "4.1.0"
JAVA_VERSION_MIN = 17  # of a 4.x broker
JAVA_TIMEOUT_S = 60.0
START_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_MS = 3_000

# Kafka's published pom brings no logging backend, and this broker wants the slf4j 1.7 binding.
_POM = f"""<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>opstrail.tests</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <properties><kafka.version>{KAFKA_VERSION}</kafka.version></properties>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>${{kafka.version}}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j-impl</artifactId>
      <version>2.24.3</version>
    </dependency>
  </dependencies>
</project>
"""

# It lives for minutes and works little: compiling it well takes longer than that saves.
_QUICK_START = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")

# Of one broker alone, started for a moment: everything once, and no waiting for more members.
_SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    # A killed broker may come back only when its old session ended: 9 s by default.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "auto.create.topics.enable": "false",
    "num.partitions": "4",
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """More listeners than the plain one, each named after its protocol."""

    ports: Mapping[str, int]
    settings: Mapping[str, str]
    scram: Sequence[str]  # users, as the storage tool wants them


NO_DOORS = Doors(ports={}, settings={}, scram=())


def program(doors: Doors = NO_DOORS) -> Service:
    """A broker from its jars, not yet started. Raises ServiceMissingError without Java or jars."""
    java = _java()
    jars = cached(f"kafka-{KAFKA_VERSION}", _download) / "libs"
    port, controller_port = free_ports(2)
    with data_folder("kafka") as folder:
        settings = folder / "server.properties"
        settings.write_text(_properties(_program_settings(folder, port, controller_port, doors)))
        storage_tool = ["kafka.tools.StorageTool", "format", "-t", _cluster_id()]
        for user in doors.scram:
            storage_tool += ["--add-scram", user]
        run_tool(
            [java, *_QUICK_START, "-cp", f"{jars}/*", *storage_tool, "-c", settings],
            folder=folder,
            timeout_s=JAVA_TIMEOUT_S,
        )
    return ProgramService(
        NAME,
        address=f"{HOST}:{port}",
        ports=[port, controller_port, *doors.ports.values()],
        folder=folder,
        process=ChildProcess(
            [java, *_QUICK_START, "-Xmx512m", "-cp", f"{jars}/*", "kafka.Kafka", str(settings)],
            folder=folder,
            log=folder / "kafka.log",
        ),
        answers=answers,
        start_timeout_s=START_TIMEOUT_S,
    )


def container() -> Service:
    """A broker in a container, not yet started."""
    port = free_port()
    settings = {
        **_SETTINGS,
        "controller.quorum.voters": "1@127.0.0.1:9093",
        # Two doors: the broker calls itself too, and inside the container `port` is not open.
        "listeners": "PLAINTEXT://:9092,INSIDE://127.0.0.1:9094,CONTROLLER://127.0.0.1:9093",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port},INSIDE://127.0.0.1:9094",
        "listener.security.protocol.map": (
            "PLAINTEXT:PLAINTEXT,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT"
        ),
        "inter.broker.listener.name": "INSIDE",
    }
    variables = {
        "KAFKA_" + name.upper().replace(".", "_"): value for name, value in settings.items()
    }
    return DockerService(
        NAME,
        address=f"{HOST}:{port}",
        image=f"apache/kafka:{KAFKA_VERSION}",
        ports=(9092, port),
        variables={**variables, "KAFKA_HEAP_OPTS": "-Xmx512m"},
        answers=answers,
    )


RECIPE = Recipe(name=NAME, variable=VARIABLE, container=container, program=program)


def answers(bootstrap: str) -> bool:
    """Whether the broker at `bootstrap`, one `host:port` of ours, can be used. Never raises.

    May be called with an event loop running: the client gets a thread and a loop of its own.
    """
    # The client logs each refused connection, and takes time that the starting broker needs.
    if not is_listening(int(bootstrap.rpartition(":")[2])):
        return False
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, _has_brokers(bootstrap)).result()


async def _has_brokers(bootstrap: str) -> bool:
    client = AIOKafkaClient(bootstrap_servers=bootstrap, request_timeout_ms=ANSWER_TIMEOUT_MS)
    try:
        await client.bootstrap()
        return bool(client.cluster.brokers())
    except (KafkaError, OSError):
        return False
    finally:
        await client.close()


def _java() -> str:
    """The `java` to run. Raises ServiceMissingError when there is none, or it is too old."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which(str(Path(home, "bin", "java")) if home else "java")
    if java is None:
        raise ServiceMissingError(f"Java {JAVA_VERSION_MIN} or newer is not installed")
    said = run_tool([java, "-version"], folder=Path.cwd(), timeout_s=JAVA_TIMEOUT_S)
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < JAVA_VERSION_MIN:
        raise ServiceMissingError(f"Java is older than {JAVA_VERSION_MIN}")
    return java


def _download(folder: Path) -> None:
    pom = folder / "pom.xml"
    pom.write_text(_POM)
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={folder / 'libs'}"]
    run_tool(["mvn", "-B", "-q", "-f", pom, *goal], folder=folder, timeout_s=DOWNLOAD_TIMEOUT_S)


def _cluster_id() -> str:
    # A leading dash would be read as an option of the storage tool.
    return "A" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]


def _program_settings(
    folder: Path, port: int, controller_port: int, doors: Doors
) -> dict[str, str]:
    open_doors = {"PLAINTEXT": port, **doors.ports}
    clients = ",".join(f"{name}://{HOST}:{number}" for name, number in open_doors.items())
    protocols = ",".join(f"{name}:{name}" for name in open_doors)
    return {
        **_SETTINGS,
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        "listeners": f"{clients},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": clients,
        "listener.security.protocol.map": f"{protocols},CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": str(folder / "logs"),
        **doors.settings,
    }


def _properties(settings: dict[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in settings.items())
