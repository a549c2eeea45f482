"""The embedded pipeline when a write of its own fails: a disk that is full for a moment."""

import asyncio
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import processors.embedded
from processors.embedded import EmbeddedPipeline
from processors.embedded_state import EmbeddedState
from processors.horizon import Horizon
from processors.past_reader import PastReader
from runtime.errors import LogUnavailableError
from runtime.sqlite_log import SqliteLog
from schemas.entry import TimelineBatch
from schemas.envelope import Envelope, Event, Sender
from tests.support.processes import wait_until
from tests.timeline.stores import embedded_store
from timeline.statement import Statement
from timeline.store import Store
from timeline.writer import EntryWriter, InsertCounts

LOST_AFTER_US = 24 * 3_600_000_000
ENVELOPES = 5
WAIT_S = 30.0


def envelope(organization: str, number: int) -> Envelope:
    started_at = 1_774_346_400_000_000 + number * 60_000_000
    fields = {
        "id": str(uuid.uuid4()),
        "block": "nginx",
        "action": "deploy",
        "started_at": started_at,
        "finished_at": started_at + 1_000_000,
        "exit_code": 0,
    }
    return Envelope(
        sender=Sender(organization=organization, actor="ci", actor_kind="service", key_id="key"),
        workspace="shop",
        received_at=started_at + 2_000_000,
        events=[Event("action_run", fields)],
    )


class OwnWriter(EntryWriter):
    """The store is shared with other tests, whose ranges of a log have the same tokens."""

    def __init__(self, store: Store, name: str) -> None:
        super().__init__(store)
        self._name = name

    async def insert(self, batches: Sequence[TimelineBatch], *, token: str) -> InsertCounts:
        return await super().insert(batches, token=f"{self._name}:{token}")


def failing(real: Callable[..., Any], times: int) -> Callable[..., Any]:
    left = [times]

    def call(*arguments: Any, **named: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise LogUnavailableError("the disk is full")
        return real(*arguments, **named)

    return call


def played(folder: Path, envelopes: int, horizon_us: int) -> tuple[EmbeddedPipeline, int]:
    """A pipeline that came to the end of a log and stopped; how many entries there are."""
    organization = f"org-{uuid.uuid4().hex}"
    store = embedded_store()
    log = SqliteLog(folder / "events.db", inflight_bytes_max=1 << 24)
    asyncio.run(
        log.append([envelope(organization, each) for each in range(envelopes)], timeout_s=WAIT_S)
    )
    pipeline = EmbeddedPipeline(
        log,
        folder / "correlate.db",
        OwnWriter(store, organization),
        lost_after_us=LOST_AFTER_US,
        horizon=Horizon(longest_us=horizon_us, least_us=horizon_us, records_max=1_000_000),
        past=PastReader(lambda: store, lost_after_us=LOST_AFTER_US),
        rows_max=10_000,
    )

    pipeline.start()
    wait_until(lambda: pipeline.reached >= envelopes, timeout_s=WAIT_S, what="the end of the log")
    pipeline.stop()
    log.close()

    assert pipeline.failure is None
    statement = Statement(
        "SELECT uniqExact(id) FROM entries WHERE organization = {organization:String}",
        {"organization": organization},
    )
    ((entries,),) = asyncio.run(store.rows(statement))
    return pipeline, entries


@pytest.mark.parametrize(
    ("owner", "method"),
    [(SqliteLog, "read"), (EmbeddedState, "intend"), (EmbeddedState, "inserted")],
)
def test_a_call_that_fails_for_a_moment_loses_no_entry(
    owner: type, method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processors.embedded, "_RETRY_S", 0.01)
    monkeypatch.setattr(owner, method, failing(getattr(owner, method), times=3))

    _, entries = played(tmp_path, ENVELOPES, 2 * LOST_AFTER_US)

    assert entries == ENVELOPES


def test_a_step_lets_go_of_as_much_as_it_took_in_whatever_fails_for_a_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processors.embedded, "_RETRY_S", 0.01)
    monkeypatch.setattr(EmbeddedState, "change", failing(EmbeddedState.change, times=3))
    # One a minute; what is older than an hour goes.
    pipeline, entries = played(tmp_path, 700, 3_600_000_000)

    assert entries == 700
    assert pipeline._stage.facts < 150
