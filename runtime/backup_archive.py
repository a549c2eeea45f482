"""The file that `opstrail backup` writes: a tar of the databases that everything else is made of.

    backup.json     what it is: its format, which version made it, when
    log.db          every accepted event
    control.db      organizations, keys, labels; not there when the control database is PostgreSQL
    access.db       who used the trail
    manifest.json   how long each of these is, and its SHA-256

Must stay true:
- What is read in full agrees with the manifest, which stands at the end: a file that was cut,
  damaged or only half written is refused.
- Nothing in a file chooses where something is written: the names are those above, in that order,
  and only plain files. So it is read block by block; no link, path or extension of tar is followed.
- Neither side holds more than a chunk in memory.

SHA-256 finds damage. It does not prove who made a file.
"""

import hashlib
import json
import os
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from runtime.errors import RefusedError
from schemas.limits import KIB, MIB

FORMAT: Final = 1
LOG, CONTROL, ACCESS = "log.db", "control.db", "access.db"
# The order they are copied in, and stand in; docs/decisions/0019 says why.
DATABASES: Final = (LOG, CONTROL, ACCESS)
_NEEDED: Final = frozenset({LOG, ACCESS})
_HEAD, _MANIFEST = "backup.json", "manifest.json"
_ORDER: Final = (_HEAD, *DATABASES, _MANIFEST)

_BLOCK_BYTES: Final = tarfile.BLOCKSIZE
_CHUNK_BYTES: Final = MIB
_JSON_BYTES_MAX: Final = 64 * KIB
# Two blocks of zeros, as tar ends.
_END: Final = bytes(2 * _BLOCK_BYTES)
_NO_DIGEST: Final = "0" * 64


