import fcntl
import io
from pathlib import Path

import pytest

from opstrail import restored_folder
from opstrail.data_folder import LOCK, RESTORING, locked, owned
from opstrail.restored_folder import restore_folder
from runtime.backup_archive import FORMAT, BackupArchive, BackupHead
from runtime.errors import RefusedError, SettingsError

CONTENT = {"log.db": b"log", "control.db": b"control", "access.db": b"access"}


class Killed(BaseException):
    """Nothing of ours runs after it."""


@pytest.fixture
def backup(tmp_path: Path) -> bytes:
    folder = tmp_path / "from"
    folder.mkdir()
    for name, data in CONTENT.items():
        (folder / name).write_bytes(data)
    head = BackupHead(format=FORMAT, opstrail="1.2.3", made_at="2026-03-24T10:00:00.000000Z")
    return b"".join(BackupArchive(head, {name: folder / name for name in CONTENT}).chunks())


def restore(backup: bytes, folder: Path) -> None:
    restore_folder(io.BytesIO(backup), folder, lambda _: None)


def test_the_folder_holds_the_databases_and_its_lock(backup: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "data"

    restore(backup, folder)

    found = {each.name: each.read_bytes() for each in folder.iterdir()}
    assert found == {**CONTENT, LOCK: b""}
    with owned(folder):
        pass


def test_a_folder_that_is_there_and_empty_will_do(backup: bytes, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()

    restore(backup, tmp_path / "data")

    assert (tmp_path / "data" / "log.db").read_bytes() == CONTENT["log.db"]


@pytest.mark.parametrize("name", ["log.db", "anything", ".hidden", RESTORING])
def test_a_folder_with_something_in_it_is_refused_and_left_alone(
    backup: bytes, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / name).write_text("mine")

    with pytest.raises(RefusedError, match="is not empty"):
        restore(backup, folder)

    assert {each.name: each.read_text() for each in folder.iterdir()} == {name: "mine"}


@pytest.mark.parametrize("is_there", [False, True])
def test_a_damaged_backup_leaves_the_folder_as_it_was(
    backup: bytes, tmp_path: Path, is_there: bool
) -> None:
    folder = tmp_path / "data"
    if is_there:
        folder.mkdir()

    with pytest.raises(RefusedError):
        restore(backup[:-1], folder)

    assert folder.exists() is is_there
    assert not is_there or not list(folder.iterdir())


@pytest.mark.parametrize("name", CONTENT)
def test_a_disk_that_fails_halfway_leaves_the_folder_empty(
    backup: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    rename = Path.rename

    def failing(path: Path, target: Path) -> Path:
        if path.name == name:
            raise OSError("the disk is gone")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", failing)
    (tmp_path / "data").mkdir()

    with pytest.raises(OSError, match="the disk is gone"):
        restore(backup, tmp_path / "data")

    assert not list((tmp_path / "data").iterdir())


def test_killed_in_between_nothing_starts_on_the_folder(
    backup: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"

    def killed(*_: object, **__: object) -> None:
        raise Killed

    monkeypatch.setattr(restored_folder, "read_backup", killed)
    monkeypatch.setattr("shutil.rmtree", killed)  # what would put it in order
    with pytest.raises(Killed):
        restore(backup, folder)

    with pytest.raises(SettingsError, match="was broken off"), owned(folder):
        pass
    with pytest.raises(RefusedError, match="is not empty"):
        restore(backup, folder)


def test_a_folder_in_use_is_refused(backup: bytes, tmp_path: Path) -> None:
    with (
        locked(tmp_path / "data"),
        pytest.raises(SettingsError, match="in use by another"),
    ):
        restore(backup, tmp_path / "data")
    assert (tmp_path / "data" / LOCK).exists(), "the other one's"


def test_the_lock_is_given_back(tmp_path: Path) -> None:
    with owned(tmp_path):
        pass
    with (tmp_path / LOCK).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
