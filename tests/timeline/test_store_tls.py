"""ClickHouse behind TLS: whom we speak to, and what its client is told."""

import contextlib
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect
import pytest

from runtime.errors import SettingsError, TimelineUnavailableError
from runtime.settings import load_settings
from runtime.tls import http_tls
from tests.support.certificates import Authority
from tests.support.ports import HOST
from timeline.statement import Statement
from timeline.store import open_store

PASSWORD = "hunter2-hunter2"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The arguments of every client that was asked for."""
    arguments: list[dict[str, Any]] = []

    def get_client(**stated: Any) -> None:
        arguments.append(stated)
        raise clickhouse_connect.driver.exceptions.OperationalError("away")

    monkeypatch.setattr(clickhouse_connect, "get_client", get_client)
    return arguments


def connect(**stated: Any) -> str:
    """What is said when the store does not answer."""
    store = open_store(load_settings(**stated))
    try:
        with pytest.raises(TimelineUnavailableError) as caught:
            store.read_now(lambda connection: connection.rows(Statement("SELECT 1")))
    finally:
        store.close()
    return str(caught.value)


def test_an_https_address_is_always_checked_and_by_the_ca_of_the_setting(
    told: list[dict[str, Any]], tmp_path: Path
) -> None:
    ca = Authority(tmp_path).file
    url = f"https://opstrail:{PASSWORD}@clickhouse"

    said = connect(clickhouse_url=url, clickhouse_ca_file=str(ca))
    connect(clickhouse_url=url)

    wanted = {"secure": True, "verify": True, "host": "clickhouse", "port": 8443}
    for arguments, ca_cert in zip(told, (str(ca), None), strict=True):
        assert {name: arguments[name] for name in wanted} == wanted
        assert arguments["ca_cert"] == ca_cert
    assert PASSWORD not in said


def test_the_address_for_sql_is_checked_the_same_way(tmp_path: Path) -> None:
    ca = Authority(tmp_path).file

    with pytest.raises(SettingsError, match=r"^OPSTRAIL_CLICKHOUSE_CA_FILE: has no effect"):
        open_store(
            load_settings(
                clickhouse_url="https://clickhouse",
                clickhouse_sql_url="http://clickhouse",
                clickhouse_ca_file=str(ca),
            )
        )


class _Door(socketserver.BaseRequestHandler):
    """One connection: TLS on our side, plain to ClickHouse."""

    server: "_TlsDoor"

    def handle(self) -> None:
        with (
            contextlib.suppress(OSError),
            self.server.context.wrap_socket(self.request, server_side=True) as inside,
            socket.create_connection(self.server.behind) as outside,
        ):
            back = threading.Thread(target=_pass_on, args=(outside, inside))
            back.start()
            _pass_on(inside, outside)
            back.join()


class _TlsDoor(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, context: ssl.SSLContext, behind: tuple[str, int]) -> None:
        super().__init__((HOST, 0), _Door)
        self.context = context
        self.behind = behind


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65_536):
            target.sendall(piece)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def secured_url(clickhouse_url: str, authority: Authority) -> Iterator[str]:
    """The real server, as it is reached behind TLS."""
    own = authority.certificate("server")
    context = http_tls(load_settings(tls_certificate=str(own.certificate), tls_key=str(own.key)))
    assert context is not None
    behind = urlsplit(clickhouse_url)
    with _TlsDoor(context, (behind.hostname or HOST, behind.port or 0)) as door:
        threading.Thread(target=door.serve_forever, daemon=True).start()
        login = f"{behind.username}:{behind.password or ''}"
        yield f"https://{login}@{HOST}:{door.server_address[1]}"
        door.shutdown()


def test_the_store_answers_behind_tls(secured_url: str, authority: Authority) -> None:
    settings = load_settings(
        clickhouse_url=secured_url,
        clickhouse_ca_file=str(authority.file),
        clickhouse_database="default",
    )
    store = open_store(settings)

    rows = store.read_now(lambda connection: connection.rows(Statement("SELECT 41 + 1")))

    assert rows == [(42,)]
    store.close()


def test_a_server_nobody_vouches_for_is_not_asked(secured_url: str, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger").file

    assert "OPSTRAIL_CLICKHOUSE_CA_FILE" in connect(clickhouse_url=secured_url)
    assert "OPSTRAIL_CLICKHOUSE_CA_FILE" in connect(
        clickhouse_url=secured_url, clickhouse_ca_file=str(stranger)
    )


def test_a_certificate_for_another_name_is_not_taken(
    secured_url: str, authority: Authority
) -> None:
    elsewhere = secured_url.replace(HOST, "localhost")

    assert "OPSTRAIL_CLICKHOUSE_CA_FILE" in connect(
        clickhouse_url=elsewhere, clickhouse_ca_file=str(authority.file)
    )


@pytest.mark.parametrize("content", [None, b"hello"])
def test_a_ca_file_that_cannot_be_used_is_named(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(SettingsError, match=r"^OPSTRAIL_CLICKHOUSE_CA_FILE: .*ca\.pem"):
        open_store(load_settings(clickhouse_url="https://c", clickhouse_ca_file=str(path)))
