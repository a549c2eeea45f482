"""A running installation of either mode as the rig sees it, with what its store can be asked."""

import urllib.error
import urllib.parse
import urllib.request
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from tests.faults.fast_clock import FastClock
from tests.faults.worker import Supervisor, Worker
from tests.support import clickhouse_service, kafka_service, postgres_service
from tests.support.opstrail import PARTITIONS, User, initialized, new_variables
from tests.support.processes import wait_until
from tests.support.services import Service

_ORGANIZATION: Final = "default"
_SQL_TIMEOUT_S: Final = 120.0
# Fewer than one answer of /v1/sql may hold.
_NUMBERS_PER_QUERY: Final = 40_000
# As readers merge revisions (timeline/store.py).
_READERS_SETTINGS: Final[Mapping[str, str]] = {
    "do_not_merge_across_partitions_select_final": "1",
    "use_skip_indexes_if_final": "0",
}


@dataclass(frozen=True, slots=True)
class Found:
    """One row a reader sees: the first eight digits of its id, and whether it is open."""

    prefix: str
    is_open: bool


class System(ABC):
    """Its workers run and are kept running until `close`."""

    clock: FastClock
    admin_key: str
    partitions: int
    workers: list[Worker]

    @property
    @abstractmethod
    def sending_urls(self) -> list[str]: ...

    @property
    @abstractmethod
    def reading_url(self) -> str: ...

    @property
    def sending_url(self) -> str:
        return self.sending_urls[0]

    @abstractmethod
    def ids(self, sender: int, low: int, high: int) -> Mapping[str, int]:
        """Prefix of each id from number `low` to below `high` on the timeline, how often."""

    @abstractmethod
    def everything(self, senders: Sequence[int], numbers: int) -> Iterator[tuple[str, list[Found]]]:
        """What each way of reading shows of all records, by its name; twice what is there twice."""

    @abstractmethod
    def close(self) -> None:
        """End all it started."""

    def log_tail(self) -> str:
        """What each worker said last."""
        return "\n".join(f"== {worker.name}\n{worker.log_tail()}" for worker in self.workers)

    def of_kind(self, kind: str) -> list[Worker]:
        return [worker for worker in self.workers if worker.kind == kind]

    def new_key(self, principal: str, kind: str) -> str:
        """A key that may send, of a new principal."""
        return make_key(User(self), self.reading_url, principal, kind)

    def _stop_workers(self) -> None:
        # At once: each takes its time to leave its group.
        with ThreadPoolExecutor(len(self.workers)) as pool:
            list(pool.map(Worker.remove, self.workers))


def make_key(user: User, url: str, principal: str, kind: str) -> str:
    post = user._http.post
    made = post(f"{url}/v1/principals", json={"name": principal, "kind": kind})
    assert made.status_code == 201, made.text
    key = post(f"{url}/v1/keys", json={"principal": principal, "name": "f", "roles": ["submit"]})
    assert key.status_code == 201, key.text
    return str(key.json()["key"])


