"""What the tests of cases and incidents share: counts that arrived, and how far the trail is."""

import uuid
from collections.abc import Sequence
from typing import Any

import pytest

from schemas.times import format_us
from tests.query.world import World
from tests.timeline.trail import Trail, at_us
from timeline import ddl

LAPTOP, SERVER = "cli-11111111", "cli-22222222"


def arrived(trail: Trail, instance: str, counts: dict[int, str]) -> None:
    """Events of the instance by their count, with the time of each."""
    columns: dict[str, Sequence[Any]] = {
        "organization": [trail.organization] * len(counts),
        "workspace": ["acme"] * len(counts),
        "kind": ["action_run"] * len(counts),
        "id": [str(uuid.uuid4()) for _ in counts],
        "received_at": [at_us(clock) for clock in counts.values()],
        "partition": [0] * len(counts),
        "offset": list(counts),
        "index": [0] * len(counts),
        "occurred_at": [at_us(clock) for clock in counts.values()],
        "actor": ["alice"] * len(counts),
        "actor_kind": ["person"] * len(counts),
        "key_id": ["key-1"] * len(counts),
        "cli_instance_id": [instance] * len(counts),
        "client_seq": list(counts),
        "dead_reason": [""] * len(counts),
        "event": ["{}"] * len(counts),
    }
    token = uuid.uuid4().hex
    trail.store.write_now(lambda c: c.insert(ddl.SNAPSHOTS, columns, token=token))


def promise(world: World, monkeypatch: pytest.MonkeyPatch, until: str | None) -> None:
    """The timeline is complete until then; the store's own watermark belongs to all tests."""

    async def json(partitions: int) -> dict[str, Any]:
        assert partitions == world.services.partitions
        return {"complete_until": None if until is None else format_us(at_us(until))}

    monkeypatch.setattr(world.services.watermarks, "json", json)


def numbers(entries: Sequence[Any]) -> list[int]:
    return [int(entry["id"][-12:], 16) for entry in entries]
