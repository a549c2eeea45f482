"""`opstrail rebuild`: the timeline anew from all that was received, beside the living one."""

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from opstrail.output import write_json
from opstrail.progress_bar import rate_progress
from opstrail.rebuild_report import RebuildReport
from opstrail.rebuilding import abandon, drop_generations, rebuild
from opstrail.screen import harmless
from processors.rebuild import RebuildProgress
from runtime.errors import EXIT_REFUSED
from runtime.settings import Settings

_FIRST_LINE_S: Final = 1.0
_LINE_EVERY_S: Final = 5.0
_STOPPED: Final = (
    "stopped; what is made so far is read by nobody. The same command goes on with it; --abandon"
    " gives it up"
)


@click.command("rebuild")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder of `opstrail up`.")
@click.option(
    "--accept-loss",
    is_flag=True,
    help="Switch although the rebuilt timeline lacks something that the living one has.",
)
@click.option("--abandon", "is_abandoned", is_flag=True, help="Give up a rebuild that was begun.")
@click.option(
    "--drop-old",
    "is_old_dropped",
    is_flag=True,
    help="Drop the timelines before this one.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def command(
    settings: Settings,
    data_dir: Path | None,
    accept_loss: bool,
    is_abandoned: bool,
    is_old_dropped: bool,
    as_json: bool,
) -> None:
    """Compute the timeline anew from all that was received, check it, and switch to it.

    It is made beside the living one, which readers have until then. What the log no longer holds
    comes from the received events that the living one keeps. Stopped or broken off, the same
    command goes on. Of `opstrail up`, while that is stopped.

    \b
    Example:  opstrail rebuild
              opstrail rebuild --drop-old
    """
    if is_abandoned and is_old_dropped:
        raise click.UsageError("--abandon and --drop-old exclude each other")
    if data_dir is not None:
        settings = settings.model_copy(update={"data_dir": data_dir})
    if is_abandoned or is_old_dropped:
        _drop(settings, is_abandoned=is_abandoned, as_json=as_json)
        return
    with rate_progress(is_shown=sys.stderr.isatty() and not as_json) as bar:
        task = bar.add_task("rebuilding", total=None)
        lines = None if as_json or sys.stderr.isatty() else ProgressLines()

        def told(progress: RebuildProgress) -> None:
            bar.update(task, completed=progress.done, total=progress.total)
            if lines is not None:
                lines.tell(progress)

        try:
            report = asyncio.run(rebuild(settings, told, is_loss_accepted=accept_loss))
        except KeyboardInterrupt:
            report = None
    if report is not None and as_json:
        write_json(report.json())
    if report is None or report.is_stopped:
        click.echo(_STOPPED, err=True)
    elif not as_json:
        _tell(report)
    if report is None or not report.is_living:
        sys.exit(EXIT_REFUSED)


class ProgressLines:
    """Where there is no terminal: a line now and then."""

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s: Final = monotonic_s
        self._started_s: Final = monotonic_s()
        self._told_s = self._started_s + _FIRST_LINE_S - _LINE_EVERY_S
        self._is_over = False

    def tell(self, progress: RebuildProgress) -> None:
        now_s = self._monotonic_s()
        is_over = progress.done >= progress.total
        if self._is_over or (now_s - self._told_s < _LINE_EVERY_S and not is_over):
            return
        self._told_s, self._is_over = now_s, is_over
        rate = progress.done / max(now_s - self._started_s, 0.001)
        left_s = (progress.total - progress.done) / max(rate, 0.001)
        click.echo(
            f"{progress.done:,} of {progress.total:,} messages, {rate:,.0f}/s,"
            f" {left_s:,.0f} s left",
            err=True,
        )


def _tell(report: RebuildReport) -> None:
    click.echo(f"generation {report.generation}: {report.messages:,} messages of the log")
    if report.from_snapshots:
        click.echo(f"{report.from_snapshots:,} of them from what is kept of received events")
    for line in report.difference_lines():
        click.echo(harmless(line))
    for line in [*report.faults(), *report.losses()]:
        click.echo(f"NOT WHOLE: {line}", err=True)
    if report.is_living:
        click.echo(f"generation {report.generation} is what is read now;")
        click.echo("`opstrail rebuild --drop-old` frees the room of the one before")
        return
    way = "--accept-loss switches all the same, " if not report.faults() else ""
    click.echo(
        f"not switched: readers have generation {report.before} as before. The same command looks"
        f" again, {way}--abandon gives the new one up",
        err=True,
    )


def _drop(settings: Settings, *, is_abandoned: bool, as_json: bool) -> None:
    dropped = asyncio.run(abandon(settings) if is_abandoned else drop_generations(settings))
    if as_json:
        write_json({"dropped": dropped})
    elif dropped:
        click.echo(f"dropped: generation {', '.join(map(str, dropped))}")
    else:
        click.echo("nothing to drop")
