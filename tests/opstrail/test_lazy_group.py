"""Commands are imported when they are called, and all there are can be called."""

import pkgutil
import subprocess
import sys

import click

import opstrail.commands
from opstrail.main import cli


def test_every_module_of_commands_is_a_command() -> None:
    modules = {
        each.name.replace("_", "-") for each in pkgutil.iter_modules(opstrail.commands.__path__)
    }
    context = click.Context(cli)

    assert set(cli.list_commands(context)) == modules
    for name in modules:
        command = cli.get_command(context, name)
        assert command is not None
        assert command.name == name


def test_an_unknown_command_is_none() -> None:
    assert cli.get_command(click.Context(cli), "os") is None


def test_whoever_asks_for_the_timeline_does_not_wait_for_the_server() -> None:
    code = (
        "import sys; sys.argv = ['opstrail', 'timeline', '--help']\n"
        "from opstrail.main import main\n"
        "try: main()\n"
        "finally: print({'faust', 'chdb', 'sqlalchemy', 'pyarrow', 'sqlglot'} & set(sys.modules))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )

    assert ended.stdout.endswith("set()\n"), ended.stdout
