"""How the snapshots of each kind become a record: where start and end stand, what is its own.

One `RecordKind` a kind; whatever a kind needs beyond this table is a link rule
(`processors/links.py`). Pure.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from schemas.block_reference import parse_block_reference
from schemas.kinds import Flag, Kind, Status
from schemas.limits import US_PER_MS, US_PER_S

ColumnType: TypeAlias = Literal["string", "integer", "boolean"]

SSH_ITSELF_FAILED: Final = 255

# Fields every kind may state, in the order an entry shows them. Stored under the same names.
COMMON_FIELDS: Final = (
    "user",
    "os_user",
    "hostname",
    "cli_instance_id",
    "cli_version",
    "reason",
    "ticket",
)


@dataclass(frozen=True, slots=True)
class OwnField:
    """A field that belongs to one kind. `path` as in the event: `host.inventory_name`."""

    path: str
    type: ColumnType = "string"
    comment: str = ""

    @property
    def column(self) -> str:
        """The name of its column: `host_inventory_name`."""
        return self.path.replace(".", "_")


class Derived(NamedTuple):
    """What follows from a record's folded fields alone: columns that replace or add, and flags."""

    columns: Mapping[str, Any]
    flags: tuple[Flag, ...]


_NOTHING_DERIVED: Final = Derived({}, ())


def _nothing_derived(fields: Mapping[str, Any]) -> Derived:
    return _NOTHING_DERIVED


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordKind:
    """What the core has to know of a kind."""

    kind: Kind
    noun: str  # what a sentence calls it
    start_field: str
    end_field: str | None  # None: a moment, always closed
    duration_field: str | None
    duration_unit_us: int
    own_fields: tuple[OwnField, ...]
    status: Callable[[Mapping[str, Any], bool], Status]  # (folded fields, is_open)
    # Stated by a closed snapshot only: an open one's says nothing yet.
    closing_fields: frozenset[str] = frozenset()
    derive: Callable[[Mapping[str, Any]], Derived] = _nothing_derived


def _run_status(fields: Mapping[str, Any], is_open: bool) -> Status:
    if is_open:
        return Status.RUNNING
    if (stated := fields.get("status")) is not None:
        return Status(stated)
    match fields.get("exit_code"):
        case None:
            return Status.ABORTED
        case 0:
            return Status.SUCCESSFUL
        case _:
            return Status.FAILED


def _derive_block(fields: Mapping[str, Any]) -> Derived:
    reference = fields.get("block_from")
    if reference is None:
        return _NOTHING_DERIVED
    name, version, is_floating = parse_block_reference(reference, fields.get("block_version"))
    return Derived(
        {"block_name": name, "block_version": version or ""},
        (Flag.FLOATING_VERSION,) if is_floating else (),
    )


def _session_status(fields: Mapping[str, Any], is_open: bool) -> Status:
    if is_open:
        return Status.RUNNING
    return Status.FAILED if fields.get("exit_code") == SSH_ITSELF_FAILED else Status.ENDED


def _sync_status(fields: Mapping[str, Any], is_open: bool) -> Status:
    return Status.SUCCESSFUL if fields["result"] == "success" else Status.FAILED


_RUN: Final = RecordKind(
    kind=Kind.ACTION_RUN,
    noun="run",
    start_field="started_at",
    end_field="finished_at",
    duration_field="duration_ms",
    duration_unit_us=US_PER_MS,
    own_fields=(
        OwnField("block", comment="Name of the block instance in the workspace"),
        OwnField("block_from", comment="Block reference as sent, with registry and version"),
        OwnField("block_name", comment="Block reference without its version"),
        OwnField("block_version", comment="Version of the block: tag, else digest, else as stated"),
        OwnField("action", comment="Name of the action, such as deploy or restart"),
        OwnField("exit_code", "integer", "Exit code; null while open or unknown"),
        OwnField("commit_sha", comment="Commit the run itself stated"),
        OwnField("retriggered_from", comment="Id of the run this one repeats"),
    ),
    status=_run_status,
    closing_fields=frozenset({"status", "exit_code"}),
    derive=_derive_block,
)
_SESSION: Final = RecordKind(
    kind=Kind.SSH_SESSION,
    noun="session",
    start_field="started_at",
    end_field="ended_at",
    duration_field="duration_seconds",
    duration_unit_us=US_PER_S,
    own_fields=(
        OwnField("host.inventory_name", comment="The host's name in the inventory"),
        OwnField("host.ansible_host", comment="The address the inventory gives for the host"),
        OwnField("host.hostname_reported", comment="What the host calls itself"),
        OwnField("exit_code", "integer", "Exit code; null while open or unknown"),
    ),
    status=_session_status,
    closing_fields=frozenset({"exit_code"}),
)
_SYNC: Final = RecordKind(
    kind=Kind.WORKSPACE_SYNC,
    noun="sync",
    start_field="timestamp",
    end_field=None,
    duration_field=None,
    duration_unit_us=US_PER_S,
    own_fields=(
        OwnField("result", comment="success, failed or conflict"),
        OwnField("git.branch", comment="Branch that was synced"),
        OwnField("git.before_sha", comment="Commit before the sync"),
        OwnField("git.after_sha", comment="Commit after the sync"),
        OwnField("encryption.enabled", "boolean", "Whether the workspace was encrypted"),
        OwnField("encryption.key_id", comment="Public key the secrets are encrypted for"),
        OwnField("encryption.status", comment="State of the encryption as reported"),
    ),
    status=_sync_status,
)

RECORD_KINDS: Final[Mapping[Kind, RecordKind]] = {
    spec.kind: spec for spec in (_RUN, _SESSION, _SYNC)
}


def own_columns() -> dict[str, OwnField]:
    """Every kind's own columns by name; kinds that share a name (`exit_code`) share the column."""
    columns: dict[str, OwnField] = {}
    for spec in RECORD_KINDS.values():
        for field in spec.own_fields:
            shared = columns.setdefault(field.column, field)
            assert shared.type == field.type, f"{field.column} has two types"
    return columns
