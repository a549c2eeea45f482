"""`opstrail sql`: ask the trail in SQL."""

import json
import re
from pathlib import Path
from typing import Any, Final

import click

from opstrail.client import Client, client_of
from opstrail.output import JSON, TABLE, chosen_format, format_options, write_chunks, write_json
from opstrail.screen import open_console
from opstrail.sql_text import print_result, print_schema
from runtime.settings import Settings
from schemas.limits import MIB

_PARAMETER: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(:?=)(.*)", re.ASCII | re.DOTALL)
# More than the server takes; it says so itself.
_QUERY_BYTES_MAX: Final = MIB


@click.command("sql")
@click.argument("query", required=False)
@click.option(
    "--param",
    "-p",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="For {NAME:Type} in the query; NAME:=JSON for lists and null. Repeatable.",
)
@click.option("--schema", "is_schema", is_flag=True, help="Show the views and their columns.")
@format_options
@click.pass_obj
def command(
    settings: Settings,
    /,
    query: str | None,
    parameters: tuple[str, ...],
    is_schema: bool,
    form: str,
    is_json: bool,
    output: Path | None,
) -> None:
    """Run a read-only query over your organization's history; - reads it from standard input.

    A value given with --param stays a value, whatever is in it. Needs OPSTRAIL_URL and an
    OPSTRAIL_KEY with the role analyst.

    \b
    Example:  opstrail sql 'SELECT actor, count() FROM timeline GROUP BY actor'
              opstrail sql 'SELECT * FROM links WHERE rule={r:String}' -p r=during
              opstrail sql - --format parquet --output runs.parquet < runs.sql
    """
    form = chosen_format(form, is_json=is_json, output=output)
    if is_schema:
        if query is not None or parameters:
            raise click.UsageError("--schema takes no query")
        if form not in (TABLE, JSON):
            raise click.UsageError("--schema is shown as table or json")
        _show_schema(settings, form, output)
        return
    if query is None:
        raise click.UsageError("no QUERY given; `opstrail sql --schema` shows what there is to ask")
    body = {"query": _text(query), "parameters": dict(map(_parameter, parameters))}
    client = client_of(settings)
    _answer(client, body, form, output)
    client.close()


def _answer(client: Client, body: dict[str, Any], form: str, output: Path | None) -> None:
    if form in (TABLE, JSON):
        result = client.post("/v1/sql", body)
        if form == JSON:
            write_json(result, output)
        else:
            print_result(open_console(), result)
        return
    with client.stream("POST", "/v1/sql", params=[("format", form)], body=body) as chunks:
        write_chunks(chunks, output)


def _show_schema(settings: Settings, form: str, output: Path | None) -> None:
    client = client_of(settings)
    schema = client.get("/v1/sql/schema")
    client.close()
    if form == JSON:
        write_json(schema, output)
    else:
        print_schema(open_console(), schema["views"])


def _text(query: str) -> str:
    """Raises click's BadParameter: standard input holds no text."""
    if query != "-":
        return query
    with click.open_file("-", "rb") as file:
        read: bytes = file.read(_QUERY_BYTES_MAX)
    try:
        return read.decode()
    except UnicodeDecodeError as error:
        raise click.BadParameter("standard input is not UTF-8", param_hint="QUERY") from error


def _parameter(text: str) -> tuple[str, Any]:
    """Raises click's BadParameter."""
    found = _PARAMETER.fullmatch(text)
    if found is None:
        raise click.BadParameter("give NAME=VALUE or NAME:=JSON", param_hint="--param")
    name, sign, value = found.groups()
    if sign == "=":
        return name, value
    try:
        return name, json.loads(value)
    except ValueError as error:
        raise click.BadParameter(
            f"what follows {name}:= is no JSON", param_hint="--param"
        ) from error
