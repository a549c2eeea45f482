"""`opstrail backup` and `restore`, where the server or the file is not what it should be."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from runtime.backup_archive import FORMAT, BackupArchive, BackupHead, read_backup
from tests.opstrail.conftest import Opstrail

HEAD = BackupHead(format=FORMAT, opstrail="1.2.3", made_at="2026-03-24T10:00:00.000000Z")


def whole(folder: Path, *names: str) -> bytes:
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(b"x" * 100)
    return b"".join(BackupArchive(HEAD, {name: folder / name for name in names}).chunks())


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder, as far as a backup looks at it."""
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("log.db", "control.db", "access.db"):
        with contextlib.closing(sqlite3.connect(folder / name)) as connection:
            connection.execute("CREATE TABLE t (name TEXT)")
            connection.execute("INSERT INTO t VALUES (?)", (name,))
            connection.commit()
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "to").mkdir()
    return tmp_path / "to" / "x.backup"


def test_the_file_holds_the_three_databases_and_nothing_is_left_beside_it(
    opstrail: Opstrail, data: Path, target: Path, tmp_path: Path
) -> None:
    ended = opstrail("backup", str(target), "--data-dir", str(data))

    assert ended.exit_code == 0, ended.err
    assert [each.name for each in target.parent.iterdir()] == [target.name]
    (tmp_path / "read").mkdir()
    with target.open("rb") as file:
        found = read_backup(file, into=tmp_path / "read", told=lambda _: None)
    assert found.databases == ("log.db", "control.db", "access.db")
    assert found.head.made_at in ended.text


def test_a_folder_without_the_databases_is_named(
    opstrail: Opstrail, target: Path, tmp_path: Path
) -> None:
    ended = opstrail("backup", str(target), "--data-dir", str(tmp_path))

    assert ended.exit_code == 2
    assert "OPSTRAIL_DATA_DIR" in ended.err
    assert "log.db" in ended.err
    assert not list(target.parent.iterdir())


def test_a_database_that_is_none_leaves_no_file(
    opstrail: Opstrail, data: Path, target: Path
) -> None:
    (data / "access.db").write_bytes(b"x" * 4_096)

    ended = opstrail("backup", str(target), "--data-dir", str(data))

    assert ended.exit_code == 1
    assert "not a database" in ended.err
    assert not list(target.parent.iterdir())


def test_a_folder_for_the_file_that_is_not_there_is_named(
    opstrail: Opstrail, data: Path, tmp_path: Path
) -> None:
    ended = opstrail("backup", str(tmp_path / "no" / "x.backup"), "--data-dir", str(data))

    assert ended.exit_code == 1
    assert "No such file or directory" in ended.err


def test_restoring_a_file_that_is_not_there_names_it(opstrail: Opstrail, tmp_path: Path) -> None:
    ended = opstrail("restore", str(tmp_path / "no.backup"), "--data-dir", str(tmp_path / "data"))

    assert ended.exit_code == 1
    assert "no.backup" in ended.err
    assert not (tmp_path / "data").exists()


def test_without_a_control_database_inside_none_is_made_up(
    opstrail: Opstrail, tmp_path: Path
) -> None:
    file = tmp_path / "x.backup"
    file.write_bytes(whole(tmp_path / "from", "log.db", "access.db"))

    ended = opstrail("restore", str(file), "--data-dir", str(tmp_path / "data"))

    assert ended.exit_code == 2
    assert "OPSTRAIL_CONTROL_URL" in ended.err
    assert not (tmp_path / "data" / "control.db").exists()


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_a_backup_is_of_the_embedded_mode(
    command: str, opstrail: Opstrail, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OPSTRAIL_KAFKA_BOOTSTRAP", "kafka:9092")

    ended = opstrail(command, "x", "--data-dir", str(tmp_path))

    assert ended.exit_code == 2
    assert "OPSTRAIL_KAFKA_BOOTSTRAP" in ended.err
