import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.backup_archive import (
    FORMAT,
    BackupArchive,
    BackupHead,
    DamagedBackupError,
    read_backup,
)
from runtime.errors import RefusedError

HEAD = BackupHead(format=FORMAT, opstrail="1.2.3", made_at="2026-03-24T10:00:00.000000Z")
CONTENT = {"log.db": b"log" * 1_000, "control.db": b"", "access.db": b"a" * 512}


def archive_of(folder: Path, content: dict[str, bytes], head: BackupHead = HEAD) -> bytes:
    for name, data in content.items():
        (folder / name).write_bytes(data)
    archive = BackupArchive(head, {name: folder / name for name in content})
    whole = b"".join(archive.chunks())
    assert len(whole) == archive.bytes
    return whole


@pytest.fixture
def whole(tmp_path: Path) -> bytes:
    folder = tmp_path / "from"
    folder.mkdir()
    return archive_of(folder, CONTENT)


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "into"
    folder.mkdir()
    return folder


def tar_of(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """What somebody else's tar makes of these, after a good beginning."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as tar:
        head = json.dumps({"format": 1, "opstrail": "1", "made_at": "x"}).encode()
        for member, data in ((tarfile.TarInfo("backup.json"), head), *members):
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return file.getvalue()


def named(name: str, change: Callable[[tarfile.TarInfo], None] = lambda _: None) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    change(member)
    return member


def test_what_was_put_in_comes_out(whole: bytes, into: Path) -> None:
    told: list[int] = []

    found = read_backup(io.BytesIO(whole), into=into, told=told.append)

    assert found.head == HEAD
    assert found.databases == ("log.db", "control.db", "access.db")
    assert found.bytes == told[-1] == len(whole)
    assert {each.name: each.read_bytes() for each in into.iterdir()} == CONTENT


def test_it_is_a_tar_that_others_can_look_into(whole: bytes) -> None:
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        assert tar.getnames() == [
            *("backup.json", "log.db", "control.db", "access.db"),
            "manifest.json",
        ]


def test_without_a_control_database_it_is_whole_all_the_same(tmp_path: Path, into: Path) -> None:
    archive = archive_of(tmp_path, {"log.db": b"l", "access.db": b"a"})

    assert read_backup(io.BytesIO(archive), into=into).databases == ("log.db", "access.db")


@pytest.mark.parametrize("missing", ["log.db", "access.db"])
def test_without_a_log_it_is_none(tmp_path: Path, missing: str) -> None:
    content = {name: data for name, data in CONTENT.items() if name != missing}

    with pytest.raises(DamagedBackupError, match="missing"):
        read_backup(io.BytesIO(archive_of(tmp_path, content)), into=None)


def test_it_is_refused_wherever_it_was_cut(whole: bytes) -> None:
    for end in (*range(0, len(whole), 97), len(whole) - 1):
        with pytest.raises(DamagedBackupError):
            read_backup(io.BytesIO(whole[:end]), into=None)


def test_it_is_refused_whichever_byte_of_it_changed(whole: bytes) -> None:
    missed = []
    for place in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        try:
            read_backup(io.BytesIO(damaged), into=None)
        except RefusedError:
            continue
        missed.append(place)

    assert not missed


def test_what_follows_it_is_refused(whole: bytes) -> None:
    with pytest.raises(DamagedBackupError):
        read_backup(io.BytesIO(whole + b"x"), into=None)


def test_one_of_a_newer_version_is_refused_by_its_number(tmp_path: Path) -> None:
    head = BackupHead(format=FORMAT + 1, opstrail="9.0.0", made_at="x")

    with pytest.raises(RefusedError, match=f"format {FORMAT + 1}, this one reads {FORMAT}"):
        read_backup(io.BytesIO(archive_of(tmp_path, CONTENT, head)), into=None)


@pytest.mark.parametrize(
    "member",
    [
        named("../log.db"),
        named("/etc/passwd"),
        named("sub/log.db"),
        named("admin.key"),
        named("log.db", lambda member: setattr(member, "type", tarfile.SYMTYPE)),
        named("log.db", lambda member: setattr(member, "type", tarfile.LNKTYPE)),
        named("log.db", lambda member: setattr(member, "type", tarfile.DIRTYPE)),
        named("log.db", lambda member: setattr(member, "type", tarfile.CHRTYPE)),
        named("log.db" + "x" * 200),  # GNU's long name
    ],
    ids=lambda member: f"{member.type.decode()} {member.name[:12]}",
)
def test_nothing_in_it_chooses_where_something_is_written(
    member: tarfile.TarInfo, into: Path
) -> None:
    member.linkname = "/etc/passwd"

    with pytest.raises(DamagedBackupError, match="no backup holds"):
        read_backup(io.BytesIO(tar_of((member, b""))), into=into)

    assert list(into.iterdir()) == []
    assert [each.name for each in into.parent.iterdir() if each.name == "log.db"] == []


def test_a_name_twice_or_out_of_order_is_refused(into: Path) -> None:
    for names in (("log.db", "log.db"), ("access.db", "log.db"), ("backup.json",)):
        folder = into / names[0] / names[-1]
        folder.mkdir(parents=True)
        with pytest.raises(DamagedBackupError, match="no backup holds"):
            read_backup(io.BytesIO(tar_of(*((named(name), b"x") for name in names))), into=folder)


@pytest.mark.parametrize("garbage", [b"", b"x", b"\0" * 10_240, b"PK\x03\x04" * 1_000])
def test_what_is_no_backup_at_all_is_refused(garbage: bytes) -> None:
    with pytest.raises(DamagedBackupError):
        read_backup(io.BytesIO(garbage), into=None)


def test_a_file_that_shrinks_while_it_is_sent_breaks_it_off(tmp_path: Path) -> None:
    for name, data in CONTENT.items():
        (tmp_path / name).write_bytes(data)
    archive = BackupArchive(HEAD, {name: tmp_path / name for name in CONTENT})
    (tmp_path / "log.db").write_bytes(b"")

    with pytest.raises(OSError, match="shorter"):
        list(archive.chunks())
