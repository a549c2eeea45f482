"""A whole installation over TLS and with a sign-in, as its users run it."""

import json
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from runtime.errors import EXIT_UNAVAILABLE, EXIT_USAGE
from tests.support.certificates import Authority
from tests.support.opstrail import DistributedOpstrail, User, opstrail
from tests.support.processes import ChildProcess
from tests.support.secured_kafka import PASSWORD, USER, SecuredKafka, secured_kafka

_EVENT = {
    "type": "ssh_session",
    "id": "6f9c2b5e-0d5c-4f0e-9d3f-1b2a3c4d5e6f",
    "workspace": "acme-prod",
    "host": {"inventory_name": "server01"},
    "started_at": "2026-03-24T10:27:45Z",
    "ended_at": "2026-03-24T11:27:45Z",
}


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    with secured_kafka(tmp_path_factory.mktemp("secured")) as kafka:
        yield kafka


def variables(kafka: SecuredKafka, *, password: str = PASSWORD) -> dict[str, str]:
    return {
        "OPSTRAIL_KAFKA_BOOTSTRAP": kafka.bootstrap("sasl_ssl"),
        "OPSTRAIL_KAFKA_SECURITY": "sasl_ssl",
        "OPSTRAIL_KAFKA_CA_FILE": str(kafka.ca),
        "OPSTRAIL_KAFKA_USER": USER,
        "OPSTRAIL_KAFKA_PASSWORD": password,
    }


def ended(
    command: str, added: dict[str, str], folder: Path, *arguments: str
) -> "subprocess.CompletedProcess[str]":
    """One of our commands, until it ended by itself."""
    return subprocess.run(
        opstrail(command, *arguments),
        env={**os.environ, "OPSTRAIL_DATA_DIR": str(folder / "data"), **added},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def test_what_is_sent_comes_through_a_broker_with_tls_and_a_sign_in(
    kafka: SecuredKafka,
    clickhouse_url: str,
    postgres_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables(kafka).items():
        monkeypatch.setenv(name, value)
    system = DistributedOpstrail(
        tmp_path,
        kafka=kafka.bootstrap("sasl_ssl"),
        clickhouse=clickhouse_url,
        postgres=postgres_url,
    )
    try:
        user = User(system)
        user.send(_EVENT)
        (item,) = user.timeline()
        logs = "".join(process.output for process in system.processes.values())
    finally:
        system.close()

    assert item["id"] == _EVENT["id"]
    assert PASSWORD not in logs + system.init_output


@pytest.mark.parametrize("command", ["check", "correlate", "sink"])
def test_a_wrong_password_is_named_by_its_setting(
    command: str, kafka: SecuredKafka, clickhouse_url: str, tmp_path: Path
) -> None:
    wrong = "swordfish-swordfish"
    added = {**variables(kafka, password=wrong), "OPSTRAIL_CLICKHOUSE_URL": clickhouse_url}

    done = ended(command, added, tmp_path)

    said = done.stdout + done.stderr
    assert done.returncode == EXIT_UNAVAILABLE
    assert "OPSTRAIL_KAFKA_PASSWORD" in said
    assert wrong not in said


@pytest.mark.parametrize("command", ["check", "sink"])
def test_a_ca_file_that_is_not_there_stops_the_start(
    command: str, kafka: SecuredKafka, tmp_path: Path
) -> None:
    added = {
        **variables(kafka),
        "OPSTRAIL_KAFKA_CA_FILE": "missing.pem",
        "OPSTRAIL_CLICKHOUSE_URL": "http://127.0.0.1:1",
    }

    done = ended(command, added, tmp_path)

    assert done.returncode == EXIT_USAGE
    assert "OPSTRAIL_KAFKA_CA_FILE: missing.pem" in done.stderr


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def address(authority: Authority, tmp_path: Path) -> Iterator[str]:
    """Where an embedded installation answers by HTTPS."""
    own = authority.certificate("server")
    process = ChildProcess(
        opstrail("up", "--data-dir", str(tmp_path / "data"), "--port", "0"),
        folder=tmp_path,
        log=tmp_path / "up.log",
        variables={
            "OPSTRAIL_TLS_CERTIFICATE": str(own.certificate),
            "OPSTRAIL_TLS_KEY": str(own.key),
        },
    )
    process.start()
    process.wait_until(lambda: "listening on" in process.output, timeout_s=60, what="its address")
    yield process.output.partition("listening on ")[2].split()[0]
    process.stop()


def test_the_server_and_the_commands_speak_tls(
    address: str, authority: Authority, tmp_path: Path
) -> None:
    assert address.startswith("https://127.0.0.1:")
    events = tmp_path / "events.json"
    events.write_text(json.dumps(_EVENT))
    key = (tmp_path / "data" / "admin.key").read_text().strip()
    calls = {"OPSTRAIL_URL": address, "OPSTRAIL_KEY": key}

    trusting = {**calls, "OPSTRAIL_CA_FILE": str(authority.file)}
    sent = ended("send", trusting, tmp_path, str(events), "--wait", "30")
    read = ended("timeline", trusting, tmp_path, "--json")
    distrusting = ended("timeline", calls, tmp_path, "--json")

    assert sent.returncode == 0, sent.stderr
    assert str(_EVENT["id"]) in read.stdout
    assert distrusting.returncode == EXIT_UNAVAILABLE
    assert "OPSTRAIL_CA_FILE" in distrusting.stderr
    assert key not in distrusting.stderr


def test_a_certificate_for_another_name_is_not_taken(
    address: str, authority: Authority, tmp_path: Path
) -> None:
    calls = {
        "OPSTRAIL_URL": address.replace("127.0.0.1", "localhost"),
        "OPSTRAIL_KEY": "a-key",
        "OPSTRAIL_CA_FILE": str(authority.file),
    }

    done = ended("timeline", calls, tmp_path)

    assert done.returncode == EXIT_UNAVAILABLE
    assert "not trusted" in done.stderr


def test_a_plain_request_and_an_old_tls_get_nothing(address: str, authority: Authority) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(address.replace("https://", "http://") + "/healthz")

    old = ssl.create_default_context(cafile=authority.file)
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    parts = urlsplit(address)
    assert parts.hostname is not None
    with (
        socket.create_connection((parts.hostname, parts.port or 0), timeout=10) as connection,
        pytest.raises(ssl.SSLError, match=r"ALERT_PROTOCOL_VERSION|UNEXPECTED_EOF"),
    ):
        old.wrap_socket(connection, server_hostname=parts.hostname)


def test_a_certificate_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    files = {"OPSTRAIL_TLS_CERTIFICATE": "missing.pem", "OPSTRAIL_TLS_KEY": "missing.key"}

    done = ended("up", files, tmp_path, "--port", "0")

    assert done.returncode == EXIT_USAGE
    assert "OPSTRAIL_TLS_CERTIFICATE: missing.pem" in done.stderr
    assert not (tmp_path / "data").exists()
