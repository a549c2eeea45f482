"""A group of commands that imports a command's module when it is called.

Who asks for the timeline need not wait until everything a server is made of is imported.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """`names` in the order of the help; `access-log` is `command` in `<package>.access_log`."""

    def __init__(self, *arguments: Any, package: str, names: Sequence[str], **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._package = package
        self._names = names

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._names:
            return None
        module = import_module(f"{self._package}.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command
