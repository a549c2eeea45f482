"""Temporary folders of a run: in memory where it can be, and never left there."""

import fcntl
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support import memory_folder
from tests.support.memory_folder import use_memory_folder

_USE = """
import tempfile
from tests.support.memory_folder import use_memory_folder
use_memory_folder()
print(tempfile.mkdtemp())
"""


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands in for the memory, of which there is enough; nobody chose a folder."""
    monkeypatch.setattr(memory_folder, "MEMORY", tmp_path)
    monkeypatch.setattr(memory_folder, "FREE_BYTES_MIN", 1)
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setenv("PYTEST_DEBUG_TEMPROOT", "/elsewhere")
    return tmp_path


def test_a_run_takes_a_folder_in_memory_and_its_end_takes_it_away() -> None:
    if memory_folder.free_bytes() < memory_folder.FREE_BYTES_MIN:
        pytest.skip("not enough memory to spare")
    variables = {name: value for name, value in os.environ.items() if name != "TMPDIR"}

    ended = subprocess.run(
        [sys.executable, "-c", _USE], env=variables, capture_output=True, text=True, check=True
    )

    used = Path(ended.stdout.strip())
    assert used.parent.parent == memory_folder.MEMORY
    assert not used.parent.exists()


def test_folders_of_single_tests_are_on_the_disk(tmp_path: Path) -> None:
    assert memory_folder.MEMORY not in tmp_path.parents


def test_who_chose_a_folder_gets_it(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/somewhere")

    use_memory_folder()

    assert os.environ["TMPDIR"] == "/somewhere"
    assert list(memory.iterdir()) == []


def test_without_enough_memory_nothing_is_taken(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_folder, "FREE_BYTES_MIN", 2**60)

    use_memory_folder()

    assert "TMPDIR" not in os.environ
    assert list(memory.iterdir()) == []


def test_what_a_killed_run_left_is_removed_and_that_of_a_running_one_is_not(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_folder, "FREE_BYTES_MIN", 2**60)  # take none
    left, held, young = (memory / f"opstrail-tests-{name}" for name in ("left", "held", "young"))
    for folder in (left, held, young):
        (folder / "data").mkdir(parents=True)
    for folder in (left, held):
        os.utime(folder, (0, 0))
    descriptor = os.open(held, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)

    use_memory_folder()

    os.close(descriptor)
    assert sorted(memory.iterdir()) == [held, young]
