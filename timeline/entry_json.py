"""An entry as the API shows it. Pure. Source: the contract, sections 4 and 5."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

from schemas.entry import CONFIGURED_BY, link_id
from schemas.explanation import explain_link
from schemas.kinds import Kind, Status
from schemas.records import COMMON_FIELDS, RECORD_KINDS
from schemas.times import format_us
from timeline.entry_row import EntryColumns
from timeline.moment import Moment

_BEFORE_OWN: Final = ("actor", "actor_kind", "key_id", *COMMON_FIELDS)


def entries_json(
    rows: Iterable[EntryColumns], environments: Mapping[str, str], moment: Moment
) -> list[dict[str, Any]]:
    """`environments`: of the rows' workspaces, where they have one."""
    return [
        entry_json(
            row,
            environment=environments.get(row["workspace"]),
            now_us=moment.now_us,
            lost_after_us=moment.lost_after_us,
        )
        for row in rows
    ]


def entry_json(
    row: EntryColumns, *, environment: str | None, now_us: int, lost_after_us: int
) -> dict[str, Any]:
    """`now_us` and `lost_after_us` decide whether an open record reads as lost."""
    entry = {
        "kind": row["kind"],
        "id": row["id"],
        "organization": row["organization"],
        "workspace": row["workspace"],
        "environment": environment or None,
        "occurred_at": format_us(row["occurred_at"]),
        "ended_at": None if row["ended_at"] is None else format_us(row["ended_at"]),
        "duration_ms": row["duration_ms"],
        "status": _status(row, now_us - lost_after_us),
    }
    for name in _BEFORE_OWN:
        entry[name] = _known(row[name])
    entry |= _own_fields(row)
    entry |= {
        "configured_by": _configured_by(row),
        "links": _links(row),
        "links_omitted": row["links_omitted"],
        "unexplained": row["unexplained"],
        "flags": list(row["flags"]),
        "received_at": format_us(row["received_at"]),
        "revision": row["revision"],
    }
    return entry


def _status(row: EntryColumns, lost_before_us: int) -> str:
    is_lost = row["is_open"] and row["occurred_at"] <= lost_before_us
    return Status.LOST.value if is_lost else str(row["status"])


def _known(value: Any) -> Any:
    return None if value == "" else value


def _own_fields(row: EntryColumns) -> dict[str, Any]:
    """The fields of the entry's own kind; an object of which nothing is known is null."""
    own: dict[str, Any] = {}
    for name, parts in _own_columns(row["kind"]):
        if isinstance(parts, str):
            own[name] = _known(row[parts])
        else:
            value = {part: _known(row[column]) for part, column in parts}
            own[name] = None if all(part is None for part in value.values()) else value
    return own


@cache
def _own_columns(kind: str) -> tuple[tuple[str, str | tuple[tuple[str, str], ...]], ...]:
    """Each field of the kind with its column; an object with the columns of its parts."""
    if kind not in Kind._value2member_map_:
        return ()  # a newer version may have written a kind that this one does not know
    columns: dict[str, str | tuple[tuple[str, str], ...]] = {}
    for field in RECORD_KINDS[Kind(kind)].own_fields:
        holder, _, part = field.path.partition(".")
        if not part:
            columns[holder] = field.column
        else:
            before = columns.get(holder, ())
            assert isinstance(before, tuple), field.path
            columns[holder] = (*before, (part, field.column))
    return tuple(columns.items())


def _configured_by(row: EntryColumns) -> Mapping[str, Any] | None:
    sync_id = row["configured_by_sync_id"]
    if not sync_id:
        return None
    return {
        "id": _link_id(row, CONFIGURED_BY, (Kind.WORKSPACE_SYNC.value, sync_id)),
        "sync_id": sync_id,
        "commit": row["configured_by_commit"],
        "branch": _known(row["configured_by_branch"]),
        "confidence": row["configured_by_confidence"],
        "behind": row["configured_by_behind"],
        "explanation": row["configured_by_explanation"],
    }


def _links(row: EntryColumns) -> list[dict[str, Any]]:
    links = []
    rules = row["link_rule"]
    nothing = [""] * len(rules)
    for rule, kind, id_, confidence, gap_ms, explanation, origin in zip(
        rules,
        row["link_target_kind"],
        row["link_target_id"],
        row["link_confidence"],
        row["link_gap_ms"],
        row["link_explanation"] or nothing,
        row["link_origin"] or nothing,
        strict=True,
    ):
        link = {
            "id": _link_id(row, rule, (kind, id_)),
            "rule": rule,
            "target": {"kind": kind, "id": id_},
            "confidence": confidence,
        }
        if gap_ms is not None:
            link["gap_ms"] = gap_ms
        link["explanation"] = explanation or explain_link(
            rule,
            kind,
            gap_ms,
            origin,
            actor=row["actor"],
            cli_instance_id=row["cli_instance_id"],
        )
        links.append(link)
    return links


def _link_id(row: EntryColumns, rule: str, target: tuple[str, str]) -> str:
    return link_id(row["organization"], row["workspace"], rule, (row["kind"], row["id"]), target)
