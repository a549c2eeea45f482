"""What a bench measured: every repetition, kept as JSON, from which the page is made.

Must stay true: a result holds all that the page says of it, so the page can be written anew from
the files alone.
"""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeAlias

from rich.console import Console
from rich.table import Table

from tests.bench.machine import Machine
from tests.support.services import REPOSITORY

RESULTS: Final = REPOSITORY / ".cache" / "bench" / "results"
REPETITIONS_MIN: Final = 5

Case: TypeAlias = dict[str, str | int]


@dataclass(frozen=True, slots=True)
class Measured:
    """One cell: `values` has a number for each repetition. `case` is the row it stands in."""

    table: str
    case: Case
    what: str
    unit: str
    values: list[float]

    @property
    def least(self) -> float:
        return min(self.values)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def most(self) -> float:
        return max(self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Lines of one table: `what` over the case's `along`, a line for each value of `lines`."""

    table: str
    what: str
    along: str
    lines: str
    is_log_along: bool = True
    is_log_up: bool = False


@dataclass(slots=True)
class Result:
    """Of one bench. `profiles` has the top lines of what it was busy with, by process or case.

    `only_plotted` are tables that are too long to read.
    """

    name: str
    about: str
    machine: Machine
    measured: list[Measured] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    only_plotted: list[str] = field(default_factory=list)
    profiles: dict[str, list[str]] = field(default_factory=dict)
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def add(self, table: str, case: Case, what: str, unit: str, values: Sequence[float]) -> None:
        """Keep one cell. At least five repetitions."""
        assert len(values) >= REPETITIONS_MIN, f"{table}, {what}: too few repetitions"
        self.measured.append(Measured(table, case, what, unit, list(values)))

    def add_once(self, table: str, case: Case, what: str, unit: str, value: float) -> None:
        """Keep what has no spread: it follows from the input, such as a size."""
        self.measured.append(Measured(table, case, what, unit, [value]))

    def tables(self) -> list[str]:
        """The names of all, also of those that are only plotted."""
        return list(dict.fromkeys(each.table for each in self.measured))

    def find(self, table: str, what: str, case: Case) -> Measured | None:
        """The cell whose case holds all of `case`."""
        for each in self.measured:
            if (each.table, each.what) == (table, what) and case.items() <= each.case.items():
                return each
        return None


def save(result: Result, folder: Path = RESULTS) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(result), indent=1)
    # Whole or not at all: who interrupts a run keeps the last one.
    draft = folder / f"{result.name}.json.part"
    draft.write_text(text + "\n")
    draft.replace(folder / f"{result.name}.json")


def load(name: str, folder: Path = RESULTS) -> Result | None:
    """None: this bench has not run here."""
    path = folder / f"{name}.json"
    if not path.exists():
        return None
    kept = json.loads(path.read_text())
    return Result(
        name=kept["name"],
        about=kept["about"],
        machine=Machine(**{**kept["machine"], "load": tuple(kept["machine"]["load"])}),
        measured=[Measured(**each) for each in kept["measured"]],
        plots=[Plot(**each) for each in kept["plots"]],
        only_plotted=kept["only_plotted"],
        profiles=kept["profiles"],
        at=kept["at"],
    )


def rows(result: Result, table: str) -> tuple[list[str], list[list[str]]]:
    """Heading and cells of one table: `median (least to most)` for what was measured."""
    cells = [each for each in result.measured if each.table == table]
    keys = list(dict.fromkeys(key for each in cells for key in each.case))
    whats = list(dict.fromkeys((each.what, each.unit) for each in cells))
    by_case: dict[str, list[Measured]] = {}
    for each in cells:
        by_case.setdefault(json.dumps(each.case), []).append(each)
    found = []
    for group in by_case.values():
        by_what = {(each.what, each.unit): each for each in group}
        row = [_text(group[0].case.get(key, "")) for key in keys]
        found.append([*row, *(_spread(by_what.get(what)) for what in whats)])
    return [*keys, *(f"{what}, {unit}" if unit else what for what, unit in whats)], found


def number(value: float) -> str:
    """Three digits, and all of those before the point."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def show(result: Result, console: Console) -> None:
    for name in result.tables():
        if name in result.only_plotted:
            continue
        heading, cells = rows(result, name)
        table = Table(*heading, title=name)
        for row in cells:
            table.add_row(*row)
        console.print(table)


def _text(value: str | int) -> str:
    return f"{value:,}" if isinstance(value, int) else value


def _spread(measured: Measured | None) -> str:
    if measured is None:
        return ""
    if measured.least == measured.most:
        return number(measured.median)
    return f"{number(measured.median)} ({number(measured.least)} to {number(measured.most)})"
