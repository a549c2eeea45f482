"""An entry: one row of the timeline, as a flat row and as the JSON object of the API.

The row is what travels on audit.timeline (`schemas/avro/timeline_batch-3.avsc`) and what the
timeline store keeps, under the same names: empty strings mean "not known", times are µs.
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final, NotRequired
from uuid import UUID

from typing_extensions import TypedDict

from schemas.codec import Codec, UndecodableError

TIMELINE_CODEC: Final = Codec("timeline_batch")

LINK_NAMESPACE: Final = UUID("6f1c1d0e-5b0b-4f6f-9a37-3e0d7f0f5c21")
CONFIGURED_BY: Final = "configured_by"
# Not null: a list of unions takes longer to write and to read than one of longs (decision 0024).
NO_GAP: Final = -1
_UINT32_END: Final = 1 << 32


class LinkColumns(TypedDict, total=False):
    """The links of an entry: one element a link, in the same place of each list."""

    link_rule: list[str]
    link_target_kind: list[str]
    link_target_id: list[str]
    link_confidence: list[str]
    link_gap_ms: list[int]  # NO_GAP where the rule has none
    link_origin: list[str]  # an Origin; '' of one that is only likely


LINK_COLUMNS: Final = tuple(LinkColumns.__annotations__)


class ConfiguredByRow(TypedDict):
    sync_id: str
    commit: str
    branch: str
    confidence: str
    behind: bool
    explanation: str


class EntryRow(LinkColumns):
    """Besides these, each kind's own columns (`schemas/records.py`); absent ones are not known."""

    kind: str
    id: str
    occurred_at: int
    ended_at: NotRequired[int | None]
    duration_ms: NotRequired[int | None]
    is_open: bool
    status: str
    actor: str
    actor_kind: str
    key_id: str
    configured_by: NotRequired[ConfiguredByRow | None]
    link_explanation: NotRequired[list[str]]  # of versions 1 and 2, which had no origin
    links_omitted: NotRequired[bool]
    unexplained: NotRequired[bool | None]
    flags: NotRequired[list[str]]
    received_at: int
    revision: int


class ObservationRow(TypedDict):
    """One sighting of a CLI instance. `is_sighting` false: only moves its first_seen back."""

    cli_instance_id: str
    observed_at: int
    is_sighting: bool
    hostname: NotRequired[str]
    os: NotRequired[str]
    arch: NotRequired[str]
    cli_version: NotRequired[str]
    actor: str


class SnapshotRow(TypedDict):
    """One event as received. `event` is its JSON text (`schemas/event_json.py`)."""

    index: int  # of the event in its envelope, from 0
    kind: str
    id: str
    occurred_at: int  # its latest own time; of none, when it arrived
    cli_instance_id: NotRequired[str]
    client_seq: NotRequired[int | None]
    dead_reason: NotRequired[str]  # empty: it was used
    event: str


class TimelineBatch(TypedDict):
    """What one envelope changed. `partition` and `offset` are the envelope's on audit.events.

    A batch written with version 1 of the schema lacks what is not required here.
    """

    organization: str
    workspace: str
    partition: int
    offset: int
    received_at: int
    is_last: bool
    entries: list[dict[str, Any]]  # EntryRow with the kind's own columns
    observations: list[ObservationRow]
    actor: NotRequired[str]
    actor_kind: NotRequired[str]
    key_id: NotRequired[str]
    snapshots: NotRequired[list[SnapshotRow]]


def decode_batch(message: bytes) -> TimelineBatch:
    """Raises UndecodableError, also for numbers that the tables cannot hold."""
    batch: TimelineBatch = TIMELINE_CODEC.decode(message)  # type: ignore[assignment]
    is_sound = (
        0 <= batch["partition"] < _UINT32_END
        and all(entry["revision"] >= 0 for entry in batch["entries"])
        and all(0 <= each["index"] < _UINT32_END for each in batch.get("snapshots", ()))
    )
    if not is_sound:
        raise UndecodableError("timeline_batch: a number out of range")
    for entry in batch["entries"]:
        if (links := entry.pop("links", None)) is not None:
            entry.update(_link_columns(links))
        elif len({len(entry[name]) for name in LINK_COLUMNS}) != 1:
            raise UndecodableError("timeline_batch: the lists of links differ in length")
    return batch


_OLD_COLUMNS: Final = (
    *(name for name in LINK_COLUMNS if name != "link_origin"),
    "link_explanation",
)


def _link_columns(links: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Versions 1 and 2 held a record for each link, which brought its sentence with it."""
    columns = {name: [link[name.removeprefix("link_")] for link in links] for name in _OLD_COLUMNS}
    columns["link_gap_ms"] = [NO_GAP if gap is None else gap for gap in columns["link_gap_ms"]]
    return columns


def row_count(batch: TimelineBatch) -> int:
    """How much an insert of this batch is: its rows in whatever table."""
    return len(batch["entries"]) + len(batch["observations"]) + len(batch.get("snapshots", ()))


def link_id(
    organization: str,
    workspace: str,
    rule: str,
    source: tuple[str, str],
    target: tuple[str, str],
) -> str:
    """UUIDv5 of a link; `source` and `target` are (kind, id). Source: the contract, section 4."""
    name = "/".join((organization, workspace, rule, *source, *target))
    return str(uuid.uuid5(LINK_NAMESPACE, name))
