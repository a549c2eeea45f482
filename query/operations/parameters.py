"""The query parameters of the read API as its document tells of them.

Must stay true: which parameters an address takes comes from the tables of `timeline/` that its
handler reads them by, so a new filter is documented by being one.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from query.export_format import FORMAT, JSON, ExportFormat
from runtime.operation import JsonSchema, Parameter, array_of, enum_of, ref
from schemas.kinds import DEAD_EVENT_DETAILS, Flag, Kind, Status
from schemas.limits import EXIT_CODE_MAX, EXIT_CODE_MIN
from timeline.cursor import Order
from timeline.filters import TEXT_COLUMNS
from timeline.parameters import LIMIT_DEFAULT, LIMIT_MAX, VALUES_MAX
from timeline.summary_query import GROUP_KEYS, KEYS_MAX

_BOOLEAN: Final[JsonSchema] = {"type": "boolean"}


def _one(
    name: str, schema: JsonSchema, description: str, example: Any = None, **more: Any
) -> Parameter:
    return Parameter(name=name, schema=schema, description=description, example=example, **more)


def _many(name: str, item: JsonSchema, description: str) -> Parameter:
    """Repeatable: any of the values."""
    return Parameter(
        name=name,
        schema=array_of(item, maxItems=VALUES_MAX),
        description=f"{description} Repeatable: any of them.",
        is_repeatable=True,
    )


def _time(name: str, description: str, **more: Any) -> Parameter:
    return _one(name, ref("Time"), description, "2026-03-24T08:00:00Z", **more)


def _limit(default: int, what: str) -> Parameter:
    schema: JsonSchema = {
        "type": "integer",
        "minimum": 1,
        "maximum": LIMIT_MAX,
        "default": default,
    }
    return _one("limit", schema, what, 100)


CURSOR: Final = _one(
    "cursor",
    {"type": "string", "pattern": "^[A-Za-z0-9_-]+$", "maxLength": 1_024},
    "`next_cursor` of the page before, unchanged. It brings its order along.",
)
LIMIT: Final = _limit(LIMIT_DEFAULT, "How many items a page holds at most.")
WORKSPACE_FILTER: Final = _many("workspace", ref("Name"), "In this workspace.")
ENVIRONMENT: Final = _many(
    "environment", ref("Text"), "In a workspace that is labelled with this environment."
)
WORKSPACE: Final = _one(
    "workspace", ref("Name"), "Which workspace is meant, when the id lives in several."
)
EXPORT_FORMAT: Final = _one(
    FORMAT,
    enum_of([JSON, *ExportFormat]),
    "The form of the answer; goes before the header `Accept`.",
    "ndjson",
)

_KNOWN: Final[Mapping[str, Parameter]] = {
    parameter.name: parameter
    for parameter in (
        _time("from", "Started at or after this time."),
        _time("to", "Started before this time."),
        _time("active_at", "Running at this instant."),
        _time("active_from", "Running at some time from here on; takes `active_to`."),
        _time("active_to", "Running at some time before this; takes `active_from`."),
        _many("kind", enum_of(list(Kind)), "Of this kind."),
        WORKSPACE_FILTER,
        ENVIRONMENT,
        _many("status", enum_of(list(Status)), "With this status."),
        _many(
            "exit_code",
            {"type": "integer", "minimum": EXIT_CODE_MIN, "maximum": EXIT_CODE_MAX},
            "With this exit code.",
        ),
        _many(
            "commit",
            {"type": "string", "pattern": "^[0-9A-Fa-f]{4,64}$"},
            "Commit of the run, of the sync, or of the configuration in force, by its first"
            " digits.",
        ),
        _one("unexplained", _BOOLEAN, "Sessions to which no run of the same origin stands near."),
        _many("flag", enum_of(list(Flag)), "With this flag."),
        _one("order", {**enum_of(list(Order)), "default": "desc"}, "By time, the newest first."),
        LIMIT,
        CURSOR,
        # The register of CLI instances
        _many("version", ref("Text"), "With this version of the command line, as last seen."),
        _one(
            "version_below",
            ref("Text"),
            "With a version below this one, in the order of versions.",
            "0.18.0",
        ),
        _time("seen_before", "Last seen before this time."),
        _time("seen_after", "Last seen at or after this time."),
        _time("first_seen_after", "First seen at or after this time."),
        _many("os", ref("Text"), "With this operating system."),
        # Deployments
        _one("latest", _BOOLEAN, "Only the newest of each environment, workspace and block."),
        # Dead letters
        _many("reason", enum_of([str(reason) for reason in DEAD_EVENT_DETAILS]), "Set aside for."),
        # The summary
        Parameter(
            name="group_by",
            schema=array_of(enum_of(GROUP_KEYS), maxItems=KEYS_MAX, uniqueItems=True),
            description="What makes a group; several: repeated, or with commas between them.",
            is_repeatable=True,
            example=["workspace"],
        ),
        # Incidents
        _one(
            "before",
            {"type": "string", "pattern": "^(?!0+[mhd])[0-9]{1,5}[mhd]$", "default": "8h"},
            "How far to look back: from 1m to 31d.",
            "8h",
        ),
    )
}
_DESCRIPTIONS: Final[Mapping[str, str]] = {
    "actor": "By this person or service account, as the key says.",
    "user": "With this user, as the event claims.",
    "os_user": "With this user of the machine.",
    "cli_instance_id": "From this installed command line.",
    "hostname": "From this machine.",
    "host": "To this host, by any of its three names.",
    "block": "Of this block instance.",
    "block_name": "Of this block, by its reference without version.",
    "block_version": "Of this version of a block.",
    "action": "Of this action.",
    "ticket": "For this change or incident.",
}


def _text(name: str) -> Parameter:
    item = ref("CliInstanceId") if name == "cli_instance_id" else ref("Text")
    return _many(name, item, _DESCRIPTIONS.get(name, f"With this `{name}`."))


TEXT_FILTERS: Final = {name: _text(name) for name in TEXT_COLUMNS}


def parameters(names: Iterable[str], instead: Iterable[Parameter] = ()) -> tuple[Parameter, ...]:
    """Those an address takes, `instead` being what it means by some names itself."""
    own = {parameter.name: parameter for parameter in instead}
    return tuple(own.get(name) or _KNOWN.get(name) or _text(name) for name in names)


def path_parameter(name: str, schema: JsonSchema, description: str, example: Any) -> Parameter:
    return Parameter(
        name=name,
        place="path",
        schema=schema,
        description=description,
        is_required=True,
        example=example,
    )


def period(of_what: str) -> tuple[Parameter, Parameter]:
    """`from` and `to` where they are about another time than the start."""
    return (
        _time("from", f"{of_what} at or after this time."),
        _time("to", f"{of_what} before this time."),
    )


def needed_time(name: str, description: str) -> Parameter:
    return _time(name, description, is_required=True)


def limit(default: int, description: str) -> Parameter:
    return _limit(default, description)
