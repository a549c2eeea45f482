"""POST /v1/sql and GET /v1/sql/schema: SQL for analysts."""

import asyncio
import math
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from starlette.requests import Request
from starlette.routing import Route

from control.roles import Role
from query.access import reading_route
from query.access_record import access_of
from query.export_format import ExportFormat, negotiate
from query.export_stream import export_response
from query.json_body import JsonObject, read_json_object
from query.services import QueryServices
from query.sql_guard import GuardedQuery, guard
from query.sql_refusal import shown, sql_refused
from runtime.errors import RefusedError
from schemas.access_event import AccessAction
from schemas.limits import KIB
from schemas.times import parse_us
from timeline.entry_conditions import time_text
from timeline.parameters import Parameters
from timeline.scope import Scope
from timeline.sql_execution import open_stream, run_sql
from timeline.sql_views import VIEWS, bind_views
from timeline.statement import Statement

BODY_BYTES_MAX: Final = 256 * KIB
PARAMETERS_MAX: Final = 100
# They travel in the address of a request to the server, where each byte may take three.
PARAMETERS_BYTES_MAX: Final = 32 * KIB

_PARAMETER_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,63}", re.ASCII)
_Single: TypeAlias = str | int | float | bool | None
_Value: TypeAlias = _Single | list[Any]


class SqlRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of POST /v1/sql."""

    query: Annotated[str, msgspec.Meta(min_length=1)]
    parameters: dict[str, _Value] = {}


def sql_routes(services: QueryServices) -> list[Route]:
    return [
        reading_route(
            "/v1/sql",
            services,
            _run,
            role=Role.ANALYST,
            method="POST",
            action=AccessAction.SQL,
        ),
        reading_route("/v1/sql/schema", services, _schema, is_audit_content=False),
    ]


async def _schema(services: QueryServices, request: Request, scope: Scope) -> Any:
    Parameters(request.query_params.multi_items(), ())
    return {
        "views": [
            {
                "name": view.name,
                "comment": view.comment,
                "columns": [
                    {"name": column.name, "type": column.type, "comment": column.comment}
                    for column in view.columns
                ],
            }
            for view in VIEWS
        ]
    }


async def _run(services: QueryServices, request: Request, scope: Scope) -> Any:
    Parameters(request.query_params.multi_items(), ("format",))
    form = negotiate(request)
    asked = _read_request(await read_json_object(request, body_bytes_max=BODY_BYTES_MAX))
    access_of(request).note(sql=asked.query, parameters=asked.parameters)
    database = await services.store.living_database()
    # Parsing may take long enough to hold up others.
    statement = await asyncio.to_thread(_statement, services, database, scope, asked)
    if form is not None:
        return await _stream(services, scope, statement, form)
    result = await run_sql(services.store, statement, scope.organization)
    return {
        "columns": [{"name": name, "type": type_} for name, type_ in result.columns],
        "rows": result.rows,
        "truncated": result.is_truncated,
        "elapsed_ms": result.elapsed_ms,
    }


async def _stream(
    services: QueryServices, scope: Scope, statement: Statement, form: ExportFormat
) -> Any:
    stream = await open_stream(services.store, statement, scope.organization)
    return export_response(form, stream.schema, stream.batches, filename=f"sql{form.suffix}")


def _read_request(body: JsonObject) -> SqlRequest:
    """Raises RefusedError."""
    try:
        asked = msgspec.convert(body, SqlRequest)
    except msgspec.ValidationError:
        raise RefusedError(
            'The body is {"query": "SELECT …", "parameters": {"name": value}} and nothing else;'
            " values are text, numbers, true, false, null, or lists of these.",
            code="bad_body",
        ) from None
    _check_parameters(asked.parameters)
    return asked


def _check_parameters(parameters: Mapping[str, _Value]) -> None:
    if len(parameters) > PARAMETERS_MAX:
        raise sql_refused(f"At most {PARAMETERS_MAX} parameters.")
    if len(msgspec.json.encode(parameters)) > PARAMETERS_BYTES_MAX:
        raise sql_refused(f"Parameters have at most {PARAMETERS_BYTES_MAX} bytes together.")
    for name, value in parameters.items():
        if _PARAMETER_NAME.fullmatch(name) is None:
            raise sql_refused("A parameter's name is in lower case: letters, digits and `_`.")
        if not _is_value(value):
            raise sql_refused(f"The value of the parameter {shown(name)} is not one.")


def _is_value(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_single(inner) for inner in value)
    return _is_single(value)


def _is_single(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" not in value
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, bool | int)


def _statement(
    services: QueryServices, database: str, scope: Scope, asked: SqlRequest
) -> Statement:
    """Raises RefusedError (`sql_refused`)."""
    views = bind_views(
        database,
        scope,
        lost_before_us=services.moment().lost_before_us,
        deploy_actions=services.deploy_actions,
    )
    guarded = guard(asked.query, views.selects)
    _check_names(guarded, list(asked.parameters))
    parameters = {
        name: _time(value) if name in guarded.time_names else value
        for name, value in asked.parameters.items()
    }
    return Statement(guarded.sql, {**parameters, **views.parameters})


def _time(value: _Value) -> _Value:
    """A time with an offset as the engine takes it; any other value as it is."""
    if not isinstance(value, str):
        return value
    try:
        return time_text(parse_us(value))
    except ValueError:
        return value


def _check_names(guarded: GuardedQuery, given: Sequence[str]) -> None:
    for name in sorted(guarded.parameter_names.difference(given)):
        raise sql_refused(f"The parameter {shown(name)} has no value in `parameters`.")
    for name in given:
        if name not in guarded.parameter_names:
            raise sql_refused(f"The query has no parameter {shown(name)}.")
