"""The register of CLI instances. Source: the contract, section 2."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

from schemas.limits import KIB
from schemas.times import format_us
from timeline import ddl
from timeline.cursor import read_name_cursor, write_name_cursor
from timeline.parameters import INSTANCE_ID, LIMIT_DEFAULT, Parameters, refuse
from timeline.scope import Scope
from timeline.statement import Statement
from timeline.store import Store
from timeline.version_order import VersionKey, version_key

InstanceJson: TypeAlias = dict[str, Any]

_LIST: Final = "cli_instance"  # in its cursors
INSTANCE_FILTERS: Final = (
    *("version", "version_below", "seen_before", "seen_after", "first_seen_after"),
    *("actor", "os", "limit", "cursor"),
)

# ClickHouse takes at most 128 KiB for the value of one parameter.
_VERSIONS_BYTES_MAX: Final = 96 * KIB
# What stands around each in it: quotes and a comma. No version that can be read needs escaping.
_VERSION_BYTES_MORE: Final = 3
# Of usual length they take a dozen statements; as long as can be, some three hundred.
_VERSIONS_MAX: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceFilters:
    """Empty and None mean: not asked for. Times in µs; "after" is at or after, "before" before."""

    versions: tuple[str, ...] = ()  # as last seen
    below: VersionKey | None = None  # as last seen; what is no version is not below any
    actors: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
    seen_before_us: int | None = None
    seen_after_us: int | None = None
    first_seen_after_us: int | None = None
    limit: int = LIMIT_DEFAULT
    after_id: str = ""


class InstancePage(NamedTuple):
    items: list[InstanceJson]
    next_cursor: str | None


def parse_instance_filters(pairs: Iterable[tuple[str, str]]) -> InstanceFilters:
    """Raises RefusedError naming the parameter at fault."""
    given = Parameters(pairs, INSTANCE_FILTERS)
    return InstanceFilters(
        versions=given.texts("version"),
        below=_below(given),
        actors=given.texts("actor"),
        systems=given.texts("os"),
        seen_before_us=given.time_us("seen_before"),
        seen_after_us=given.time_us("seen_after"),
        first_seen_after_us=given.time_us("first_seen_after"),
        limit=given.limit(),
        after_id=read_name_cursor(_LIST, given.one("cursor"), INSTANCE_ID),
    )


async def read_instances(store: Store, scope: Scope, filters: InstanceFilters) -> InstancePage:
    """A page of the register, sorted by id.

    Raises RefusedError: too many versions to compare; TimelineUnavailableError.
    """
    if filters.below is None:
        rows = await store.rows(_statement(scope, filters))
    else:
        # An instance has one version, so each is in the answer to one of these at most.
        found = [
            row
            for versions in _portions(
                await _versions_below(store, scope.organization, filters.below)
            )
            for row in await store.rows(_statement(scope, filters, versions))
        ]
        rows = sorted(found, key=lambda row: str(row[0]))
    items = [_instance_json(row) for row in rows[: filters.limit]]
    is_more = len(rows) > filters.limit
    return InstancePage(items, write_name_cursor(_LIST, items[-1]["id"]) if is_more else None)


async def read_instance(store: Store, scope: Scope, id_: str) -> InstanceJson | None:
    """One instance by its id in lower case; None: never seen here."""
    parameters: dict[str, Any] = {"id": id_}
    conditions = [*in_scope(scope, parameters), "cli_instance_id = {id:String}"]
    rows = await store.rows(
        Statement(f"{_select(conditions)} GROUP BY cli_instance_id", parameters)
    )
    return _instance_json(rows[0]) if rows else None


def _below(given: Parameters) -> VersionKey | None:
    texts = given.texts("version_below")
    given.one("version_below")
    if not texts:
        return None
    key = version_key(texts[0])
    if key is None:
        refuse("version_below", "cannot be read as a version, such as 0.18.0 or v1.2.3-rc.1")
    return key


async def _versions_below(store: Store, organization: str, bound: VersionKey) -> list[str]:
    """Of the versions ever seen those below; the order of versions is beyond SQL."""
    rows = await store.rows(
        Statement(
            f"SELECT DISTINCT cli_version FROM {ddl.INSTANCES.name}"
            " WHERE organization = {organization:String} LIMIT {most:UInt32}",
            {"organization": organization, "most": _VERSIONS_MAX + 1},
        )
    )
    if len(rows) > _VERSIONS_MAX:
        refuse("version_below", f"more than {_VERSIONS_MAX:,} versions to compare; use `version`")
    keys = ((str(version), version_key(str(version))) for (version,) in rows)
    return [version for version, key in keys if key is not None and key < bound]


def _portions(versions: Sequence[str]) -> Iterator[list[str]]:
    """Each fits into a parameter."""
    portion: list[str] = []
    size_bytes = 0
    for version in versions:
        version_bytes = len(version.encode()) + _VERSION_BYTES_MORE
        if size_bytes + version_bytes > _VERSIONS_BYTES_MAX:
            yield portion
            portion, size_bytes = [], 0
        portion.append(version)
        size_bytes += version_bytes
    if portion:
        yield portion


def in_scope(scope: Scope, parameters: dict[str, Any]) -> list[str]:
    """An instance belongs to no workspace: whoever sees some sees those that were at work there."""
    parameters["organization"] = scope.organization
    conditions = ["organization = {organization:String}"]
    if scope.workspace_patterns is not None:
        seen = " AND ".join([*scope.conditions(parameters), "cli_instance_id != ''"])
        conditions.append(
            f"cli_instance_id IN (SELECT cli_instance_id FROM {ddl.ENTRIES.name} WHERE {seen})"
        )
    return conditions


def _select(conditions: Sequence[str]) -> str:
    """Versions are merged first: a row of the table may stand in several parts of it."""
    return (
        "SELECT cli_instance_id, toUnixTimestamp64Micro(min(first)) AS first_us,"
        " toUnixTimestamp64Micro(max(latest)) AS last_us,"
        " argMaxIf(cli_version, (latest, cli_version), cli_version != '') AS version,"
        " max(hostname).2, max(system).2 AS os, max(architecture).2,"
        " arraySort(groupUniqArrayArray(everybody)) AS people,"
        " arraySort(x -> (x.2, x.1), groupArrayIf((cli_version,"
        " toUnixTimestamp64Micro(first_here), toUnixTimestamp64Micro(latest)),"
        " cli_version != ''))"
        " FROM (SELECT cli_instance_id, cli_version, min(first_seen) AS first,"
        " min(first_sighting) AS first_here, max(last_sighting) AS latest,"
        " max(latest_hostname) AS hostname, max(latest_os) AS system,"
        " max(latest_arch) AS architecture, groupUniqArrayArray(actors) AS everybody"
        f" FROM {ddl.INSTANCES.name} WHERE {' AND '.join(conditions)}"
        " GROUP BY cli_instance_id, cli_version)"
    )


def _statement(
    scope: Scope, filters: InstanceFilters, versions_below: Sequence[str] | None = None
) -> Statement:
    parameters: dict[str, Any] = {
        "after_id": filters.after_id,
        "limit": filters.limit + 1,
    }
    register = [*in_scope(scope, parameters), "cli_instance_id > {after_id:String}"]
    conditions = ["1"]
    if filters.versions:
        parameters["versions"] = list(filters.versions)
        conditions.append("version IN {versions:Array(String)}")
    if versions_below is not None:
        parameters["versions_below"] = list(versions_below)
        conditions.append("version IN {versions_below:Array(String)}")
    if filters.systems:
        parameters["systems"] = list(filters.systems)
        conditions.append("os IN {systems:Array(String)}")
    if filters.actors:
        parameters["actors_any"] = list(filters.actors)
        conditions.append("hasAny(people, {actors_any:Array(String)})")
    for name, sign, column, bound_us in (
        ("seen_before", "<", "last_us", filters.seen_before_us),
        ("seen_after", ">=", "last_us", filters.seen_after_us),
        ("first_seen_after", ">=", "first_us", filters.first_seen_after_us),
    ):
        if bound_us is not None:
            parameters[name] = bound_us
            conditions.append(f"{column} {sign} {{{name}:Int64}}")
    return Statement(
        f"{_select(register)} GROUP BY cli_instance_id HAVING {' AND '.join(conditions)}"
        " ORDER BY cli_instance_id LIMIT {limit:UInt32}",
        parameters,
    )


def _instance_json(row: Any) -> InstanceJson:
    id_, first, last, version, hostname, system, arch, actors, versions = row
    return {
        "id": id_,
        "cli_version": version or None,
        "os": system or None,
        "arch": arch or None,
        "hostname": hostname or None,
        "first_seen": format_us(first),
        "last_seen": format_us(last),
        "actors": list(actors),
        "versions": [
            {"version": name, "first_seen": format_us(since), "last_seen": format_us(until)}
            for name, since, until in versions
        ],
    }
