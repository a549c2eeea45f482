import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from opstrail.output import chosen_format, write_chunks, write_json
from runtime.errors import RefusedError, UnavailableError


def breaking_off() -> Iterator[bytes]:
    yield b"half"
    raise UnavailableError("broke off")


def test_a_file_holds_all_chunks(tmp_path: Path) -> None:
    write_chunks(iter([b"a", b"b"]), tmp_path / "x.csv")

    assert (tmp_path / "x.csv").read_bytes() == b"ab"
    assert list(tmp_path.iterdir()) == [tmp_path / "x.csv"]


def test_an_answer_that_breaks_off_leaves_what_was_there(tmp_path: Path) -> None:
    output = tmp_path / "x.csv"
    output.write_bytes(b"earlier")

    with pytest.raises(UnavailableError):
        write_chunks(breaking_off(), output)

    assert output.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [tmp_path / "x.csv"]


def test_a_folder_that_is_not_there_is_refused_and_named(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="cannot be written: No such file"):
        write_chunks(iter([b"a"]), tmp_path / "none" / "x.csv")


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()

    write_chunks(iter([b"a", b"b"]), pipe)

    reader.join()
    assert read == [b"ab"]
    assert pipe.is_fifo()


@pytest.mark.parametrize("text", ["ä北", "\x9b31m", "\u202e", "\ud800", "\x1b", "\\u202e", '"\n'])
def test_json_says_the_same_and_cannot_act_on_a_terminal(
    text: str, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    write_json({"a": text})

    out = capsysbinary.readouterr().out.decode()
    assert json.loads(out) == {"a": text}
    assert out.removesuffix("\n").isprintable()


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_bytes_that_are_no_text_do_not_go_to_a_terminal(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    for output in (None, Path("-")):
        with pytest.raises(click.UsageError, match="not for a terminal"):
            chosen_format(form, is_json=False, output=output)

    assert chosen_format(form, is_json=False, output=Path("x")) == form
    assert chosen_format("csv", is_json=False, output=None) == "csv"
    monkeypatch.setattr("sys.stdout.isatty", lambda: False)
    assert chosen_format(form, is_json=False, output=None) == form


def test_json_has_a_short_spelling_that_excludes_the_others() -> None:
    assert chosen_format("table", is_json=True, output=None) == "json"
    with pytest.raises(click.UsageError, match="exclude each other"):
        chosen_format("csv", is_json=True, output=None)


def test_a_table_is_not_written_to_a_file() -> None:
    with pytest.raises(click.UsageError, match="--output needs"):
        chosen_format("table", is_json=False, output=Path("x"))
