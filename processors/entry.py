"""The entry of a record: the flat row that goes to the timeline. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from processors.explanation import explain_configuration
from processors.links import ConfiguredBy, Crowd, Link, Links, crowd_of
from processors.record import Record
from schemas.entry import NO_GAP, ConfiguredByRow, LinkColumns
from schemas.kinds import Flag
from schemas.limits import US_PER_MS
from schemas.records import COMMON_FIELDS, OwnField
from schemas.topics import revision_of


class Content(NamedTuple):
    """All that an entry says; two equal contents need no second emission."""

    end: int | None
    key_id: str
    fields: Mapping[str, Any]
    flags: tuple[Flag, ...]
    links: Links


def content_of(record: Record, links: Links) -> Content:
    """The content of the entry as it is now."""
    flags = record.all_flags()
    if links.is_stated_commit_not_synced:
        flags = sorted([*flags, Flag.STATED_COMMIT_NOT_SYNCED])
    # A fold replaces the mapping and never changes it, so it can be kept and compared.
    return Content(record.end, record.key_id, record.fields, tuple(flags), links)


class Emitted(NamedTuple):
    """What is kept in memory of the content that went out: equal means that it reads the same."""

    end: int | None
    key_id: str
    fields: Mapping[str, Any]
    flags: tuple[Flag, ...]
    # Not the links themselves: they are most of a record's room, and hashes of 64 bits of two
    # different ones are equal once in 10^19 changes.
    links_hash: int
    crowd: Crowd | None


def emitted_of(content: Content) -> Emitted:
    links = content.links
    return Emitted(
        content.end,
        content.key_id,
        content.fields,
        content.flags,
        hash(links),
        crowd_of(links),
    )


def entry_row(record: Record, content: Content) -> dict[str, Any]:
    """The row of `schemas.entry.EntryRow` with the kind's own columns."""
    links = content.links
    fields = record.fields
    row: dict[str, Any] = {
        "kind": record.kind,
        "id": record.id,
        "occurred_at": record.start,
        "ended_at": record.end if record.spec.end_field is not None else None,
        "duration_ms": record.duration_ms,
        "is_open": record.is_open,
        "status": record.status,
        "actor": record.actor,
        "actor_kind": record.actor_kind,
        "key_id": record.key_id,
        "links_omitted": links.links_omitted,
        "unexplained": links.unexplained,
        "flags": list(content.flags),
        "received_at": record.received_at,
        "revision": revision_of(record.revision),
        **_link_columns(links.links),
        "configured_by": links.configured_by and _configured_by_row(links.configured_by),
    }
    for name in COMMON_FIELDS:
        if (value := fields.get(name)) is not None:
            row[name] = value
    for own in record.spec.own_fields:
        if (value := _own_value(fields, own)) is not None:
            row[own.column] = value
    row.update(record.spec.derive(fields).columns)
    return row


def _link_columns(links: Sequence[Link]) -> LinkColumns:
    return {
        "link_rule": [link.rule for link in links],
        "link_target_kind": [link.target_kind for link in links],
        "link_target_id": [link.target_id for link in links],
        "link_confidence": [link.confidence for link in links],
        "link_gap_ms": [
            NO_GAP if link.gap_us is None else link.gap_us // US_PER_MS for link in links
        ],
        "link_origin": [link.origin or "" for link in links],
    }


def _configured_by_row(configured_by: ConfiguredBy) -> ConfiguredByRow:
    return {
        "sync_id": configured_by.sync_id,
        "commit": configured_by.commit,
        "branch": configured_by.branch,
        "confidence": configured_by.confidence,
        "behind": configured_by.behind,
        "explanation": explain_configuration(configured_by),
    }


def _own_value(fields: Any, own: OwnField) -> Any:
    holder, _, inner = own.path.partition(".")
    value = fields.get(holder)
    return value.get(inner) if inner and value is not None else value
