"""The tables analysts see in SQL: names, columns for people, and the SELECT behind each.

Must stay true:
- Each SELECT holds one organization only, and of it the workspaces its reader may see.
- A query around it cannot reach into it: tables stand with their database, columns with the name
  of their table, and every name given here begins with `RESERVED`, which no query may use.
- Names and comments are public (`GET /v1/sql/schema`, docs/sql.md). "Not known" is NULL.
- One row an entry, at its highest revision.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from schemas.entry import CONFIGURED_BY, LINK_NAMESPACE
from schemas.kinds import Kind, Status
from schemas.records import COMMON_FIELDS, RECORD_KINDS, ColumnType, OwnField, own_columns
from timeline import ddl
from timeline.column import TIME
from timeline.explanation_sql import explain_link_sql
from timeline.scope import Scope

# What a query's own names and parameters must not begin with.
RESERVED: Final = "opstrail_"


@dataclass(frozen=True, slots=True)
class ViewColumn:
    """`expression` is over `_ROWS`, the rows of the view's source."""

    name: str
    type: str
    comment: str
    expression: str


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """`source` stands after FROM; `{database}` and the conditions `{on_…}` are filled in."""

    name: str
    comment: str
    columns: Sequence[ViewColumn]
    source: str
    before: str = ""  # stands before SELECT


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundViews:
    """What takes the place of each view for one reader, and the parameters that needs."""

    selects: Mapping[str, str]
    parameters: Mapping[str, Any]


def bind_views(
    database: str, scope: Scope, *, lost_before_us: int, deploy_actions: Sequence[str]
) -> BoundViews:
    """Open records that started at or before `lost_before_us` read as lost; `deploy_actions`
    count as deployments where a workspace does not say otherwise.
    """
    parameters: dict[str, Any] = {
        _ORGANIZATION: scope.organization,
        _LOST_BEFORE: lost_before_us,
        _DEPLOY_ACTIONS: list(deploy_actions),
    }
    if scope.workspace_patterns is not None:
        names = [name for name in scope.workspace_patterns if not name.endswith("*")]
        prefixes = [name[:-1] for name in scope.workspace_patterns if name.endswith("*")]
        parameters |= {_NAMES: names, _PREFIXES: prefixes}
    filled = {
        "database": f"`{database}`",
        "on_organization": _on_organization(),
        "on_workspace": _on_workspace("workspace", scope),
        "on_name": _on_workspace("name", scope),
        "on_instance": _on_instance(database, scope),
    }
    return BoundViews(
        selects={view.name: _select(view).format(**filled) for view in VIEWS},
        parameters=parameters,
    )


_ROWS: Final = f"{RESERVED}rows"
_ORGANIZATION: Final = f"{RESERVED}organization"
_LOST_BEFORE: Final = f"{RESERVED}lost_before"
_DEPLOY_ACTIONS: Final = f"{RESERVED}deploy_actions"
_NAMES: Final = f"{RESERVED}names"
_PREFIXES: Final = f"{RESERVED}prefixes"

_TEXT: Final = "Nullable(String)"
_OWN_TYPES: Final[Mapping[ColumnType, str]] = {
    "string": _TEXT,
    "integer": "Nullable(Int64)",
    "boolean": "Nullable(Bool)",
}


def _select(view: View) -> str:
    columns = ", ".join(f"{column.expression} AS `{column.name}`" for column in view.columns)
    return f"{view.before}SELECT {columns} FROM {view.source}"


def _parameter(name: str, type_: str) -> str:
    """A placeholder that survives `format`."""
    return f"{{{{{name}:{type_}}}}}"


def _on_organization() -> str:
    return f"{_ROWS}.organization = {{{_ORGANIZATION}:String}}"


def _on_workspace(column: str, scope: Scope) -> str:
    """The same rows as `Scope.conditions`, in names that no query around can take."""
    if scope.workspace_patterns is None:
        return _on_organization()
    prefix = f"{RESERVED}prefix"
    return (
        f"{_on_organization()} AND ({_ROWS}.{column} IN {{{_NAMES}:Array(String)}} OR"
        f" arrayExists({prefix} -> startsWith({_ROWS}.{column}, {prefix}),"
        f" {{{_PREFIXES}:Array(String)}}))"
    )


