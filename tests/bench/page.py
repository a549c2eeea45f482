"""`python -m tests.bench.page`: writes docs/performance.md and its plots from the last results.

Must stay true: only what stands between the marks of a bench is written; the rest is by hand.
"""

from typing import Final

from tests.bench.figures import write_section
from tests.bench.machine import Machine
from tests.bench.plot import Line, Point, svg
from tests.bench.result import Plot, Result, load, rows
from tests.bench.target import target_rows
from tests.support.services import REPOSITORY

BENCHES: Final = ("ingest", "core", "pipeline", "size", "memory")
PLOTS: Final = REPOSITORY / "docs" / "performance"


def write_page() -> None:
    """All benches that have run here, and the targets. Raises OSError."""
    results = {name: found for name in BENCHES if (found := load(name)) is not None}
    PLOTS.mkdir(exist_ok=True)
    for name, result in results.items():
        write_section(name, _section(result))
    write_section("targets", _targets(results))


def _targets(results: dict[str, Result]) -> str:
    lines = [
        "| what | target | measured | least to most | reached |",
        "|---|---|---|---|---|",
    ]
    for row in target_rows(results):
        cells = (row.what, row.target, row.measured, row.spread, row.reached)
        lines.append(f"| {' | '.join(cells)} |")
    for name, result in results.items():
        lines += ["", f"{name.capitalize()}: {_when(result)}."]
    machines = [result.machine for result in results.values()]
    if machines:
        lines += ["", _machine(machines[-1])]
    return "\n".join(lines)


def _section(result: Result) -> str:
    parts = [result.about, f"{_when(result)}."]
    for name in result.tables():
        if name not in result.only_plotted:
            parts.append(f"**{name}**")
            parts.append(_markdown(*rows(result, name)))
        for plot in result.plots:
            if plot.table == name:
                parts += _plot(result, plot)
    for name, lines in result.profiles.items():
        shown = "\n".join(line.rstrip() for line in lines)
        parts.append(f"What it was busy with, {name}:")
        parts.append(f"```text\n{shown}\n```")
    return "\n\n".join(parts)


def _when(result: Result) -> str:
    one, five, _ = result.machine.load
    return (
        f"Measured {result.at[:16].replace('T', ' ')} UTC; load average before the run {one:.1f}"
        f" (1 min), {five:.1f} (5 min)"
    )


def _machine(machine: Machine) -> str:
    packages = ", ".join(f"{name} {number}" for name, number in machine.packages.items())
    return (
        f"{machine.cores} cores ({machine.processor}), {machine.memory_gib:.0f} GiB,"
        f" {machine.system}, Python {machine.python}, {machine.java}; {packages}."
    )


def _markdown(heading: list[str], cells: list[list[str]]) -> str:
    lines = [f"| {' | '.join(heading)} |", "|" + "---|" * len(heading)]
    lines += [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join(lines)


def _plot(result: Result, plot: Plot) -> list[str]:
    """The picture's line on the page, its file written; nothing when there is nothing to draw."""
    by_line: dict[str, list[Point]] = {}
    unit = ""
    for each in result.measured:
        if (each.table, each.what) != (plot.table, plot.what) or plot.along not in each.case:
            continue
        unit = each.unit
        name = _line_name(each.case, plot)
        x = float(each.case[plot.along])
        by_line.setdefault(name, []).append(Point(x, each.median, each.least, each.most))
    if not by_line:
        return []
    title = f"{plot.what}, {unit}" if unit else plot.what
    file = PLOTS / f"{result.name}-{plot.what}-{plot.along}.svg".replace(" ", "-").replace("/", "-")
    lines = [Line(name, points) for name, points in by_line.items()]
    picture = svg(title, plot.along, lines, is_log_x=plot.is_log_along, is_log_y=plot.is_log_up)
    file.write_text(picture)
    return [f"![{title} over {plot.along}](performance/{file.name})"]


def _line_name(case: dict[str, str | int], plot: Plot) -> str:
    """With the number of processes where there are several."""
    name = str(case.get(plot.lines, ""))
    processes = case.get("processes", 1)
    return f"{name}, {processes} processes" if processes != 1 else name


if __name__ == "__main__":
    write_page()
