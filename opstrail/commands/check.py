"""`opstrail check`: does every dependency answer?"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable

import click

from opstrail.dependencies import dependencies
from opstrail.sql_wall import sql_wall
from runtime.errors import EXIT_UNAVAILABLE, OpstrailError
from runtime.settings import Settings


@click.command("check")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def command(settings: Settings, as_json: bool) -> None:
    """Ask every dependency the settings name, one line each; exit code 69 when one is away.

    With a ClickHouse server a further line says whether analysts' SQL runs as a user of its own.

    \b
    Example:  opstrail check
    """
    results = asyncio.run(_ask_all(dependencies(settings)))
    sql = None if any(results.values()) else sql_wall(settings)
    if as_json:
        answer = {name: problem or "ok" for name, problem in results.items()}
        click.echo(json.dumps(answer if sql is None else {**answer, "sql": sql.text}))
    else:
        for name, problem in results.items():
            click.echo(
                f"{'ok  ' if problem is None else 'AWAY'}  {name}"
                f"{'' if problem is None else f': {problem}'}"
            )
        if sql is not None:
            click.echo(f"{'ok  ' if sql.is_there else 'note'}  sql: {sql.text}")
    if any(results.values()):
        sys.exit(EXIT_UNAVAILABLE)


async def _ask_all(
    asked: dict[str, Callable[[], Awaitable[None]]],
) -> dict[str, str | None]:
    results: dict[str, str | None] = {}
    for name, ask in asked.items():
        try:
            await ask()
            results[name] = None
        except OpstrailError as error:
            results[name] = str(error)
    return results
