"""What is to be reached, and what of it was: the rows of the target table.

Source: "Speed to reach" of the design. The median of the repetitions counts.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.bench.core import BY_FACTS
from tests.bench.ingest import EMBEDDED, KAFKA
from tests.bench.ingest import TABLE as ACCEPTING
from tests.bench.memory import TABLE as MEMORY
from tests.bench.pipeline import LATENCY, SUSTAINED
from tests.bench.result import RESULTS, Case, Measured, Result, number
from tests.bench.sent_events import USUAL_EVENTS_PER_HOUR
from tests.bench.size import TOTALS

_READ_ROWS: Final = 50_000_000
_NOT_MEASURED: Final = "not measured"
_READ_QUESTIONS: Final = ("a workspace's day", "a host's sessions", "one case")


@dataclass(frozen=True, slots=True)
class TargetRow:
    """As it stands on the page. `reached` is empty when nothing was measured."""

    what: str
    target: str
    measured: str
    spread: str
    reached: str


@dataclass(frozen=True, slots=True)
class _Target:
    what: str
    bound: float
    unit: str
    is_least: bool
    bench: str
    table: str
    measured: str
    case: Case

    def row(self, results: Mapping[str, Result]) -> TargetRow:
        target = f"{'≥' if self.is_least else '≤'} {self.bound:,g} {self.unit}"
        result = results.get(self.bench)
        found = result.find(self.table, self.measured, self.case) if result else None
        if found is None:
            return TargetRow(self.what, target, _NOT_MEASURED, "", "")
        is_reached = found.median >= self.bound if self.is_least else found.median <= self.bound
        return TargetRow(self.what, target, number(found.median), _spread(found), _word(is_reached))


def _accepting(server: str, batch: int) -> Case:
    return {"server": server, "processes": 1, "batch": batch}


_DISTRIBUTED: Final = "distributed, 1 correlate"
_TARGETS: Final[Sequence[_Target]] = (
    *(
        _Target(
            f"accepted durably, batches of 100, {mode}",
            bound,
            "events/s",
            True,
            "ingest",
            ACCEPTING,
            "events",
            _accepting(server, 100),
        )
        for mode, server, bound in (("Kafka", KAFKA, 50_000), ("embedded", EMBEDDED, 30_000))
    ),
    *(
        _Target(
            f"accepted to queryable, sustained, {system}",
            bound,
            "events/s",
            True,
            "pipeline",
            SUSTAINED,
            "events",
            {"system": system},
        )
        for system, bound in (
            (_DISTRIBUTED, 20_000),
            ("distributed, 2 correlates", 20_000),
            ("embedded", 10_000),
        )
    ),
    *(
        _Target(
            f"accepted to queryable at 2,000 events/s, p99, {system}",
            2,
            "s",
            False,
            "pipeline",
            LATENCY,
            "p99",
            {"system": system, "of the highest": "target"},
        )
        for system in (_DISTRIBUTED, "embedded")
    ),
    _Target(
        "one event per request, 32 connections, Kafka",
        5_000,
        "requests/s",
        True,
        "ingest",
        ACCEPTING,
        "requests",
        _accepting(KAFKA, 1),
    ),
    _Target(
        "the same, p99",
        20,
        "ms",
        False,
        "ingest",
        ACCEPTING,
        "p99",
        _accepting(KAFKA, 1),
    ),
    _Target(
        "correlation core alone, 100,000 facts",
        40_000,
        "events/s",
        True,
        "core",
        BY_FACTS,
        "events a second",
        {"facts": 100_000},
    ),
)
_MEMORY_MB: Final = 300
_SIZE_BYTES: Final = 100


def target_rows(results: Mapping[str, Result]) -> list[TargetRow]:
    """All of them, measured or not."""
    rows = [target.row(results) for target in _TARGETS]
    rows.append(_core_growth(results.get("core")))
    rows.append(
        _Target(
            "stored size after merge, all tables",
            _SIZE_BYTES,
            "B/event",
            False,
            "size",
            TOTALS,
            "ClickHouse",
            {"events an hour": USUAL_EVENTS_PER_HOUR, "round": 5},
        ).row(results)
    )
    rows += [_read_row(question) for question in _READ_QUESTIONS]
    for process in ("ingest-1", "correlate-1", "sink-1"):
        target = _Target(
            f"memory of {process.partition('-')[0]} at full load",
            _MEMORY_MB,
            "MB",
            False,
            "memory",
            MEMORY,
            "memory",
            {"process": process},
        )
        rows.append(target.row(results))
    return rows


def _core_growth(core: Result | None) -> TargetRow:
    what = "the core's cost per event, most facts against fewest"
    cells = [
        each
        for each in (core.measured if core else ())
        if (each.table, each.what) == (BY_FACTS, "CPU")
    ]
    if len(cells) < 2:
        return TargetRow(what, "flat to logarithmic", _NOT_MEASURED, "", "")
    facts: Callable[[Measured], int] = lambda each: int(each.case["facts"])  # noqa: E731
    few, many = min(cells, key=facts), max(cells, key=facts)
    bound = math.log(facts(many)) / math.log(facts(few))
    ratio = many.median / few.median
    return TargetRow(
        f"{what} ({facts(many):,} to {facts(few):,})",
        f"≤ {bound:.2f} times",
        f"{ratio:.2f}",
        f"{many.least / few.most:.2f} to {many.most / few.least:.2f}",
        _word(ratio <= bound),
    )


def _read_row(question: str) -> TargetRow:
    """From what the reading bench keeps: there the 95th percentile counts."""
    path = RESULTS.parent / "read.json"
    what, target = f"{question}, p95", f"≤ 100 ms at {_READ_ROWS:,} rows"
    kept: dict[str, Any] = {"figures": [], "about": ""}
    if path.exists():
        kept = json.loads(path.read_text())
    rows = kept["about"].partition(" ")[0]
    for each in kept["figures"]:
        if each["name"] == question:
            reached = _word(each["p95"] <= each["target"])
            if int(rows.replace(",", "")) < _READ_ROWS:
                reached += f", at {rows} rows"
            spread = f"{number(each['least'])} to {number(each['most'])}"
            return TargetRow(what, target, number(each["p95"]), spread, reached)
    return TargetRow(what, target, _NOT_MEASURED, "", "")


def _spread(found: Measured) -> str:
    return f"{number(found.least)} to {number(found.most)}"


def _word(is_reached: bool) -> str:
    return "yes" if is_reached else "**no**"
