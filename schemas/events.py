"""The four kinds of events as JSON objects: their fields and what each may hold.

A new kind is a TypedDict here, a line in `EVENT_TYPES` and one in `schemas/records.py` (how its
snapshots become a record); docs/adding-a-kind.md lists every place. Validated values are already
normalised: times in µs, ids in lower case, synonyms resolved.
Source: the contract, section 2.
"""

from typing import Annotated, Final, Literal, NotRequired

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    with_config,
)
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from schemas.limits import (
    CLIENT_SEQ_MAX,
    DURATION_MS_MAX,
    EXIT_CODE_MAX,
    EXIT_CODE_MIN,
    NAME_CHARACTERS_MAX,
    STRING_CHARACTERS_MAX,
)
from schemas.times import parse_us

_NIL_UUID: Final = "00000000-0000-0000-0000-000000000000"
STATUS_SYNONYMS: Final = {
    "pending": "running",
    "success": "successful",
    "failure": "failed",
    "cancelled": "aborted",
    "canceled": "aborted",
}


def _lower_uuid(text: str) -> str:
    text = text.lower()
    if text == _NIL_UUID:
        raise ValueError("the nil UUID names nothing")
    return text


def _string(value: object) -> str:
    if not isinstance(value, str):
        # pydantic's own name for this error, so that it reads as wrong_type and not as bad_value.
        raise PydanticCustomError("string_type", "must be a string")
    return value


def _resolve_status(value: object) -> str:
    text = _string(value)
    return STATUS_SYNONYMS.get(text, text)


def _time_us(value: object) -> int:
    return parse_us(_string(value))


def _capped_ms(duration_ms: int) -> int:
    # The log holds 64 bits; a sender may state more digits, which is no reason to lose the event.
    return min(duration_ms, DURATION_MS_MAX)


# No control characters (Cc) and no bidirectional overrides: they lie about what a line says.
_TEXT_PATTERN: Final = r"^[^\p{Cc}\x{202A}-\x{202E}\x{2066}-\x{2069}]*$"

_NAME_PATTERN: Final = r"^[A-Za-z0-9_][A-Za-z0-9._-]*$"
_UUID_PATTERN: Final = (
    r"^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$"
)
_INSTANCE_ID_PATTERN: Final = r"^cli-[0-9A-Fa-f]{8,32}$"
_SHA_PATTERN: Final = r"^[0-9a-f]{7,64}$"

# What a person is told who missed one of the patterns.
PATTERN_DETAILS: Final[dict[str | None, str]] = {
    _TEXT_PATTERN: "must not hold control characters or bidirectional overrides",
    _NAME_PATTERN: "only letters, digits, `.`, `_`, `-`; not starting with `.` or `-`",
    _UUID_PATTERN: "must be a UUID: 8-4-4-4-12 hexadecimal digits",
    _INSTANCE_ID_PATTERN: "must be `cli-` and 8 to 32 hexadecimal digits",
    _SHA_PATTERN: "must be 7 to 64 lower-case hexadecimal digits",
}

Text = Annotated[
    str,
    StringConstraints(
        strict=True, min_length=1, max_length=STRING_CHARACTERS_MAX, pattern=_TEXT_PATTERN
    ),
]
Name = Annotated[
    str,
    StringConstraints(
        strict=True,
        min_length=1,
        max_length=NAME_CHARACTERS_MAX,
        pattern=_NAME_PATTERN,
    ),
]
Uuid = Annotated[
    str,
    StringConstraints(strict=True, pattern=_UUID_PATTERN),
    AfterValidator(_lower_uuid),
]
InstanceId = Annotated[
    str,
    StringConstraints(strict=True, pattern=_INSTANCE_ID_PATTERN),
    AfterValidator(str.lower),
]
Sha = Annotated[str, StringConstraints(strict=True, pattern=_SHA_PATTERN)]
TimeUs = Annotated[int, BeforeValidator(_time_us)]
ExitCode = Annotated[int, Field(strict=True, ge=EXIT_CODE_MIN, le=EXIT_CODE_MAX)]
Count = Annotated[int, Field(strict=True, ge=0, le=CLIENT_SEQ_MAX)]
Milliseconds = Annotated[int, Field(strict=True, ge=0), AfterValidator(_capped_ms)]
Seconds = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
RunStatus = Annotated[
    Literal["running", "successful", "failed", "aborted"], BeforeValidator(_resolve_status)
]
SyncResult = Annotated[Literal["success", "failed", "conflict"], BeforeValidator(_string)]


