"""`opstrail rebuild` where there is nothing to rebuild, and how it tells how far it is."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from opstrail.commands.rebuild import ProgressLines
from opstrail.main import cli, exit_code_of
from processors.rebuild import RebuildProgress
from runtime.errors import OpstrailError


def test_it_does_one_thing_at_a_time() -> None:
    ended = CliRunner().invoke(cli, ["rebuild", "--abandon", "--drop-old"])

    assert ended.exit_code == 2
    assert "exclude each other" in ended.output


def test_its_help_has_an_example() -> None:
    assert "opstrail rebuild --drop-old" in CliRunner().invoke(cli, ["rebuild", "--help"]).output


@pytest.mark.parametrize("option", [[], ["--abandon"], ["--drop-old"]])
def test_a_folder_without_a_log_is_none_of_ours(tmp_path: Path, option: list[str]) -> None:
    ended = CliRunner().invoke(cli, ["rebuild", "--data-dir", str(tmp_path), *option])

    assert isinstance(ended.exception, OpstrailError)
    assert "holds no log" in str(ended.exception)
    assert exit_code_of(ended.exception) == 2
    assert list(tmp_path.iterdir()) == []


def test_without_a_terminal_it_tells_now_and_then_how_far_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now_s = 100.0
    lines = ProgressLines(lambda: now_s)

    def told_at(second: float, done: int) -> list[str]:
        nonlocal now_s
        now_s = 100.0 + second
        lines.tell(RebuildProgress(total=10_000, done=done))
        return capsys.readouterr().err.splitlines()

    assert told_at(0.5, 500) == []
    assert told_at(2, 2_000) == ["2,000 of 10,000 messages, 1,000/s, 8 s left"]
    assert told_at(6.9, 6_900) == []
    assert told_at(7, 7_000) == ["7,000 of 10,000 messages, 1,000/s, 3 s left"]
    # The end, once.
    assert told_at(8, 10_000) == ["10,000 of 10,000 messages, 1,250/s, 0 s left"]
    assert told_at(60, 10_000) == []
