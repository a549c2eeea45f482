"""What a soak found: on the screen, in a log file, and as tables in docs/reliability.md."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TextIO

from tests.faults.gauges import FACTS, LAG_S, Gauges, growth
from tests.faults.trial import Outage, Summary, Trial, summaries
from tests.faults.verdict import Verdict

PAGE: Final = Path("docs/reliability.md")
_FIRST, _LAST = "<!-- soak -->", "<!-- end of soak -->"
_AROUND_S: Final = 30.0  # before and after an outage
# OPSTRAIL_APPEND_TIMEOUT_S, and what two busy cores may add.
_REFUSAL_S_MAX: Final = 10.0 + 3.0


@dataclass(slots=True)
class Progress:
    """Tells on the screen and in a file, line by line, so that a run cut short has told, too."""

    file: TextIO
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def tell(self, text: str) -> None:
        elapsed_s = (datetime.now(UTC) - self.started_at).total_seconds()
        line = f"{elapsed_s // 60:3.0f}:{elapsed_s % 60:04.1f} {text}"
        print(line, flush=True)
        self.file.write(f"{line}\n")
        self.file.flush()


@dataclass(frozen=True, slots=True)
class Part:
    """One trial that came to its end, or was cut short (`verdict` is None)."""

    mode: str
    trial: Trial
    verdict: Verdict | None
    seconds: float
    until_s: float  # of the monotonic clock, as all that was sampled

    @property
    def is_good(self) -> bool:
        return (
            self.verdict is not None
            and self.verdict.is_good
            and not self.trial.unexpected
            and not self.trial.failed_faults
            and not any(row.lost or row.doubled for row in self.trial.rows)
            and not any(each.slowest_refusal_s > _REFUSAL_S_MAX for each in self.trial.outages)
        )


def fault_table(parts: Sequence[Part]) -> list[str]:
    """Faults by kind, and all together."""
    lines = [
        "| fault | times | events sent | lost | doubled | recovery median s | most s |",
        "|---|---|---|---|---|---|---|",
    ]
    rows = [row for part in parts for row in part.trial.rows]
    lines += [_summary_line(each) for each in summaries(rows)]
    events = sum(part.trial.events for part in parts)
    lost = sum(row.lost for row in rows)
    doubled = sum(row.doubled for row in rows)
    lines.append(f"| all | {len(rows)} | {events:,} | {lost} | {doubled} | | |")
    return lines


def verdict_table(parts: Sequence[Part]) -> list[str]:
    """What stood on the timeline at the end of each trial."""
    lines = [
        (
            "| at the end | minutes | events accepted | of them records | lost | doubled |"
            " sent by nobody | dead letters | entries judged by the oracle | of them different |"
        ),
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for part in parts:
        records = sum(ledger.attempted for ledger in part.trial.ledgers)
        found = "not judged | | | | |"
        if (verdict := part.verdict) is not None:
            found = (
                f"{verdict.lost} | {verdict.doubled} | {verdict.strange} |"
                f" {verdict.dead_letters} | {verdict.judged:,} | {verdict.differing} |"
            )
        lines.append(
            f"| {part.mode} | {part.seconds / 60:.1f} | {part.trial.events:,} | {records:,} |"
            f" {found}"
        )
    return lines


def memory_table(part: Part) -> list[str]:
    """Resident memory by kind of process; what the correlation held, and the lag."""
    lines = [
        f"| {part.mode}: MiB resident | least | median | most | first third | last third |",
        "|---|---|---|---|---|---|",
    ]
    since_s = part.until_s - part.seconds
    for kind, values in growth(part.trial.gauges, since_s, part.until_s).items():
        digits = 1 if kind == LAG_S else 0
        told = " | ".join(f"{value:,.{digits}f}" for value in values)
        lines.append(f"| {kind} | {told} |")
    return lines


def outage_lines(part: Part) -> list[str]:
    """Of each long outage: what was accepted, how fast the lag grew and drained, memory."""
    lines: list[str] = []
    for outage in part.trial.outages:
        grew = outage.events / outage.seconds
        drained = outage.events / outage.drained_s
        lines += [
            f"**{outage.name} for {outage.seconds:g} s**: {outage.events:,} events got 202"
            f" meanwhile, {outage.refused} requests got 503, the slowest after"
            f" {outage.slowest_refusal_s:.1f} s."
            + (
                f" What waited grew by {grew:,.0f} events/s and drained by {drained:,.0f}"
                f" events/s: all of it could be read {outage.drained_s:.1f} s after the return."
                if outage.events
                else f" Events were accepted and could be read {outage.drained_s:.1f} s after"
                " the return."
            ),
            "",
            f"| {outage.name}, median MiB | before | meanwhile | after |",
            "|---|---|---|---|",
            *_memory_around(part.trial.gauges, outage),
            "",
        ]
    return lines


def _memory_around(gauges: Gauges, outage: Outage) -> list[str]:
    spans = (
        (outage.begun_s - _AROUND_S, outage.begun_s),
        (outage.begun_s, outage.ended_s),
        (outage.ended_s, outage.calm_s + _AROUND_S),
    )
    lines = []
    for kind in gauges.kinds():
        if kind in (FACTS, LAG_S):
            continue
        medians = [gauges.median(kind, *span) for span in spans]
        told = " | ".join("" if each is None else f"{each:,.0f}" for each in medians)
        lines.append(f"| {kind} | {told} |")
    return lines


def report(parts: Sequence[Part], about: str) -> str:
    """All tables as Markdown."""
    lines = [about, machine(), "", *fault_table(parts), "", *verdict_table(parts), ""]
    for part in parts:
        lines += [*outage_lines(part), *memory_table(part), ""]
        if restarts := part.trial.restarts:
            told = ", ".join(f"{kind}: {count}" for kind, count in sorted(restarts.items()))
            lines += [f"Ended by themselves and restarted ({part.mode}): {told}.", ""]
        if unexpected := part.trial.unexpected:
            lines += [f"Answers that no fault explains: {len(unexpected)}, {unexpected[0]}", ""]
        if failed := part.trial.failed_faults:
            lines += [f"Faults that could not be done: {', '.join(failed)}.", ""]
    return "\n".join(lines).rstrip()


def machine() -> str:
    return (
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()},"
        " everything on this machine, servers' data in memory where it has room."
    )


def write_docs(text: str) -> None:
    """Between the two marks on the page."""
    before, first, rest = PAGE.read_text().partition(_FIRST)
    _, last, after = rest.partition(_LAST)
    assert first, f"{PAGE} has no mark"
    assert last, f"{PAGE} has no mark"
    PAGE.write_text(f"{before}{_FIRST}\n\n{text}\n\n{_LAST}{after}")


def _summary_line(each: Summary) -> str:
    return (
        f"| {each.kind} | {each.times} | {each.events:,} | {each.lost} | {each.doubled} |"
        f" {each.median_s:.1f} | {each.most_s:.1f} |"
    )
