"""What users ask, as `make bench ONLY=read` asks it: each time about something else."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from schemas.times import format_us
from tests.bench.generated_history import (
    ACTORS,
    BEGINNING_US,
    HOSTS_PER_WORKSPACE,
    ORGANIZATION,
    WORKSPACES,
    History,
)
from timeline.statement import Statement
from timeline.store import Store

_HOUR_US: Final = 3_600_000_000
DAY_US: Final = 24 * _HOUR_US
_MONTH_US: Final = 30 * DAY_US
RecordAddress: TypeAlias = tuple[str, str]  # kind and id
# The bench takes any token.
HEADERS: Final = {"Authorization": "Bearer bench"}


@dataclass(frozen=True, slots=True)
class Question:
    """`ask` makes the request of one repetition; `target_ms` is for the 95th percentile."""

    name: str
    target_ms: float
    ask: Callable[[], tuple[str, dict[str, Any]]]
    is_export: bool = False


def some_ids(store: Store, history: History) -> list[RecordAddress]:
    """Of runs and sessions all over the history, the same ones each time."""
    statement = Statement(
        "SELECT kind, id FROM entry_ids WHERE kind != 'workspace_sync'"
        " AND organization = {organization:String}"
        " AND cityHash64(id) % {share:UInt64} = 0 LIMIT 500",
        {"organization": ORGANIZATION, "share": max(1, history.rows // 1_000)},
    )
    rows = store.read_now(lambda connection: connection.rows(statement))
    return [(str(kind), str(id_)) for kind, id_ in rows]


class Questions:
    """The questions, each time about something else; the same seed asks the same."""

    def __init__(self, history: History, ids: Sequence[RecordAddress], seed: int) -> None:
        """`ids`: the records to ask for."""
        self._history = history
        self._random = random.Random(seed)
        self._ids = ids

    def all(self) -> list[Question]:
        return [
            Question("timeline, newest page", 100, lambda: ("/v1/timeline", {})),
            Question("timeline, page at a random time", 100, self._page_at_random),
            Question("a workspace's day", 100, self._workspace_day),
            Question("a host's sessions", 100, self._host),
            Question("what one person did in a week", 100, self._actor),
            Question("failed runs, newest page", 100, self._failed),
            Question("who was active at an instant", 100, self._active),
            Question("a commit", 100, self._commit),
            Question("one record by its id", 100, self._record),
            Question("one case", 100, self._case),
            Question("incident of 8 hours, one workspace", 100, self._incident),
            Question("incident of 8 hours, all workspaces", 100, self._incident_anywhere),
            Question("summary over a month, by workspace", 500, self._summary),
            Question("deployments, newest page", 100, lambda: ("/v1/deployments", {})),
            Question("deployments of one block version", 100, self._block_version),
            Question("export of a month, first rows", 300, self._export, is_export=True),
        ]

    def _time(self, before_end_us: int = 0) -> int:
        width = self._history.end_us - BEGINNING_US - before_end_us
        return BEGINNING_US + int(self._random.random() * width)

    def _workspace(self) -> int:
        # As unevenly as the history: what is busy is asked for more often.
        return int(WORKSPACES * self._random.random() ** 2.5)

    def _period(self, width_us: int) -> dict[str, str]:
        start = self._time(width_us)
        return {"from": format_us(start), "to": format_us(start + width_us)}

    def _page_at_random(self) -> tuple[str, dict[str, Any]]:
        return "/v1/timeline", {"to": format_us(self._time())}

    def _workspace_day(self) -> tuple[str, dict[str, Any]]:
        workspace = f"workspace-{self._workspace():03}"
        return "/v1/timeline", {"workspace": workspace, **self._period(DAY_US)}

    def _host(self) -> tuple[str, dict[str, Any]]:
        number = self._random.randrange(HOSTS_PER_WORKSPACE)
        host = f"server{number}.w{self._workspace()}.example.com"
        return "/v1/ssh-sessions", {"host": host}

    def _actor(self) -> tuple[str, dict[str, Any]]:
        actor = f"user-{self._random.randrange(ACTORS)}"
        return "/v1/timeline", {"actor": actor, **self._period(7 * DAY_US)}

    def _failed(self) -> tuple[str, dict[str, Any]]:
        return "/v1/action-runs", {"status": "failed", "to": format_us(self._time())}

    def _active(self) -> tuple[str, dict[str, Any]]:
        return "/v1/timeline", {"active_at": format_us(self._time())}

    def _commit(self) -> tuple[str, dict[str, Any]]:
        return "/v1/timeline", {"commit": f"{self._random.randrange(1 << 40):010x}"}

    def _record(self) -> tuple[str, dict[str, Any]]:
        kind, id_ = self._random.choice(self._ids)
        return f"/v1/records/{kind}/{id_}", {}

    def _case(self) -> tuple[str, dict[str, Any]]:
        kind, id_ = self._random.choice(self._ids)
        return f"/v1/cases/{kind}/{id_}", {}

    def _incident(self) -> tuple[str, dict[str, Any]]:
        path, parameters = self._incident_anywhere()
        return path, {**parameters, "workspace": f"workspace-{self._workspace():03}"}

    def _incident_anywhere(self) -> tuple[str, dict[str, Any]]:
        return "/v1/incidents", {"at": format_us(self._time() + 8 * _HOUR_US), "before": "8h"}

    def _summary(self) -> tuple[str, dict[str, Any]]:
        period = self._period(_MONTH_US)
        return "/v1/action-runs/summary", {"group_by": "workspace", **period}

    def _block_version(self) -> tuple[str, dict[str, Any]]:
        number = self._random.randrange(14)
        version = f"0.{self._random.randrange(self._history.days * 6 // 40)}"
        return "/v1/deployments", {"block": f"block-{number}", "block_version": version}

    def _export(self) -> tuple[str, dict[str, Any]]:
        return "/v1/timeline", {"format": "ndjson", **self._period(_MONTH_US)}