def _on_instance(database: str, scope: Scope) -> str:
    """The same instances as the list of them shows."""
    if scope.workspace_patterns is None:
        return _on_organization()
    return (
        f"{_on_organization()} AND {_ROWS}.cli_instance_id IN (SELECT {_ROWS}.cli_instance_id"
        f" FROM `{database}`.{ddl.ENTRIES.name} AS {_ROWS}"
        f" WHERE {_on_workspace('workspace', scope)} AND {_ROWS}.cli_instance_id != '')"
    )


def _plain(name: str, type_: str, comment: str) -> ViewColumn:
    return ViewColumn(name, type_, comment, f"{_ROWS}.`{name}`")


def _text(name: str, comment: str) -> ViewColumn:
    return ViewColumn(name, "String", comment, f"CAST({_ROWS}.`{name}`, 'String')")


def _known(name: str, comment: str) -> ViewColumn:
    """Text of which '' stands for "not known"."""
    return ViewColumn(name, _TEXT, comment, f"nullIf(CAST({_ROWS}.`{name}`, 'String'), '')")


def _own(field: OwnField) -> ViewColumn:
    comment = field.comment or field.path
    if field.type == "string":
        return _known(field.column, comment)
    return _plain(field.column, _OWN_TYPES[field.type], comment)


_LOST: Final = (
    f"if({_ROWS}.is_open AND {_ROWS}.occurred_at"
    f" <= fromUnixTimestamp64Micro({_parameter(_LOST_BEFORE, 'Int64')}, 'UTC'),"
    f" '{Status.LOST.value}', CAST({_ROWS}.status, 'String'))"
)
# A list of names and one of environments. Looked up and not joined: who does not ask for it pays
# for one small read only. The empty name keeps the lists from being empty.
_LABELS: Final = f"{RESERVED}labels"
_ENVIRONMENTS: Final = (
    f"WITH (SELECT tuple(arrayPushBack(groupArray({_ROWS}.name), ''),"
    f" arrayPushBack(groupArray({_ROWS}.environment), ''))"
    f" FROM {{database}}.{ddl.WORKSPACES.name} AS {_ROWS} FINAL"
    f" WHERE {{on_organization}}) AS {_LABELS} "
)
_ENVIRONMENT: Final = (
    f"nullIf(transform({_ROWS}.workspace, tupleElement({_LABELS}, 1),"
    f" tupleElement({_LABELS}, 2), ''), '')"
)
_COMMON_COMMENTS: Final = {column.name: column.comment for column in ddl.COMMON_COLUMNS}
_IS_CONFIGURED: Final = f"{_ROWS}.configured_by_sync_id != ''"
_BEFORE_OWN: Final = (
    _text("kind", f"Kind of the record: {', '.join(Kind)}"),
    _plain("id", "String", "Id of the record, as its sender gave it"),
    _plain("organization", "String", "Organization the record belongs to: always yours"),
    _plain("workspace", "String", "Workspace the record belongs to"),
    ViewColumn("environment", _TEXT, "Environment the workspace is labelled with", _ENVIRONMENT),
    _plain("occurred_at", TIME, "Start of the record, UTC; never changes"),
    _plain("ended_at", f"Nullable({TIME})", "End, UTC; NULL while open, and for syncs"),
    _plain("duration_ms", "Nullable(Int64)", "End minus start in whole milliseconds"),
    ViewColumn(
        "status",
        "String",
        "running, successful, failed, aborted, ended; lost: still open long after its start",
        _LOST,
    ),
    _known("actor", "Owner of the key that sent the first snapshot"),
    _known("actor_kind", "person or service"),
    _known("key_id", "Key that sent the closing snapshot, else the first"),
    *(_known(name, _COMMON_COMMENTS[name]) for name in COMMON_FIELDS),
)
_AFTER_OWN: Final = (
    _known("configured_by_sync_id", "Id of the sync in force at the start"),
    _known("configured_by_commit", "Commit that sync brought"),
    _known("configured_by_branch", "Branch that sync brought"),
    _known("configured_by_confidence", "exact or likely"),
    ViewColumn(
        "configured_by_behind",
        "Nullable(Bool)",
        "Whether the workspace was already at another commit",
        f"if({_IS_CONFIGURED}, {_ROWS}.configured_by_behind, NULL)",
    ),
    _known("configured_by_explanation", "Why this sync, in a sentence"),
    _plain("links_omitted", "Bool", "Whether there were more links than are kept"),
    _plain("unexplained", "Nullable(Bool)", "Session without a run of its origin nearby"),
    ViewColumn(
        "flags",
        "Array(String)",
        "What is remarkable about the record",
        f"CAST({_ROWS}.flags, 'Array(String)')",
    ),
    _plain("received_at", TIME, "When the first snapshot arrived, UTC"),
    _plain("revision", "UInt64", "Version of this entry; the highest is what is shown"),
)


