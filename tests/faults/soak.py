"""The long form: `python -m tests.faults.soak --minutes 35 --seed 1 --write-docs`.

Must stay true:
- It ends: every wait has a limit, and whatever happens all processes are stopped.
- A run that is cut short has told what it saw: .cache/soak/ holds the log, and those of the
  processes when something was wrong.
- Exit code 1 when anything was lost, doubled or differs, or the system did not come back.
"""

import argparse
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from types import FrameType
from typing import Final

from tests.faults.fast_clock import FastClock
from tests.faults.plan import Fault, kills, planned
from tests.faults.report import Part, Progress, report, write_docs
from tests.faults.system import Distributed, Embedded
from tests.faults.tight_disk import NoMountError, fills, tight_disk
from tests.faults.trial import Load, Trial
from tests.support.memory_folder import use_memory_folder
from tests.support.services import REPOSITORY

_FOLDER: Final = REPOSITORY / ".cache" / "soak"
_CLICKHOUSE_AWAY_S: Final = 60.0
_KAFKA_AWAY_S: Final = 30.0
_CALM_BETWEEN_S: Final = 2.0
_DISK_MIB: Final = 1_024
# Of a judged workspace, for which the oracle compares each record with each.
_JUDGED_RECORDS: Final = 900
_RECORDS_PER_VISIT: Final = 13
# Oftener, and everything in a workspace would be near everything.
_JUDGED_GAP_HOURS_MIN: Final = 3.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What the command line asks for."""

    minutes: float
    events: int
    faults: int
    seed: int
    rate: int
    horizon_hours: int
    events_per_s: int
    embedded_events_per_s: int
    kills: int
    fills: int
    is_for_docs: bool


def main() -> int:
    plan = _plan()
    use_memory_folder()
    signal.signal(signal.SIGTERM, _end)
    folder = _FOLDER / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-seed-{plan.seed}"
    folder.mkdir(parents=True)
    parts: list[Part] = []
    with (folder / "progress.log").open("w") as file:
        progress = Progress(file)
        progress.tell(f"seed {plan.seed}, log in {folder.relative_to(REPOSITORY)}")
        is_whole, about = False, _about(plan)
        try:
            _soak(plan, folder, progress, parts)
            is_whole = True
        except (Exception, KeyboardInterrupt, SystemExit) as error:
            progress.tell(f"cut short: {type(error).__name__}: {error}")
            about += f" **Cut short** by {type(error).__name__}: see the log."
        text = report(parts, about)
        (folder / "report.md").write_text(text + "\n")
        print(f"\n{text}\n", flush=True)
        if plan.is_for_docs and any(part.verdict is not None for part in parts):
            write_docs(text)
        is_good = is_whole and all(part.is_good for part in parts)
        if is_good:
            _remove_data(folder)
        progress.tell("nothing lost, nothing doubled" if is_good else f"FAILED, seed {plan.seed}")
    return 0 if is_good else 1


def _soak(plan: Plan, folder: Path, progress: Progress, parts: list[Part]) -> None:
    clock = FastClock(plan.rate, time.time_ns() // 1_000)
    if plan.minutes > 0:
        here = _made(folder, "distributed")
        with closing(Distributed(here, clock, horizon_hours=plan.horizon_hours)) as system:
            _distributed(plan, system, progress, parts)
    if plan.kills > 0:
        here = _made(folder, "embedded")
        load = _load(plan, plan.embedded_events_per_s, plan.kills * 6.0)
        with closing(Embedded(here, clock, horizon_hours=plan.horizon_hours)) as embedded:
            trial = Trial(embedded, load, seed=plan.seed, tell=progress.tell)
            _suffered("embedded", trial, kills(embedded, plan.kills), parts, plan.seed)
    if plan.fills > 0:
        _small_disk(plan, clock, folder, progress, parts)


def _small_disk(
    plan: Plan, clock: FastClock, folder: Path, progress: Progress, parts: list[Part]
) -> None:
    load = _load(plan, plan.embedded_events_per_s, plan.fills * 10.0)
    here = _made(folder, "tight")
    try:
        with (
            tight_disk(here / "up", _DISK_MIB),
            closing(Embedded(here, clock, horizon_hours=plan.horizon_hours)) as tight,
        ):
            trial = Trial(tight, load, seed=plan.seed + 1, tell=progress.tell)
            faults = fills(here / "up", plan.fills, lambda: trial.refused)
            _suffered("embedded, small disk", trial, faults, parts, plan.seed)
    except NoMountError:
        progress.tell("     a full disk was not tried: this machine does not let us mount")


def _distributed(plan: Plan, system: Distributed, progress: Progress, parts: list[Part]) -> None:
    load = _load(plan, plan.events_per_s, plan.minutes * 60)
    trial = Trial(system, load, seed=plan.seed, tell=progress.tell)
    until_s = time.monotonic() + plan.minutes * 60

    def faults() -> Iterator[Fault]:
        outages = [
            (
                plan.minutes * 60 / 3,
                lambda: trial.endure(
                    "Kafka away", _KAFKA_AWAY_S, system.kafka.kill, system.kafka.start
                ),
            ),
            (
                plan.minutes * 60 * 2 / 3,
                lambda: trial.endure(
                    "ClickHouse away",
                    _CLICKHOUSE_AWAY_S,
                    system.clickhouse.pause,
                    system.clickhouse.resume,
                ),
            ),
        ]
        for fault in planned(system, plan.seed):
            left_s = until_s - time.monotonic()
            is_enough = trial.events >= plan.events and len(trial.rows) >= plan.faults
            if left_s < 0 and (is_enough or left_s < -plan.minutes * 60):
                return
            if outages and left_s < outages[-1][0]:
                outages.pop()[1]()
            yield fault

    _suffered("distributed", trial, faults(), parts, plan.seed)


def _suffered(
    mode: str, trial: Trial, faults: Iterator[Fault], parts: list[Part], seed: int
) -> None:
    """Run one trial to its end; its part is told even when it is cut short."""
    calm = Random(f"calm {seed}")
    started_s = time.monotonic()
    verdict = None
    try:
        trial.start()
        for fault in faults:
            trial.suffer(fault)
            time.sleep(calm.uniform(0, _CALM_BETWEEN_S))
        verdict = trial.end()
    finally:
        now_s = time.monotonic()
        parts.append(Part(mode, trial, verdict, now_s - started_s, now_s))
        trial.close()


def _load(plan: Plan, events_per_s: int, seconds: float) -> Load:
    # Two senders tell of each judged workspace.
    visits = _JUDGED_RECORDS / _RECORDS_PER_VISIT / 2
    hours = seconds * plan.rate / 3_600
    return Load(events_per_s, judged_gap_hours=max(_JUDGED_GAP_HOURS_MIN, hours / visits))


def _remove_data(folder: Path) -> None:
    """What is only of use when something is wrong."""
    for each in folder.iterdir():
        if each.is_dir():
            shutil.rmtree(each, ignore_errors=True)


def _made(folder: Path, name: str) -> Path:
    here = folder / name
    here.mkdir()
    return here


def _about(plan: Plan) -> str:
    return (
        f"`make soak MINUTES={plan.minutes:g} SEED={plan.seed}`, {datetime.now(UTC):%Y-%m-%d}."
        f" The wall clock of all Opstrail processes ran {plan.rate:,} times as fast, with"
        f" OPSTRAIL_HORIZON_HOURS={plan.horizon_hours}; the groups' sessions were 6 s instead of"
        " 15 s."
    )


def _plan() -> Plan:
    parser = argparse.ArgumentParser(description="Break a running system again and again.")
    parser.add_argument("--minutes", type=float, default=35, help="of the distributed system")
    parser.add_argument("--events", type=int, default=0, help="go on until so many were accepted")
    parser.add_argument("--faults", type=int, default=0, help="go on until there were so many")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=int, default=1_000, help="of the wall clock")
    parser.add_argument("--horizon-hours", type=int, default=48)
    parser.add_argument("--events-per-s", type=int, default=850)
    parser.add_argument("--embedded-events-per-s", type=int, default=500)
    parser.add_argument("--kills", type=int, default=50, help="of the embedded mode")
    parser.add_argument("--fills", type=int, default=3, help="of the embedded mode's small disk")
    parser.add_argument("--write-docs", action="store_true", dest="is_for_docs")
    return Plan(**vars(parser.parse_args()))


def _end(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(1)


if __name__ == "__main__":
    sys.exit(main())
