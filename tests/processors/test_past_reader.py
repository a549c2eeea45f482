"""What memory let go of, read back from a real store: chDB and a ClickHouse server."""

import asyncio
import uuid
from dataclasses import replace

import pytest

import processors.workspace
from processors.horizon import Horizon
from processors.past import PastMissingError, SyncsOf
from processors.past_reader import PastReader
from processors.stage import Outcome
from tests.simulation.core import LOST_AFTER_US, Core, requests_of
from tests.simulation.histories import mixed_history
from tests.simulation.oracle import Delivery
from tests.timeline.stores import named_store
from timeline.store import Store
from timeline.writer import EntryWriter

HORIZON_US = 26 * 3_600_000_000
HORIZON = Horizon(longest_us=HORIZON_US, least_us=HORIZON_US, records_max=1_000_000)
ROUNDS_MAX = 40


@pytest.fixture(params=["embedded", "server"])
def store(request: pytest.FixtureRequest) -> Store:
    url = request.getfixturevalue("clickhouse_url") if request.param == "server" else ""
    return named_store(request.param, url)


class StoredCore(Core):
    """A core that lets go after every tenth message of what the store holds by then."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.writer = EntryWriter(store)
        self.reader = PastReader(lambda: store, lost_after_us=LOST_AFTER_US)
        self.reads = 0
        self.most = 0
        self._outcomes: list[Outcome] = []

    def outcome(self, offset: int) -> Outcome:
        for _ in range(ROUNDS_MAX):
            try:
                self._outcomes.append(super().outcome(offset))
            except PastMissingError as missing:
                self.reads += 1
                stored = asyncio.run(self.reader.read(missing.needed))
                self.stage.supply(0, missing.needed, stored)
            else:
                return self._outcomes[-1]
        raise AssertionError("asks again and again")

    def handle(self, offset: int) -> None:
        super().handle(offset)
        self.most = max(self.most, self.stage.facts)
        if len(self._outcomes) < 10:
            return
        batches = [{**batch, "is_last": False} for each in self._outcomes for batch in each.batches]
        self._outcomes.clear()
        asyncio.run(self.writer.insert(batches, token=uuid.uuid4().hex))  # type: ignore[arg-type]
        for key, row in self.stage.evict(
            0,
            horizon=HORIZON,
            inserted_offset=offset,
            load_row=self.table.get,
            rows_min=1,
        ):
            if row is None:
                self.table.pop(key)
            else:
                self.table[key] = row


@pytest.fixture(autouse=True)
def one_last_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that those of the other CLI instances and commits are asked for."""
    monkeypatch.setattr(processors.workspace, "LAST_SYNCS_MAX", dict.fromkeys(SyncsOf, 1))


def test_links_are_the_same_whether_neighbours_come_from_memory_or_from_the_store(
    store: Store,
) -> None:
    organization = f"org-{uuid.uuid4().hex}"
    deliveries: list[Delivery] = [
        replace(each, organization=organization) for each in mixed_history(seed=11, count=500)
    ]
    kept, stored = Core(), StoredCore(store)
    for number, request in enumerate(requests_of(deliveries, 50)):
        kept.send(request)
        stored.send(request)
        if number % 40 == 20:
            stored.crash()

    assert stored.timeline() == kept.timeline()
    assert stored.reads > 5
    assert stored.most < kept.stage.facts / 2
