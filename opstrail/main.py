"""`opstrail`: every command, and the one table from errors to exit codes."""

import sys
from pathlib import Path
from typing import Final

import click

from opstrail.lazy_group import LazyGroup
from runtime.errors import (
    EXIT_BUG,
    EXIT_REFUSED,
    EXIT_UNAVAILABLE,
    EXIT_USAGE,
    OpstrailError,
    SettingsError,
    UnavailableError,
)
from runtime.logs import configure_logs
from runtime.settings import load_settings

_COMMANDS: Final = (
    *("up", "demo", "init", "ingest", "correlate", "sink", "query", "check"),
    *("backup", "restore", "rebuild"),
    *("send", "timeline", "case", "incident", "deployments", "instances", "gaps", "sql"),
    *("organizations", "principals", "keys", "access-log", "dead-letters"),
)


@click.group(
    cls=LazyGroup,
    package="opstrail.commands",
    names=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option("--config", type=click.Path(path_type=Path), help="TOML file with settings.")
@click.version_option(package_name="opstrail")
@click.pass_context
def cli(context: click.Context, config: Path | None) -> None:
    """The audit trail for infrastructure automation.

    Settings come from OPSTRAIL_* variables or --config FILE; docs/settings.md lists them.

    \b
    Try it:            opstrail demo
    Run it:            opstrail up
    Send events:       opstrail send events.ndjson
    Look at them:      opstrail timeline --host server01
    All about one:     opstrail case ssh ID
    Before an outage:  opstrail incident --at 2026-03-20T21:30:00+01:00
    What went where:   opstrail deployments --environment production
    Anything else:     opstrail sql --schema
    Let others in:     opstrail keys create --principal ci --role submit
    """
    context.obj = load_settings(config)
    configure_logs(context.obj.log_level)


def main() -> None:
    """Exit codes: 0, 1 refused or failed, 2 wrong usage, 69 a dependency is away, 70 a bug."""
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Exit as exit_:
        sys.exit(exit_.exit_code)
    except click.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(EXIT_USAGE)
    except OpstrailError as error:
        click.echo(f"opstrail: {error}", err=True)
        sys.exit(exit_code_of(error))
    except BrokenPipeError:
        sys.exit(EXIT_REFUSED)
    except Exception as error:
        import structlog

        structlog.get_logger().critical("bug", error=type(error).__name__, exc_info=error)
        sys.exit(EXIT_BUG)


def exit_code_of(error: OpstrailError) -> int:
    """Whose fault it is, as a number."""
    if isinstance(error, SettingsError):
        return EXIT_USAGE
    return EXIT_UNAVAILABLE if isinstance(error, UnavailableError) else EXIT_REFUSED
