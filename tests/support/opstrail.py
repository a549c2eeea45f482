"""The product as its users run it: real processes of the command line, embedded or distributed."""

import contextlib
import os
import re
import ssl
import subprocess
import sys
import uuid
import weakref
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Protocol

import httpx
import psycopg

from tests.support.postgres_service import libpq_url
from tests.support.processes import ChildProcess, ProcessError

_START_TIMEOUT_S = 60.0
_VISIBLE_WAIT_S = 60.0
_LISTENING = re.compile(r"listening on (http://\S+)")
_KEY = re.compile(r"\bopstrail_[0-9A-Za-z]{38}\b")
PARTITIONS = 4

# Trusts nobody. To read the system's CAs takes 40 ms, and tests make clients by the hundred.
PLAIN_HTTP: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

Event = dict[str, Any]


def opstrail(*arguments: str) -> list[str]:
    """The command line of one of our commands, in the Python the tests run in."""
    return [sys.executable, "-c", "from opstrail.main import main; main()", *arguments]


class Opstrail(Protocol):
    """A running installation."""

    admin_key: str

    @property
    def sending_url(self) -> str: ...
    @property
    def reading_url(self) -> str: ...
    def log_tail(self) -> str: ...
    def close(self) -> None: ...


class EmbeddedOpstrail:
    """`opstrail up` on a folder; may be killed and started again."""

    def __init__(self, folder: Path, variables: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.process = ChildProcess(
            opstrail("up", "--data-dir", str(folder / "data"), "--port", "0"),
            folder=folder,
            log=folder / "up.log",
            variables=variables,
        )
        self.url = ""
        self.start()
        self.admin_key = (folder / "data" / "admin.key").read_text().strip()

    @property
    def sending_url(self) -> str:
        return self.url

    @property
    def reading_url(self) -> str:
        return self.url

    def start(self) -> None:
        """Start and wait until it answers."""
        before = len(_LISTENING.findall(self.process.output))
        self.process.start()
        self.url = _address(self.process, before)

    def log_tail(self) -> str:
        """What it said last."""
        return self.process.log_tail()

    def close(self) -> None:
        self.process.stop()


def new_variables(folder: Path, *, kafka: str, clickhouse: str, postgres: str) -> dict[str, str]:
    """Settings of an installation on these services, with databases of its own."""
    name = f"opstrail_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(libpq_url(postgres), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return {
        "OPSTRAIL_KAFKA_BOOTSTRAP": kafka,
        "OPSTRAIL_CLICKHOUSE_URL": clickhouse,
        "OPSTRAIL_CLICKHOUSE_DATABASE": name,
        "OPSTRAIL_CONTROL_URL": postgres.rsplit("/", 1)[0] + f"/{name}",
        "OPSTRAIL_PARTITIONS": str(PARTITIONS),
        "OPSTRAIL_PORT": "0",
        "OPSTRAIL_SINK_WAIT_MS": "100",
        "OPSTRAIL_DATA_DIR": str(folder / "data"),
    }