def _entries(name: str, comment: str, fields: Sequence[OwnField], kind: Kind | None) -> View:
    of_kind = "" if kind is None else f" AND {_ROWS}.kind = '{kind.value}'"
    return View(
        name=name,
        comment=comment,
        columns=(*_BEFORE_OWN, *map(_own, fields), *_AFTER_OWN),
        source=f"{{database}}.{ddl.ENTRIES.name} AS {_ROWS} FINAL WHERE {{on_workspace}}{of_kind}",
        before=_ENVIRONMENTS,
    )


# A link's id is UUIDv5 (RFC 9562, section 5.5): the first 16 bytes of a SHA-1, with the version
# and the variant put in.
_LINK: Final = f"{RESERVED}link"
_LINK_DIGEST: Final = (
    f"SHA1(concat(unhex('{LINK_NAMESPACE.hex}'), arrayStringConcat([{_ROWS}.organization,"
    f" {_ROWS}.workspace, {_LINK}.1, toString({_ROWS}.kind), {_ROWS}.id, {_LINK}.2, {_LINK}.3],"
    " '/')))"
)


def _link_digest_hex(first: int, length: int) -> str:
    return f"lower(hex(substring({_LINK_DIGEST}, {first}, {length})))"


_LINK_ID: Final = (
    f"concat({_link_digest_hex(1, 4)}, '-', {_link_digest_hex(5, 2)}, '-5',"
    f" substring({_link_digest_hex(7, 2)}, 2), '-',"
    f" lower(hex(bitOr(bitAnd(reinterpretAsUInt8(substring({_LINK_DIGEST}, 9, 1)), 63), 128))),"
    f" {_link_digest_hex(10, 1)}, '-', {_link_digest_hex(11, 6)})"
)
_LINK_TYPE: Final = "Array(Tuple(String, String, String, String, Nullable(Int64), String, String))"
_PADDED: Final = tuple(
    f"arrayResize({_ROWS}.{column.name}, length({_ROWS}.link_rule))" for column in ddl.LINK_COLUMNS
)
_ALL_LINKS: Final = (
    f"arrayConcat(if({_IS_CONFIGURED}, CAST([('{CONFIGURED_BY}', '{Kind.WORKSPACE_SYNC.value}',"
    f" {_ROWS}.configured_by_sync_id, toString({_ROWS}.configured_by_confidence), NULL,"
    f" {_ROWS}.configured_by_explanation, '')], '{_LINK_TYPE}'), CAST([], '{_LINK_TYPE}')),"
    # Of explanations and origins a row has one alone.
    f" CAST(arrayZip({', '.join(_PADDED)}), '{_LINK_TYPE}'))"
)
_EXPLANATION: Final = explain_link_sql(
    rule=f"{_LINK}.1",
    target_kind=f"{_LINK}.2",
    gap_ms=f"{_LINK}.5",
    origin=f"{_LINK}.7",
    actor=f"{_ROWS}.actor",
    cli_instance_id=f"{_ROWS}.cli_instance_id",
)
_LINKS: Final = View(
    name="links",
    comment="One row a link; what configured a record is the rule `configured_by`",
    columns=(
        ViewColumn("id", "String", "Id of the link", _LINK_ID),
        _plain("organization", "String", "Organization both records belong to: always yours"),
        _plain("workspace", "String", "Workspace both records belong to"),
        _plain("occurred_at", TIME, "Start of the source, UTC"),
        ViewColumn("source_kind", "String", "Kind of the source", f"CAST({_ROWS}.kind, 'String')"),
        ViewColumn("source_id", "String", "Id of the record the link stands on", f"{_ROWS}.id"),
        ViewColumn(
            "rule",
            "String",
            "configured_by, during, after, before, retriggered_from, retriggered_as",
            f"{_LINK}.1",
        ),
        ViewColumn("target_kind", "String", "Kind of the target", f"{_LINK}.2"),
        ViewColumn("target_id", "String", "Id of the record the link points to", f"{_LINK}.3"),
        ViewColumn("confidence", "String", "exact or likely", f"{_LINK}.4"),
        ViewColumn(
            "gap_ms",
            "Nullable(Int64)",
            "Milliseconds between the two; rules after and before only",
            f"{_LINK}.5",
        ),
        ViewColumn(
            "explanation",
            "String",
            "Why the two are linked, in a sentence",
            f"if({_LINK}.6 != '', {_LINK}.6, {_EXPLANATION})",
        ),
    ),
    source=f"{{database}}.{ddl.ENTRIES.name} AS {_ROWS} FINAL ARRAY JOIN {_ALL_LINKS} AS {_LINK}"
    " WHERE {on_workspace}",
)


