"""In which form a command gives its data away, and where to: standard output or a file.

Must stay true: a file has its name only when it is whole.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import click

from runtime.errors import RefusedError

Command: TypeAlias = Callable[..., Any]

TABLE: Final = "table"
JSON: Final = "json"
EXPORT_FORMATS: Final = ("ndjson", "csv", "parquet", "arrow")
_BINARY: Final = frozenset({"parquet", "arrow"})
_ACTING: Final = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff]")
_STDOUT: Final = Path("-")
_UNFINISHED: Final = ".unfinished"


def format_options(command: Command) -> Command:
    """`--format`, `--json` as its short spelling, and `--output`."""
    options = (
        click.option(
            "--format",
            "form",
            type=click.Choice([TABLE, JSON, *EXPORT_FORMATS]),
            default=TABLE,
            show_default=True,
            help="How to show it; all but table and json come as a stream of any size.",
        ),
        click.option("--json", "is_json", is_flag=True, help="The API's answer as it is."),
        click.option(
            "--output",
            "-o",
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            help="Write there instead of to standard output.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def chosen_format(form: str, *, is_json: bool, output: Path | None) -> str:
    """What `--format` and `--json` say together.

    Raises click's UsageError: they contradict each other, or the format does not go there.
    """
    if is_json and form not in (TABLE, JSON):
        raise click.UsageError(f"--json and --format {form} exclude each other")
    chosen = JSON if is_json else form
    if chosen == TABLE and output is not None:
        raise click.UsageError("--output needs a --format other than table")
    if chosen in _BINARY and output in (None, _STDOUT) and sys.stdout.isatty():
        raise click.UsageError(f"{chosen} is not for a terminal: give --output FILE or a pipe")
    return chosen


def write_json(answer: Mapping[str, Any], output: Path | None = None) -> None:
    """The API's answer as it is, on one line. Raises as `write_chunks`."""
    text = json.dumps(answer, ensure_ascii=False)
    # The same JSON, but what would act on a terminal, or is no UTF-8, stands as its code.
    text = _ACTING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    write_chunks(iter([f"{text}\n".encode()]), output)


def write_chunks(chunks: Iterator[bytes], output: Path | None) -> None:
    """To standard output for None and `-`.

    Raises RefusedError: it cannot be written. What `chunks` raises goes through.
    """
    if output is None or output == _STDOUT:
        file = click.get_binary_stream("stdout")
        for chunk in chunks:
            file.write(chunk)
        file.flush()
        return
    # A pipe or a device is there already and must not be replaced by a file.
    is_plain = output.is_file() or not output.exists()
    written = output.with_name(output.name + _UNFINISHED) if is_plain else output
    try:
        with written.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
        if is_plain:
            written.replace(output)
    except BaseException as error:
        if is_plain:
            written.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise RefusedError(f"{output} cannot be written: {error.strerror}") from error
        raise