def initialized(variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """`opstrail init` with these settings; it prints the first admin key. Raises ProcessError."""
    init = subprocess.run(
        opstrail("init"),
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=_START_TIMEOUT_S,
        check=False,
    )
    if init.returncode != 0:
        raise ProcessError(f"opstrail init ended with {init.returncode}: {init.stderr[-2000:]}")
    return init


class DistributedOpstrail:
    """`init`, then ingest, correlate, sink and query, on real services.

    Topic names are fixed, so one broker serves one installation at a time; the ClickHouse and the
    control database are its own.
    """

    def __init__(self, folder: Path, *, kafka: str, clickhouse: str, postgres: str) -> None:
        self.folder = folder
        self.variables = new_variables(
            folder, kafka=kafka, clickhouse=clickhouse, postgres=postgres
        )
        init = initialized(self.variables)
        self.admin_key = init.stdout.strip()
        self.init_output = init.stdout + init.stderr
        self.processes = {
            name: self._process(name) for name in ("ingest", "correlate", "sink", "query")
        }
        for process in self.processes.values():
            process.start()
        self.sending = _address(self.processes["ingest"], 0)
        self.reading = _address(self.processes["query"], 0)

    @property
    def sending_url(self) -> str:
        return self.sending

    @property
    def reading_url(self) -> str:
        return self.reading

    def log_tail(self) -> str:
        """What each process said last."""
        return "\n".join(
            f"== {name}\n{process.log_tail()}" for name, process in self.processes.items()
        )

    def close(self) -> None:
        # At once: each takes its time to leave its group.
        with ThreadPoolExecutor(len(self.processes)) as pool:
            list(pool.map(ChildProcess.stop, self.processes.values()))

    def _process(self, command: str) -> ChildProcess:
        return ChildProcess(
            opstrail(command),
            folder=self.folder,
            log=self.folder / f"{command}.log",
            variables=self.variables,
        )


MODES: Final = ("embedded", "distributed")


@contextlib.contextmanager
def running(
    mode: str, folder: Path, address_of: Callable[[str], str]
) -> Iterator[EmbeddedOpstrail | DistributedOpstrail]:
    """An installation of this mode. `address_of` is pytest's `getfixturevalue`."""
    system: EmbeddedOpstrail | DistributedOpstrail
    if mode == "embedded":
        system = EmbeddedOpstrail(folder)
    else:
        system = DistributedOpstrail(
            folder,
            kafka=address_of("kafka_bootstrap"),
            clickhouse=address_of("clickhouse_url"),
            postgres=address_of("postgres_url"),
        )
    try:
        yield system
    finally:
        system.close()


class User:
    """Somebody with a key who sends and reads by HTTP."""

    def __init__(self, system: Opstrail, key: str | None = None) -> None:
        self._system = system
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {key or system.admin_key}"},
            timeout=60,
            verify=PLAIN_HTTP,
        )
        # Tests make many of these in passing.
        weakref.finalize(self, self._http.close)

    def send(self, *events: Event, wait: bool = True) -> dict[str, Any]:
        """Send events in one request, and wait until the timeline shows them."""
        answer = self._http.post(f"{self._system.sending_url}/v1/events", json=list(events))
        assert answer.status_code == 202, answer.text
        body: dict[str, Any] = answer.json()
        if wait:
            self.wait_for(body["position"])
        return body

    def send_lines(self, lines: bytes) -> dict[str, Any]:
        """Send NDJSON; do not wait."""
        answer = self._http.post(
            f"{self._system.sending_url}/v1/events",
            content=lines,
            headers={"Content-Type": "application/x-ndjson"},
        )
        assert answer.status_code == 202, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def wait_for(self, position: str) -> None:
        """Return when the timeline holds what was sent."""
        for _ in range(int(_VISIBLE_WAIT_S / 10)):
            if self.get(f"/v1/positions/{position}", wait_s="10")["visible"]:
                return
        raise AssertionError(
            f"not visible after {_VISIBLE_WAIT_S:g} s; the logs end:\n{self._system.log_tail()}"
        )

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        """The JSON body of a successful GET; `from_` stands for `from`."""
        answer = self.ask(path, **params)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def ask(self, path: str, **params: Any) -> httpx.Response:
        named = {name.rstrip("_"): value for name, value in params.items()}
        return self._http.get(f"{self._system.reading_url}{path}", params=named)

    def timeline(self, **filters: Any) -> list[dict[str, Any]]:
        """All items of the timeline, page by page, the oldest first."""
        items: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            page = self.get("/v1/timeline", order="asc", limit="1000", **filters, **cursor)
            items += page["items"]
            if page["next_cursor"] is None:
                return items
            cursor = {"cursor": page["next_cursor"]}

    def close(self) -> None:
        self._http.close()


def _address(process: ChildProcess, known: int) -> str:
    """The address a process says it listens on, after `known` earlier ones."""
    process.wait_until(
        lambda: len(_LISTENING.findall(process.output)) > known,
        timeout_s=_START_TIMEOUT_S,
        what="its address",
    )
    address: str = _LISTENING.findall(process.output)[-1]
    return address


def leaked_keys(text: str) -> list[str]:
    """Every API key in a text."""
    return _KEY.findall(text)