def _moment(aggregate: str, column: str) -> str:
    """Of a column of partial aggregates; without the cast its type would say so."""
    return f"CAST({aggregate}({_ROWS}.{column}) AS {TIME})"


_VERSION_TYPE: Final = f"Tuple(version String, first_seen {TIME}, last_seen {TIME})"
_INSTANCES: Final = View(
    name="cli_instances",
    comment="The register of CLI installations; one row each",
    columns=(
        ViewColumn("id", "String", "Id of the installation", f"{_ROWS}.cli_instance_id"),
        ViewColumn(
            "cli_version",
            _TEXT,
            "Version it was last seen with",
            f"nullIf(argMaxIf({_ROWS}.cli_version, ({_ROWS}.last_here, {_ROWS}.cli_version),"
            f" {_ROWS}.cli_version != ''), '')",
        ),
        ViewColumn(
            "os", _TEXT, "Operating system last stated", f"nullIf(max({_ROWS}.latest_os).2, '')"
        ),
        ViewColumn(
            "arch",
            _TEXT,
            "Processor architecture last stated",
            f"nullIf(max({_ROWS}.latest_arch).2, '')",
        ),
        ViewColumn(
            "hostname", _TEXT, "Machine last stated", f"nullIf(max({_ROWS}.latest_hostname).2, '')"
        ),
        ViewColumn("first_seen", TIME, "Earliest moment it is known for", f"min({_ROWS}.known)"),
        ViewColumn("last_seen", TIME, "Latest sighting", f"max({_ROWS}.last_here)"),
        ViewColumn(
            "actors",
            "Array(String)",
            "Everybody who was seen with it",
            f"arraySort(groupUniqArrayArray({_ROWS}.everybody))",
        ),
        ViewColumn(
            "versions",
            f"Array({_VERSION_TYPE})",
            "Each version with its first and last sighting, the oldest first",
            f"CAST(arraySort({RESERVED}version -> ({RESERVED}version.2, {RESERVED}version.1),"
            f" groupArrayIf(({_ROWS}.cli_version, {_ROWS}.first_here, {_ROWS}.last_here),"
            f" {_ROWS}.cli_version != '')) AS Array({_VERSION_TYPE}))",
        ),
    ),
    # Versions are merged first: a row of the table may stand in several parts of it.
    source=f"(SELECT {_ROWS}.cli_instance_id AS cli_instance_id,"
    f" {_ROWS}.cli_version AS cli_version,"
    f" {_moment('min', 'first_seen')} AS known, {_moment('min', 'first_sighting')} AS first_here,"
    f" {_moment('max', 'last_sighting')} AS last_here,"
    f" max({_ROWS}.latest_hostname) AS latest_hostname,"
    f" max({_ROWS}.latest_os) AS latest_os, max({_ROWS}.latest_arch) AS latest_arch,"
    f" groupUniqArrayArray({_ROWS}.actors) AS everybody"
    f" FROM {{database}}.{ddl.INSTANCES.name} AS {_ROWS} WHERE {{on_instance}}"
    f" GROUP BY {_ROWS}.cli_instance_id, {_ROWS}.cli_version) AS {_ROWS}"
    f" GROUP BY {_ROWS}.cli_instance_id",
)
_WORKSPACES: Final = View(
    name="workspaces",
    comment="Every workspace that has a record or a label",
    columns=(
        ViewColumn("name", "String", "Name of the workspace", f"{_ROWS}.name"),
        ViewColumn(
            "environment",
            _TEXT,
            "Environment it is labelled with",
            f"nullIf(max({_ROWS}.environment), '')",
        ),
        ViewColumn(
            "labels",
            "Map(String, String)",
            "Further labels",
            f"argMax({_ROWS}.labels, {_ROWS}.is_labelled)",
        ),
        ViewColumn(
            "deploy_actions",
            "Array(String)",
            "Actions that count as deployments here: the workspace's own, else the installation's",
            f"if(isNull(max({_ROWS}.deploy_actions)),"
            f" {_parameter(_DEPLOY_ACTIONS, 'Array(String)')},"
            f" JSONExtract(ifNull(max({_ROWS}.deploy_actions), '[]'), 'Array(String)'))",
        ),
        ViewColumn(
            "registered_at",
            TIME,
            "When its first record arrived or somebody labelled it, UTC",
            f"min({_ROWS}.registered_at)",
        ),
    ),
    source=f"(SELECT {_ROWS}.name AS name, {_ROWS}.environment AS environment,"
    f" {_ROWS}.labels AS labels, {_ROWS}.deploy_actions AS deploy_actions,"
    f" {_ROWS}.registered_at AS registered_at, 1 AS is_labelled"
    f" FROM {{database}}.{ddl.WORKSPACES.name} AS {_ROWS} FINAL WHERE {{on_name}}"
    f" UNION ALL SELECT {_ROWS}.name, '', CAST(map(), 'Map(String, String)'), NULL,"
    f" min({_ROWS}.registered_at), 0 FROM {{database}}.{ddl.WORKSPACE_REGISTER.name} AS {_ROWS}"
    f" WHERE {{on_name}} GROUP BY {_ROWS}.name) AS {_ROWS} GROUP BY {_ROWS}.name",
)
VIEWS: Final = (
    _entries("timeline", "Runs, sessions and syncs", tuple(own_columns().values()), None),
    _entries(
        "action_runs",
        "Runs of actions of blocks",
        RECORD_KINDS[Kind.ACTION_RUN].own_fields,
        Kind.ACTION_RUN,
    ),
    _entries(
        "ssh_sessions",
        "SSH sessions",
        RECORD_KINDS[Kind.SSH_SESSION].own_fields,
        Kind.SSH_SESSION,
    ),
    _entries(
        "workspace_syncs",
        "Syncs of workspaces with their repositories",
        RECORD_KINDS[Kind.WORKSPACE_SYNC].own_fields,
        Kind.WORKSPACE_SYNC,
    ),
    _INSTANCES,
    _LINKS,
    _WORKSPACES,
)
VIEW_NAMES: Final = tuple(view.name for view in VIEWS)
# The tables they read, each with a column `organization`.
BASE_TABLES: Final = (
    ddl.ENTRIES.name,
    ddl.INSTANCES.name,
    ddl.WORKSPACES.name,
    ddl.WORKSPACE_REGISTER.name,
)
