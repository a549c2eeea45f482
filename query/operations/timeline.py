"""The lists of entries, and one entry."""

from typing import Final

from control.roles import Role
from query.operations.answers import (
    NOT_ACCEPTABLE,
    exportable,
    missing,
    ok,
    page_example,
    page_schema,
    reading,
)
from query.operations.entry_schema import SESSION_EXAMPLE, entry_name
from query.operations.parameters import EXPORT_FORMAT, WORKSPACE, parameters, path_parameter
from runtime.operation import Operation, Parameter, array_of, enum_of, ref
from runtime.problem_answer import problem_answer, problem_schema
from schemas.kinds import Kind
from timeline.filters import FILTERS

_TAG: Final = "Timeline"
_PATHS: Final = {kind: f"{kind.value.replace('_', '-')}s" for kind in Kind}

TIMELINE_SCHEMAS: Final = {
    "EntryPage": page_schema(ref("Entry")),
    **{f"{entry_name(kind)}Page": page_schema(ref(entry_name(kind))) for kind in Kind},
    "SeveralWorkspaces": problem_schema(
        "The id lives in several workspaces.",
        {"workspaces": array_of({"type": "string"}, minItems=2)},
    ),
}

# Of everything under /v1/records and /v1/cases.
RECORD_ADDRESS: Final[tuple[Parameter, ...]] = (
    path_parameter("kind", enum_of(list(Kind)), "What the record is.", "ssh_session"),
    path_parameter("id", ref("Uuid"), "The record's id.", SESSION_EXAMPLE["id"]),
)
SEVERAL_WORKSPACES: Final = problem_answer(
    "The id lives in several workspaces (`conflict`), which `workspaces` names; say which one with"
    " `?workspace=`.",
    schema=ref("SeveralWorkspaces"),
)
NO_SUCH_RECORD: Final = missing("record")


def _list(kind: Kind | None) -> Operation:
    name = "timeline" if kind is None else _PATHS[kind]
    page = "EntryPage" if kind is None else f"{entry_name(kind)}Page"
    what = "runs, sessions and syncs" if kind is None else name.replace("-", " ")
    examples = (
        {"session": page_example(SESSION_EXAMPLE)}
        if kind in (None, Kind.SSH_SESSION)
        else {"nothing": page_example()}
    )
    return Operation(
        id="list" + "".join(word.capitalize() for word in name.split("-")),
        method="GET",
        path=f"/v1/{name}",
        tag=_TAG,
        summary=f"List {what}",
        description="Sorted by start, the newest first unless `order` says otherwise. Values of one"
        " parameter are alternatives, parameters are all required.",
        role=Role.READ,
        parameters=(*parameters(FILTERS), EXPORT_FORMAT),
        answers=reading(
            exportable(ok(f"A page of {what}.", ref(page), **examples)),
            status_406=NOT_ACCEPTABLE,
        ),
    )


TIMELINE_OPERATIONS: Final = (
    _list(None),
    *map(_list, Kind),
    Operation(
        id="getRecord",
        method="GET",
        path="/v1/records/{kind}/{id}",
        tag=_TAG,
        summary="One entry",
        description="The record with its links, at its newest revision.",
        role=Role.READ,
        parameters=(*RECORD_ADDRESS, WORKSPACE),
        answers=reading(
            ok("The entry.", ref("Entry"), session=SESSION_EXAMPLE),
            status_404=NO_SUCH_RECORD,
            status_409=SEVERAL_WORKSPACES,
        ),
    ),
)