class DamagedBackupError(RefusedError):
    """The file is no whole backup."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupHead:
    """`made_at`: RFC 3339; everything accepted before is inside. `opstrail`: the version."""

    format: int
    opstrail: str
    made_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBackup:
    """`databases`: those that were inside."""

    head: BackupHead
    databases: tuple[str, ...]
    bytes: int


class BackupArchive:
    """The bytes of an archive of these files, which stay as they are until the last was taken."""

    def __init__(self, head: BackupHead, databases: Mapping[str, Path]) -> None:
        """Raises OSError."""
        self._head: Final = json.dumps(asdict(head)).encode()
        self._databases: Final = [
            (name, databases[name], databases[name].stat().st_size)
            for name in DATABASES
            if name in databases
        ]
        sizes = [len(self._head), *(size for _, _, size in self._databases)]
        # A digest is always as long as another, so the manifest's length is known before they are.
        empty = _manifest([(name, size, _NO_DIGEST) for name, size in self._sized()])
        self.bytes: Final = sum(map(_member_bytes, [*sizes, len(empty)])) + len(_END)

    def chunks(self) -> Iterator[bytes]:
        """Each a MiB at most. Raises OSError."""
        entries = [(_HEAD, len(self._head), hashlib.sha256(self._head).hexdigest())]
        yield _header(_HEAD, len(self._head)) + self._head + _padding(len(self._head))
        for name, path, size in self._databases:
            yield _header(name, size)
            digest = hashlib.sha256()
            with path.open("rb") as file:
                left = size
                while left:
                    chunk = file.read(min(left, _CHUNK_BYTES))
                    if not chunk:
                        raise OSError(f"{name} became shorter while it was read")
                    digest.update(chunk)
                    left -= len(chunk)
                    yield chunk
            yield _padding(size)
            entries.append((name, size, digest.hexdigest()))
        manifest = _manifest(entries)
        yield _header(_MANIFEST, len(manifest)) + manifest + _padding(len(manifest)) + _END

    def _sized(self) -> list[tuple[str, int]]:
        return [(_HEAD, len(self._head)), *((name, size) for name, _, size in self._databases)]


def read_backup(
    file: BinaryIO, *, into: Path | None, told: Callable[[int], None] = lambda _: None
) -> ReadBackup:
    """Read an archive to its end, and write its databases to the folder `into`, durably.

    `told` hears how many bytes were read. Raises DamagedBackupError, RefusedError when a newer
    version made it, OSError; what was written until then is the caller's to remove.
    """
    return _Reading(file, into, told).read()


class _Reading:
    def __init__(self, file: BinaryIO, into: Path | None, told: Callable[[int], None]) -> None:
        self._file: Final = file
        self._into: Final = into
        self._told: Final = told
        self._bytes = 0
        self._entries: list[tuple[str, int, str]] = []

    def read(self) -> ReadBackup:
        name, size = self._header()
        if name != _HEAD:
            raise DamagedBackupError("it does not begin like a backup")
        head = _head_of(self._json(name, size))
        while (header := self._header())[0] != _MANIFEST:
            self._database(*header)
        stated = self._json(_MANIFEST, header[1], is_listed=False)
        if stated != json.loads(_manifest(self._entries)):
            raise DamagedBackupError("it is damaged: what it holds is not what its manifest says")
        if self._take(len(_END)) != _END or self._file.read(1):
            raise DamagedBackupError("it is damaged at its end")
        found = tuple(name for name, _, _ in self._entries if name != _HEAD)
        if not _NEEDED.issubset(found):
            raise DamagedBackupError("a database is missing")
        return ReadBackup(head=head, databases=found, bytes=self._bytes)

    def _header(self) -> tuple[str, int]:
        """Name and size of what comes next: a later one of the known names, and a plain file."""
        try:
            header = tarfile.TarInfo.frombuf(self._take(_BLOCK_BYTES), "ascii", "strict")
        except (tarfile.HeaderError, ValueError) as error:
            raise DamagedBackupError("it is damaged, or no backup at all") from error
        seen = [name for name, _, _ in self._entries]
        awaited = _ORDER[_ORDER.index(seen[-1]) + 1 :] if seen else _ORDER
        if header.type != tarfile.REGTYPE or header.name not in awaited or header.size < 0:
            raise DamagedBackupError("it holds something that no backup holds")
        return header.name, header.size

    def _json(self, name: str, size: int, *, is_listed: bool = True) -> Any:
        if size > _JSON_BYTES_MAX:
            raise DamagedBackupError(f"its {name} is too long")
        text = self._take(size)
        self._take_padding(size)
        if is_listed:
            self._entries.append((name, size, hashlib.sha256(text).hexdigest()))
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DamagedBackupError(f"its {name} is damaged") from error

    def _database(self, name: str, size: int) -> None:
        digest = hashlib.sha256()
        with _new_file(self._into, name) as target:
            left = size
            while left:
                chunk = self._take(min(left, _CHUNK_BYTES))
                digest.update(chunk)
                target.write(chunk)
                left -= len(chunk)
            target.flush()
            if self._into is not None:
                os.fsync(target.fileno())
        self._take_padding(size)
        self._entries.append((name, size, digest.hexdigest()))

    def _take_padding(self, size: int) -> None:
        if any(self._take(len(_padding(size)))):
            raise DamagedBackupError("it is damaged")

    def _take(self, size: int) -> bytes:
        found = self._file.read(size)
        self._bytes += len(found)
        self._told(self._bytes)
        if len(found) < size:
            raise DamagedBackupError("it ends too early: it was cut, or never finished")
        return found


def _new_file(folder: Path | None, name: str) -> BinaryIO:
    """Only its owner may read it: it holds everything."""
    if folder is None:
        return Path(os.devnull).open("wb")
    return os.fdopen(os.open(folder / name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb")


def _head_of(stated: Any) -> BackupHead:
    match stated:
        case {"format": int(number)} if number > FORMAT:
            raise RefusedError(
                f"a newer version of Opstrail made it (format {number}, this one reads {FORMAT});"
                " restore it with that version or a later one"
            )
        case {"format": int(number), "opstrail": str(version), "made_at": str(made_at)}:
            return BackupHead(format=number, opstrail=version, made_at=made_at)
        case _:
            raise DamagedBackupError(f"its {_HEAD} is damaged")


def _manifest(entries: list[tuple[str, int, str]]) -> bytes:
    members = {name: {"bytes": size, "sha256": digest} for name, size, digest in entries}
    return json.dumps({"members": members}).encode()


def _header(name: str, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o600
    # GNU's form has room for any size in its one block.
    return member.tobuf(tarfile.GNU_FORMAT, "ascii", "strict")


def _member_bytes(size: int) -> int:
    return _BLOCK_BYTES + size + len(_padding(size))


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK_BYTES)
