"""GET /v1/cases/{kind}/{id}: everything an investigator needs about one record.

Source: the contract, section 5.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from starlette.requests import Request
from starlette.routing import Route

from query.access import reading_route
from query.completeness import is_complete
from query.record_address import read_addressed, record_address
from query.services import QueryServices
from schemas.kinds import Kind, Rule
from schemas.times import format_us
from timeline.cursor import Cursor
from timeline.entry_json import entries_json
from timeline.entry_query import read_named_places
from timeline.entry_row import EntryColumns
from timeline.environment_query import read_environments
from timeline.gap_query import gap_json, read_gaps, these
from timeline.neighbour_query import (
    Relation,
    reach_of,
    read_actor_work,
    read_at,
    read_neighbours,
)
from timeline.scope import Scope
from timeline.version_query import read_machine_at, read_version_at

Json: TypeAlias = dict[str, Any]
# Inside one organization: kind, id, workspace.
_Key: TypeAlias = tuple[str, str, str]
_Lists: TypeAlias = dict[Relation, set[_Key]]

# The list of whom a link names: the rule says how the record stands to them, not they to it.
_LISTS: Final = {
    Rule.AFTER.value: Relation.BEFORE,
    Rule.DURING.value: Relation.DURING,
    Rule.BEFORE.value: Relation.AFTER,
}


def case_routes(services: QueryServices) -> list[Route]:
    return [reading_route("/v1/cases/{kind}/{id}", services, _case)]


async def _case(services: QueryServices, request: Request, scope: Scope) -> Any:
    address = record_address(request)
    # Before the rows: what it promises is then among them.
    watermark = await services.watermarks.json(services.partitions)
    moment = services.moment()
    store = services.store
    record = await read_addressed(services, scope, address)
    reach = reach_of(record, moment)
    around, work, named, tool, machine = await asyncio.gather(
        read_neighbours(store, scope, record, moment),
        read_actor_work(store, scope, record, moment),
        _named(services, scope, record),
        _tool(services, scope, record),
        _machine(services, scope, record),
    )
    neighbours = around.places
    lists = {relation: set(map(_key_at, found.nearest)) for relation, found in neighbours.items()}
    worked = set(map(_key_at, work.nearest))
    places = {place for found in (*neighbours.values(), work) for place in found.nearest}
    places |= _linked_elsewhere(record, named, lists)
    places |= _sync(record, named)
    workspaces = {record["workspace"], *(place.workspace for place in places)}
    gaps, rows, environments = await asyncio.gather(
        read_gaps(store, scope.organization, these(around.instances), reach),
        read_at(store, scope, sorted(places), moment),
        read_environments(store, scope.organization, workspaces),
    )
    entry, *by_time = entries_json([record, *rows], environments, moment)
    by_key = {_key(other): other for other in by_time}
    links = {_target(link): _link(link) for link in reversed(entry["links"])}
    return {
        "entry": entry,
        "configuration": _configuration(entry, by_key.get(_sync_key(record))),
        **{
            relation.value: [
                {**other, "link": links.get((other["kind"], other["id"]))}
                for other in by_time
                if _key(other) in lists[relation]
            ]
            for relation in Relation
        },
        "tool": tool,
        "machine": machine,
        "actor_work": [other for other in by_time if _key(other) in worked],
        "gaps": [gap_json(gap) for gap in gaps.found],
        "omitted": {
            **{relation.value: found.is_cut for relation, found in neighbours.items()},
            "actor_work": work.is_cut,
            "gaps": gaps.is_cut,
        },
        "complete": not record["is_open"] and is_complete(watermark, reach.end, gaps.found),
        "watermark": watermark,
    }


async def _named(services: QueryServices, scope: Scope, record: EntryColumns) -> dict[_Key, Cursor]:
    """Where those stand whom the record names: by its links, or as what it was configured by."""
    keys = {_sync_key(record), *(key for _, key in _linked(record))}
    named = sorted((kind, id_) for kind, id_, _ in keys if id_)
    places = await read_named_places(services.store, scope, record["workspace"], named)
    return {_key_at(place): place for place in places}


def _sync_key(record: EntryColumns) -> _Key:
    """The sync the record was configured by; its id is '' when none is known."""
    return Kind.WORKSPACE_SYNC.value, record["configured_by_sync_id"], record["workspace"]


def _sync(record: EntryColumns, named: Mapping[_Key, Cursor]) -> set[Cursor]:
    place = named.get(_sync_key(record))
    return set() if place is None else {place}


def _linked(record: EntryColumns) -> list[tuple[Relation, _Key]]:
    """Whom the record's links name, with the list each belongs to."""
    targets = zip(
        record["link_rule"], record["link_target_kind"], record["link_target_id"], strict=True
    )
    return [
        (_LISTS[rule], (kind, id_, record["workspace"]))
        for rule, kind, id_ in targets
        if rule in _LISTS
    ]


async def _tool(services: QueryServices, scope: Scope, record: EntryColumns) -> Json:
    """The version of the CLI at the record's start, and who said so when."""
    version, observed_at, source = record["cli_version"], record["occurred_at"], "record"
    if not version and record["cli_instance_id"]:
        found = await read_version_at(
            services.store, scope.organization, record["cli_instance_id"], record["occurred_at"]
        )
        if found is not None:
            version, observed_at, source = found.version, found.observed_at, "cli_instance"
    if not version:
        return {"version": None, "observed_at": None, "source": None}
    return {"version": version, "observed_at": format_us(observed_at), "source": source}


async def _machine(services: QueryServices, scope: Scope, record: EntryColumns) -> Json:
    """From which machine it was done, and who said so."""
    hostname, source = record["hostname"], "record"
    if not hostname and record["cli_instance_id"]:
        found = await read_machine_at(
            services.store, scope.organization, record["cli_instance_id"], record["occurred_at"]
        )
        hostname, source = found or "", "cli_instance"
    if not hostname:
        return {"hostname": None, "source": None}
    return {"hostname": hostname, "source": source}


def _linked_elsewhere(
    record: EntryColumns, named: Mapping[_Key, Cursor], lists: _Lists
) -> set[Cursor]:
    """Whom the record's links name and no search found: what ran for longer than those look back.

    Puts each of them on its list.
    """
    missing = set()
    for relation, key in _linked(record):
        if key in named and not any(key in known for known in lists.values()):
            lists[relation].add(key)
            missing.add(named[key])
    return missing


def _configuration(entry: Mapping[str, Any], sync: Json | None) -> Json | None:
    configured_by = entry["configured_by"]
    if configured_by is None:
        return None
    return {
        **{name: value for name, value in configured_by.items() if name != "id"},
        "sync": sync,
        "brought_by": None if sync is None else sync["actor"],
        "synced_at": None if sync is None else sync["occurred_at"],
    }


def _target(link: Mapping[str, Any]) -> tuple[str, str]:
    return link["target"]["kind"], link["target"]["id"]


def _link(link: Mapping[str, Any]) -> Json:
    """Without its target: that is the entry it stands at."""
    return {name: value for name, value in link.items() if name != "target"}


def _key(entry: Mapping[str, Any]) -> _Key:
    return entry["kind"], entry["id"], entry["workspace"]


def _key_at(place: Cursor) -> _Key:
    return place.kind, place.id, place.workspace