_STRICT: Final = ConfigDict(extra="forbid")


class _Common(TypedDict):
    organization: NotRequired[Name]
    user: NotRequired[Text]
    os_user: NotRequired[Text]
    hostname: NotRequired[Text]
    cli_instance_id: NotRequired[InstanceId]
    cli_version: NotRequired[Text]
    client_seq: NotRequired[Count]
    reason: NotRequired[Text]
    ticket: NotRequired[Text]


@with_config(_STRICT)
class ActionRun(_Common):
    """One execution of `run BLOCK ACTION`."""

    type: Literal["action_run"]
    id: Uuid
    workspace: Name
    block: Text
    block_from: NotRequired[Text]
    block_version: NotRequired[Text]
    action: Text
    started_at: TimeUs
    finished_at: NotRequired[TimeUs]
    duration_ms: NotRequired[Milliseconds]
    exit_code: NotRequired[ExitCode]
    status: NotRequired[RunStatus]
    commit_sha: NotRequired[Sha]
    retriggered_from: NotRequired[Uuid]


@with_config(_STRICT)
class Host(TypedDict):
    """The three names of the machine a session reached."""

    inventory_name: Text
    ansible_host: NotRequired[Text]
    hostname_reported: NotRequired[Text]


@with_config(_STRICT)
class SshSession(_Common):
    """One interactive session on a host."""

    type: Literal["ssh_session"]
    id: Uuid
    workspace: Name
    host: Host
    started_at: TimeUs
    ended_at: NotRequired[TimeUs]
    duration_seconds: NotRequired[Seconds]
    exit_code: NotRequired[ExitCode]


@with_config(_STRICT)
class Git(TypedDict):
    """What a sync moved: from which commit to which, on which branch."""

    branch: NotRequired[Text]
    before_sha: NotRequired[Sha]
    after_sha: NotRequired[Sha]


@with_config(_STRICT)
class Encryption(TypedDict):
    """Whether the workspace's secrets were encrypted, and for which public key."""

    enabled: Annotated[bool, Field(strict=True)]
    key_id: NotRequired[Text]
    status: NotRequired[Text]


@with_config(_STRICT)
class WorkspaceSync(_Common):
    """One synchronisation of a workspace with git."""

    type: Literal["workspace_sync"]
    id: Uuid
    workspace: Name
    timestamp: TimeUs
    result: SyncResult
    git: NotRequired[Git]
    encryption: NotRequired[Encryption]


@with_config(_STRICT)
class CliInstance(TypedDict):
    """One installed command line as it sees itself; an observation for the register."""

    type: Literal["cli_instance"]
    id: InstanceId
    organization: NotRequired[Name]
    workspace: NotRequired[Name]
    user: NotRequired[Text]
    os_user: NotRequired[Text]
    hostname: Text
    cli_instance_id: NotRequired[InstanceId]
    cli_version: Text
    client_seq: NotRequired[Count]
    reason: NotRequired[Text]
    ticket: NotRequired[Text]
    os: Text
    arch: Text
    first_seen: NotRequired[TimeUs]
    last_seen: NotRequired[TimeUs]


EVENT_TYPES: Final = {
    "action_run": ActionRun,
    "ssh_session": SshSession,
    "workspace_sync": WorkspaceSync,
    "cli_instance": CliInstance,
}
