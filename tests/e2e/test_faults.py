"""The short form of the soak: the nastiest faults once each, under load, judged after each.

`make soak` is the long form; docs/reliability.md has its tables.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.fast_clock import FastClock
from tests.faults.plan import Fault, kills, nastiest
from tests.faults.report import Part, fault_table, verdict_table
from tests.faults.system import Distributed, Embedded, System
from tests.faults.tight_disk import NoMountError, fills, tight_disk
from tests.faults.trial import Load, Trial
from tests.support.fixtures import Show
from tests.support.services import ServiceMissingError, skip_or_fail

SEED = 1
# So fast that the horizon passes while the test runs, and what is old is let go.
RATE = 6_000
HORIZON_HOURS = 48
LOAD = Load(events_per_s=200, workspaces=60, judged=1, judged_gap_hours=6)
KILLS = 2
DISK_MIB = 512


@pytest.fixture
def clock() -> FastClock:
    return FastClock(RATE, time.time_ns() // 1_000)


def require_nothing_lost(
    mode: str, system: System, show: Show, faults: Callable[[Trial], Iterator[Fault]]
) -> None:
    told: list[str] = []
    started_s = time.monotonic()
    trial = Trial(system, LOAD, seed=SEED, tell=told.append)
    try:
        trial.start()
        for fault in faults(trial):
            trial.suffer(fault)
        verdict = trial.end()
    finally:
        trial.close()
    now_s = time.monotonic()
    part = Part(mode, trial, verdict, now_s - started_s, now_s)
    # What the test is run for.
    show("\n" + "\n".join([*fault_table([part]), "", *verdict_table([part])]))
    assert verdict.judged > 0
    assert part.is_good, "\n".join(told)


@pytest.mark.timeout(600)
def test_what_got_202_is_on_the_timeline_once_whatever_breaks(
    tmp_path: Path, clock: FastClock, show: Show
) -> None:
    try:
        system = Distributed(tmp_path, clock, horizon_hours=HORIZON_HOURS)
    except ServiceMissingError as error:
        skip_or_fail(str(error))
    try:
        require_nothing_lost("distributed", system, show, lambda _: nastiest(system, SEED))
    finally:
        system.close()


def test_what_got_202_is_there_once_when_the_one_process_is_killed(
    tmp_path: Path, clock: FastClock, show: Show
) -> None:
    system = Embedded(tmp_path, clock, horizon_hours=HORIZON_HOURS)
    try:
        require_nothing_lost("embedded", system, show, lambda _: kills(system, KILLS))
    finally:
        system.close()


def test_a_full_disk_refuses_events_and_loses_none(
    tmp_path: Path, clock: FastClock, show: Show
) -> None:
    try:
        with tight_disk(tmp_path / "up", DISK_MIB):
            system = Embedded(tmp_path, clock, horizon_hours=HORIZON_HOURS)
            try:
                require_nothing_lost(
                    "embedded, small disk",
                    system,
                    show,
                    lambda trial: fills(tmp_path / "up", 1, lambda: trial.refused),
                )
            finally:
                system.close()
    except NoMountError:
        pytest.skip("this machine does not let us mount a small disk")
