"""Merges stop before the disk of the embedded store is full, and go on afterwards."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

import timeline.merges
from tests.support.processes import wait_until
from tests.timeline.stores import embedded_store
from timeline.merges import RESERVE_BYTES_MAX, MergeGuard
from timeline.store import Store

GIB = 1024**3
WAIT_S = 10.0


class Disk:
    """Of 100 GiB."""

    def __init__(self) -> None:
        self.free = 50 * GIB

    def statvfs(self, _: object) -> SimpleNamespace:
        return SimpleNamespace(f_bavail=self.free, f_frsize=1, f_blocks=100 * GIB)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr(timeline.merges, "os", SimpleNamespace(statvfs=disk.statvfs))
    return disk


class Listening:
    """A store that tells which commands it was given, and runs them."""

    def __init__(self, store: Store) -> None:
        self.told: list[str] = []
        self._store = store

    def read_now(self, work: Callable[[Any], Any]) -> Any:
        return self._store.read_now(lambda connection: work(self._heard(connection)))

    def _heard(self, connection: Any) -> SimpleNamespace:
        def command(sql: str) -> None:
            connection.command(sql)
            self.told.append(sql)

        return SimpleNamespace(command=command)


def test_nothing_is_written_while_the_disk_is_nearly_full(disk: Disk, tmp_path: Path) -> None:
    store = Listening(embedded_store())
    guard = MergeGuard(cast("Store", store), tmp_path)
    guard.start()
    try:
        assert guard.has_room()

        disk.free = RESERVE_BYTES_MAX - 1
        wait_until(lambda: not guard.has_room(), timeout_s=WAIT_S, what="the stop")
        disk.free = RESERVE_BYTES_MAX + 1  # not yet worth going on
        wait_until(lambda: len(store.told) == 1, timeout_s=WAIT_S, what="the command")
        assert not guard.has_room()

        disk.free = 2 * RESERVE_BYTES_MAX
        wait_until(lambda: guard.has_room(), timeout_s=WAIT_S, what="the start")
    finally:
        guard.stop()

    assert store.told == ["SYSTEM STOP MERGES", "SYSTEM START MERGES"]
