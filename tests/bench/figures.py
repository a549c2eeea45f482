"""What a benchmark found: figures with their spread, on the screen, as JSON and in the docs."""

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

_PAGE: Final = Path("docs/performance.md")


@dataclass(frozen=True, slots=True)
class Figure:
    """Milliseconds over the repetitions; `target` for the 95th percentile."""

    name: str
    least: float
    median: float
    p95: float
    most: float
    target: float

    @property
    def is_reached(self) -> bool:
        return self.p95 <= self.target


def figure(name: str, times_ms: Sequence[float], target_ms: float) -> Figure:
    """From the times of the repetitions, warm-up left out. At least five."""
    assert len(times_ms) >= 5, f"{name}: too few repetitions"
    ordered = sorted(times_ms)
    # The smallest time that at least 95 % of the repetitions did not exceed.
    p95 = ordered[-(-len(ordered) * 95 // 100) - 1]
    return Figure(name, ordered[0], statistics.median(ordered), p95, ordered[-1], target_ms)


def write_report(
    name: str,
    figures: Sequence[Figure],
    *,
    about: str,
    folder: Path,
    is_for_docs: bool,
    console: Console,
) -> None:
    """Print a table, keep `{name}.json` in `folder`; in the docs too when asked."""
    machine = machine_line()
    table = Table("question", *(f"{each} ms" for each in ("min", "median", "p95", "max", "target")))
    for each in figures:
        style = "" if each.is_reached else "bold red"
        table.add_row(each.name, *_numbers(each), style=style)
    console.print(table)
    console.print(f"{about}\n{machine}")
    found = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "about": about,
        "machine": machine,
        "figures": [asdict(each) for each in figures],
    }
    (folder / f"{name}.json").write_text(json.dumps(found, indent=2) + "\n")
    if is_for_docs:
        write_section(name, _markdown(figures, f"{about}.\n{machine}."))


def _numbers(each: Figure) -> list[str]:
    return [f"{value:.0f}" for value in (each.least, each.median, each.p95, each.most, each.target)]


def machine_line() -> str:
    """For the reader of a table."""
    load = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()},"
        f" load {load:.1f} at the end"
    )


def _markdown(figures: Sequence[Figure], about: str) -> str:
    lines = [
        about,
        "",
        "| question | min ms | median ms | p95 ms | max ms | target ms (p95) | reached |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {each.name} | {' | '.join(_numbers(each))} | {'yes' if each.is_reached else 'no'} |"
        for each in figures
    ]
    return "\n".join(lines)


def write_section(name: str, text: str) -> None:
    """Between the two marks of this name on the page."""
    first, last = f"<!-- bench {name} -->", f"<!-- end of bench {name} -->"
    before, _, rest = _PAGE.read_text().partition(first)
    _, _, after = rest.partition(last)
    _PAGE.write_text(f"{before}{first}\n\n{text}\n\n{last}{after}")