class Distributed(System):
    """Two of ingest, correlate and sink, one query, on services of its own."""

    partitions = PARTITIONS

    def __init__(self, folder: Path, clock: FastClock, *, horizon_hours: int) -> None:
        self.clock = clock
        self.workers = []
        with ExitStack() as opened:
            self.kafka: Final = _started(kafka_service.program(), opened)
            self.clickhouse: Final = _started(clickhouse_service.program(), opened)
            self.postgres: Final = _started(postgres_service.program(), opened)
            variables = {
                **new_variables(
                    folder,
                    kafka=self.kafka.address,
                    clickhouse=self.clickhouse.address,
                    postgres=self.postgres.address,
                ),
                "OPSTRAIL_HORIZON_HOURS": str(horizon_hours),
                "OPSTRAIL_SINK_WAIT_MS": "1000",  # few large inserts: two cores do it all
            }
            self._database: Final = variables["OPSTRAIL_CLICKHOUSE_DATABASE"]
            self.admin_key = initialized(variables).stdout.strip()
            for kind, letters in (("ingest", "ab"), ("correlate", "abc"), ("sink", "abc")):
                for letter in letters:
                    self.workers.append(
                        Worker(kind, letter, folder=folder, variables=variables, clock=clock)
                    )
            self.workers.append(
                Worker("query", "a", folder=folder, variables=variables, clock=clock)
            )
            self._supervisor: Final = Supervisor(lambda: self.workers)
            opened.callback(self._stop_workers)
            opened.callback(self._supervisor.stop)
            for worker in self.workers:
                if not worker.name.endswith("-c"):
                    worker.start()
            self._supervisor.start()
            for worker in (*self.of_kind("ingest"), *self.of_kind("query")):
                wait_until(
                    lambda worker=worker: "listening on" in worker.log_tail(10_000),  # type: ignore[misc]
                    timeout_s=60,
                    what=f"{worker.name} to listen",
                )
            self._opened: Final = opened.pop_all()

    @property
    def sending_urls(self) -> list[str]:
        return [worker.url for worker in self.of_kind("ingest")]

    @property
    def reading_url(self) -> str:
        return self.of_kind("query")[0].url

    def services(self) -> dict[str, Service]:
        return {"Kafka": self.kafka, "ClickHouse": self.clickhouse, "PostgreSQL": self.postgres}

    def ids(self, sender: int, low: int, high: int) -> Mapping[str, int]:
        # The only table in which a range of ids is found without reading all of it.
        rows = self._query(
            "SELECT substring(id, 1, 8), uniqExact(kind, workspace, occurred_at) FROM entry_ids"
            f" WHERE organization = '{_ORGANIZATION}'"
            f" AND id >= '{sender:02x}{low:06x}' AND id < '{sender:02x}{high:06x}' GROUP BY id"
        )
        return {prefix: int(count) for prefix, count in rows}

    def everything(self, senders: Sequence[int], numbers: int) -> Iterator[tuple[str, list[Found]]]:
        for table in ("entries", "entry_times"):
            rows = self._query(
                "SELECT substring(id, 1, 8), is_open FROM"
                f" {table} FINAL WHERE organization = '{_ORGANIZATION}'"
            )
            yield table, [Found(prefix, is_open == "true") for prefix, is_open in rows]

    def close(self) -> None:
        self._opened.close()

    def _query(self, sql: str) -> list[list[str]]:
        parts = urlsplit(self.clickhouse.address)
        named = urllib.parse.urlencode(
            {
                "user": unquote(parts.username or "default"),
                "database": self._database,
                **_READERS_SETTINGS,
            }
        )
        url = f"http://{parts.hostname}:{parts.port}/?{named}"
        try:
            with urllib.request.urlopen(url, sql.encode(), timeout=_SQL_TIMEOUT_S) as answer:
                text = answer.read().decode()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"ClickHouse: {error.read().decode()[:500]}") from error
        return [line.split("\t") for line in text.splitlines()]


class Embedded(System):
    """`opstrail up` on a folder."""

    partitions = 1

    def __init__(self, folder: Path, clock: FastClock, *, horizon_hours: int) -> None:
        self.clock = clock
        self.data: Final = folder / "up"
        variables = {"OPSTRAIL_HORIZON_HOURS": str(horizon_hours)}
        self.up: Final = Worker("up", "a", folder=folder, variables=variables, clock=clock)
        self.workers = [self.up]
        self._supervisor: Final = Supervisor(lambda: self.workers)
        try:
            self.up.start_and_wait()
        except BaseException:
            self.up.remove()
            raise
        self.admin_key = (self.data / "admin.key").read_text().strip()
        self._user: Final = User(self)
        self._supervisor.start()

    @property
    def sending_urls(self) -> list[str]:
        return [self.up.url]

    @property
    def reading_url(self) -> str:
        return self.up.url

    def ids(self, sender: int, low: int, high: int) -> Mapping[str, int]:
        return Counter(str(prefix) for prefix, _ in self._rows(sender, low, high))

    def everything(self, senders: Sequence[int], numbers: int) -> Iterator[tuple[str, list[Found]]]:
        yield (
            "timeline",
            [
                Found(str(prefix), bool(is_open))
                for sender in senders
                for low in range(0, numbers, _NUMBERS_PER_QUERY)
                for prefix, is_open in self._rows(sender, low, low + _NUMBERS_PER_QUERY)
            ],
        )

    def close(self) -> None:
        self._supervisor.stop()
        self.up.remove()

    def _rows(self, sender: int, low: int, high: int) -> list[list[Any]]:
        query = (
            "SELECT substring(id, 1, 8), ended_at IS NULL AND kind != 'workspace_sync'"
            " FROM timeline WHERE id >= {low:String} AND id < {high:String}"
        )
        between = {"low": f"{sender:02x}{low:06x}", "high": f"{sender:02x}{high:06x}"}
        answer = self._user._http.post(
            f"{self.reading_url}/v1/sql", json={"query": query, "parameters": between}
        )
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert not found["truncated"], "more rows than one answer holds"
        rows: list[list[Any]] = found["rows"]
        return rows


def _started(service: Service, opened: ExitStack) -> Service:
    opened.callback(service.close)
    service.start()
    return service
