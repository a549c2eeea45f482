"""The access log when things go wrong: sudden death after an answer, and a log that is away."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.support.opstrail import EmbeddedOpstrail, User, opstrail
from tests.support.ports import HOST, free_port
from tests.support.processes import ChildProcess, wait_until

KILLS = 4
WAIT_S = 30.0
QUICK = {"OPSTRAIL_APPEND_TIMEOUT_S": "1"}
EVENT = {
    "type": "ssh_session",
    "id": "c5f4411d-641a-4b0a-8ee6-291d1c725c20",
    "workspace": "acme",
    "host": {"inventory_name": "a-host-nobody-may-see"},
    "started_at": "2026-03-24T10:00:00Z",
}


def limits_asked(user: User, **filters: str) -> list[list[str]]:
    """The `limit` of each reading of the timeline on record, the newest first."""
    items = user.get("/v1/access-log", operation="GET /v1/timeline", limit="1000", **filters)[
        "items"
    ]
    return [item["target"]["query"]["limit"] for item in items]


def test_an_answer_that_was_given_is_on_record_after_kill_9(tmp_path: Path) -> None:
    system = EmbeddedOpstrail(tmp_path)
    try:
        for number in range(1, KILLS + 1):
            assert User(system).ask("/v1/timeline", limit=str(number)).status_code == 200
            system.process.kill()
            system.start()

            wait_until(
                lambda: len(limits_asked(User(system))) >= number,  # noqa: B023
                timeout_s=WAIT_S,
                what="the reading before the kill",
                poll_s=0.3,
            )

        expected = [[str(number)] for number in range(KILLS, 0, -1)]
        assert limits_asked(User(system)) == expected
    finally:
        system.close()


def test_an_embedded_log_that_is_away_shows_nothing_until_it_is_back(tmp_path: Path) -> None:
    system = EmbeddedOpstrail(tmp_path, QUICK)
    try:
        user = User(system)
        user.send(EVENT)
        with _locked(tmp_path / "data" / "access.db"):
            for path in ("/v1/timeline", f"/v1/cases/ssh_session/{EVENT['id']}"):
                refused = user.ask(path)
                assert refused.status_code == 503, refused.text
                assert refused.json()["type"].endswith(":access_log_unavailable")
                assert "nobody-may-see" not in refused.text
            # Who sends does not wait for who reads.
            user.send({**EVENT, "ended_at": "2026-03-24T10:05:00Z"}, wait=False)

        wait_until(
            lambda: user.ask("/v1/timeline").status_code == 200,
            timeout_s=WAIT_S,
            what="an answer, with the log back",
        )
    finally:
        system.close()


def test_without_kafka_a_query_process_shows_nothing(tmp_path: Path, clickhouse_url: str) -> None:
    embedded = EmbeddedOpstrail(tmp_path)
    key = embedded.admin_key
    embedded.close()
    process = ChildProcess(
        opstrail("query"),
        folder=tmp_path,
        log=tmp_path / "query.log",
        variables={
            **QUICK,
            "OPSTRAIL_KAFKA_BOOTSTRAP": f"{HOST}:{free_port()}",
            "OPSTRAIL_CLICKHOUSE_URL": clickhouse_url,
            "OPSTRAIL_CLICKHOUSE_DATABASE": "opstrail_away",
            "OPSTRAIL_CONTROL_URL": f"sqlite:///{tmp_path / 'data' / 'control.db'}",
            "OPSTRAIL_PORT": "0",
        },
    )
    process.start()
    try:
        process.wait_until(lambda: "listening on" in process.output, timeout_s=60, what="query")
        url = process.output.split("listening on ")[1].split()[0]

        answer = _ask(f"{url}/v1/keys", key)

        assert answer.status_code == 503, answer.text
        assert answer.json()["type"].endswith(":access_log_unavailable")
        assert "key-" not in answer.text
        assert _ask(f"{url}/v1/keys", "nobody").status_code == 401
        assert "access_log" in _ask(f"{url}/readyz", key).text
    finally:
        process.stop()


def test_failed_authentications_are_on_record_after_a_clean_stop(tmp_path: Path) -> None:
    system = EmbeddedOpstrail(tmp_path)
    try:
        for _ in range(3):
            assert _ask(f"{system.url}/v1/timeline", "nobody").status_code == 401
        assert httpx.post(f"{system.url}/v1/events", json=EVENT).status_code == 401
        system.process.stop()
        system.start()

        def counts() -> dict[str, int]:
            items: list[dict[str, Any]] = User(system).get(
                "/v1/access-log", installation="true", action="authentication_failed"
            )["items"]
            return {item["target"]["reason"]: item["count"] for item in items}

        wait_until(lambda: len(counts()) == 2, timeout_s=WAIT_S, what="the counts", poll_s=0.3)
        assert counts() == {"malformed_key": 3, "no_key": 1}
    finally:
        system.close()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Nobody else can write to this database."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def _ask(url: str, key: str) -> httpx.Response:
    return httpx.get(url, headers={"Authorization": f"Bearer {key}"}, timeout=60)
