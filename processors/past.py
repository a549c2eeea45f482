"""What was let go of from memory and stands in the timeline store: what is asked of it, and how.

Memory holds what happened or arrived lately; the store holds everything. What an older event needs
is read back before it is applied, so its links are those it would have had at any other time.
Pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

from processors.record import RecordId
from schemas.codec import Codec
from schemas.envelope import Event, Sender, id_bytes, id_text
from schemas.kinds import Kind

_CODEC: Final = Codec("evicted")


class Window(NamedTuple):
    """Between two times, both in, in µs."""

    first: int
    last: int


class CommitRuns(NamedTuple):
    """The runs that state `commit` (or one that begins alike) and start at or after `since`."""

    commit: str
    since: int


class SyncsOf(Enum):
    """By what syncs are told apart."""

    INSTANCE = "instance"
    COMMIT = "commit"


class LatestSync(NamedTuple):
    """The latest usable sync at or before `at`, in µs, of a CLI instance; or of each commit that
    begins with `name`."""

    of: SyncsOf
    name: str
    at: int


class PastSnapshot(NamedTuple):
    """An event as the store has it. `dead_reason` empty: it was used."""

    offset: int
    event: Event
    sender: Sender
    received_at: int
    dead_reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PastNeeded:
    """What of one workspace has to be read before an envelope can be applied.

    `ids`: these records. `windows`: every record that was at some time in one of them, and the
    workspace's latest sync when it begins. `named`: the runs that say they repeat one of these
    runs. `syncs`: the latest ones of instances and commits.
    """

    organization: str
    workspace: str
    ids: frozenset[RecordId] = frozenset()
    windows: tuple[Window, ...] = ()
    commits: frozenset[CommitRuns] = frozenset()
    named: frozenset[str] = frozenset()
    syncs: frozenset[LatestSync] = frozenset()


class PastMissingError(Exception):
    """An envelope needs more than memory holds; nothing was changed. Supply it and try again."""

    def __init__(self, needed: PastNeeded) -> None:
        super().__init__(f"the past of {needed.organization}/{needed.workspace} is needed")
        self.needed: Final = needed


@dataclass(frozen=True, slots=True, kw_only=True)
class Evicted:
    """A row of the table: from and to when a workspace's evicted records were.

    `ids` are those of the last time, as of `offset`: should a crash leave rows of theirs behind,
    these do not count. `syncs_until`: the latest start of the syncs that were the last of their
    instance, or commit, when they were let go of.
    """

    partition: int
    organization: str
    workspace: str
    reach: Window
    offset: int
    ids: frozenset[RecordId] = field(default_factory=frozenset)
    syncs_until: Mapping[SyncsOf, int] = field(default_factory=dict)


def encode_evicted(evicted: Evicted) -> bytes:
    return _CODEC.encode(
        {
            "partition": evicted.partition,
            "organization": evicted.organization,
            "workspace": evicted.workspace,
            "first": evicted.reach.first,
            "last": evicted.reach.last,
            "offset": evicted.offset,
            "ids": [
                {"kind": key.kind.value, "id": id_bytes(key.id)} for key in sorted(evicted.ids)
            ],
            "syncs_until": {of.value: time for of, time in evicted.syncs_until.items()},
        }
    )


def is_evicted(row: bytes) -> bool:
    """Whether a row of the table is one of these."""
    return _CODEC.is_of(row)


def decode_evicted(row: bytes) -> Evicted:
    """Raises UndecodableError."""
    datum = _CODEC.decode(row)
    return Evicted(
        partition=datum["partition"],
        organization=datum["organization"],
        workspace=datum["workspace"],
        reach=Window(datum["first"], datum["last"]),
        offset=datum["offset"],
        ids=frozenset(RecordId(Kind(each["kind"]), id_text(each["id"])) for each in datum["ids"]),
        # Version 1 had none: all of these syncs were kept.
        syncs_until={SyncsOf(of): time for of, time in datum.get("syncs_until", {}).items()},
    )


def merged(windows: Iterable[Window]) -> tuple[Window, ...]:
    """The same times by as few windows as possible, in order."""
    found: list[Window] = []
    for window in sorted(windows):
        if found and window.first <= found[-1].last + 1:
            found[-1] = Window(found[-1].first, max(found[-1].last, window.last))
        else:
            found.append(window)
    return tuple(found)
