"""The generations of the timeline: which one is read, and which are being filled beside it.

Generation 0 is in the database of the settings, each later one in a database of its own, with the
same tables. What does not follow from the log is in the first one only: this table, the migrations,
the access log.

Must stay true:
- One generation lives, the highest that was ever said to; this never goes back.
- Every answer is read from one generation, chosen when it first asks for something.
- A generation may live only when it holds all that the one before it would hold.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from typing import Final, NamedTuple

from runtime.errors import TimelineUnavailableError
from timeline.column import FEW_VALUES, TIME, ZSTD, Column, Table
from timeline.connection import Connection
from timeline.ddl import DEDUPLICATION_WINDOW
from timeline.statement import Statement

# How old a reader's knowledge of the living generation may be.
FRESH_S: Final = 1.0
# Of the revision and of the column.
GENERATION_MAX: Final = 2**15 - 1


class Stage(StrEnum):
    """A generation has its stages one after the other, and keeps them."""

    FILLING = "filling"  # a rebuild is at work; the sinks fill it as well as the living one
    LIVING = "living"  # it is read; the one before it is filled no more
    DROPPED = "dropped"  # its rows are gone, or it was given up before it lived


GENERATIONS: Final = Table(
    name="generations",
    comment="Which database holds the timeline; a rebuild makes the next one",
    columns=(
        Column("generation", "UInt16", "0: this database; n: the one whose name ends in _g n"),
        Column("stage", FEW_VALUES, ", ".join(Stage), ZSTD),
        Column("at", TIME, "When it came to that stage", ZSTD),
    ),
    engine="ReplacingMergeTree",
    order_by="(generation, stage)",
    settings={"non_replicated_deduplication_window": DEDUPLICATION_WINDOW},
    settings_embedded={"fsync_after_insert": 1, "fsync_part_directory": 1},
)

# Unknown table, unknown database: before the first migration that knows of generations.
_NOT_MADE: Final = frozenset({60, 81})
_STAGES: Final = Statement("SELECT DISTINCT generation, toString(stage) FROM generations")


class Generations(NamedTuple):
    """`filling`: what has to be filled beside the living one. `dropped`: whose rows are gone."""

    living: int = 0
    filling: tuple[int, ...] = ()
    dropped: frozenset[int] = frozenset()
    newest: int = 0  # the highest that was ever begun

    @property
    def present(self) -> list[int]:
        """Those that have their tables."""
        begun = range(self.newest + 1)
        return [each for each in begun if each == 0 or each not in self.dropped]


def generation_database(base: str, generation: int) -> str:
    """Where its tables are; `base` is the database of the settings."""
    return base if generation == 0 else f"{base}_g{generation}"


def read_generations(connection: Connection) -> Generations:
    """`connection` is to the database of the settings. Raises TimelineUnavailableError."""
    try:
        rows = connection.rows(_STAGES)
    except TimelineUnavailableError as error:
        if getattr(error.__cause__, "code", None) in _NOT_MADE:
            return Generations()
        raise
    at_stage = {stage: {each for each, said in rows if said == stage} for stage in Stage}
    living = max(at_stage[Stage.LIVING], default=0)
    over = at_stage[Stage.LIVING] | at_stage[Stage.DROPPED]
    return Generations(
        living,
        tuple(sorted(each for each in at_stage[Stage.FILLING] - over if each > living)),
        frozenset(at_stage[Stage.DROPPED]),
        max((each for each, _ in rows), default=0),
    )


def say_stage(connection: Connection, generation: int, stage: Stage) -> None:
    """From when this returns, whoever asks hears of it. Said twice, it changes nothing.

    `connection` is to the database of the settings. Raises TimelineUnavailableError: the outcome is
    unknown; the same call again settles it.
    """
    connection.insert(
        GENERATIONS,
        {"generation": [generation], "stage": [stage.value], "at": [time.time_ns() // 1_000]},
        token=f"{generation}:{stage}",
    )


class LivingGeneration:
    """What a process knows of the living generation; safe for threads."""

    def __init__(self, base: str, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._base: Final = base
        self._monotonic_s: Final = monotonic_s
        self._lock: Final = threading.Lock()
        self._generation = 0
        self._database = base
        self._known_until_s = float("-inf")

    def chosen(self) -> str | None:
        """The database of the answer that is being made; None while that has to be asked for."""
        one = _ONE.get()
        if one is not None and one.database is not None:
            return one.database
        if self._monotonic_s() > self._known_until_s:
            return None
        return self._database if one is None else one.choose(self._database)

    def ask(self, connect: Callable[[], Connection], one: "_One | None") -> str:
        """The same, asking where need be. `connect` gives a connection to the first database.

        Raises TimelineUnavailableError.
        """
        if one is not None and one.database is not None:
            return one.database
        if self._monotonic_s() > self._known_until_s:
            # Not under the lock: who waits for a store that is away does not hold up the others.
            asked_at_s = self._monotonic_s()
            self._hear(read_generations(connect()).living, asked_at_s)
        return self._database if one is None else one.choose(self._database)

    def _hear(self, living: int, asked_at_s: float) -> None:
        with self._lock:
            # An older answer may come after a newer one.
            if living >= self._generation:
                self._generation = living
                self._database = generation_database(self._base, living)
                self._known_until_s = max(self._known_until_s, asked_at_s + FRESH_S)


class _One:
    """The generation of one answer: whoever asks first decides for all that follow."""

    __slots__ = ("_lock", "database")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.database: str | None = None

    def choose(self, database: str) -> str:
        with self._lock:
            if self.database is None:
                self.database = database
            return self.database


_ONE: Final[ContextVar[_One | None]] = ContextVar("generation", default=None)


@contextmanager
def one_generation() -> Iterator[None]:
    """All that is read inside, also by tasks and threads begun here, is of one generation.

    Once more inside another: anew from here on, for whoever waits for what may come after a switch.
    """
    token = _ONE.set(_One())
    try:
        yield
    finally:
        _ONE.reset(token)


def present_one() -> "_One | None":
    """To be carried to the thread that asks."""
    return _ONE.get()
