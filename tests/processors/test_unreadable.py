"""What nobody could read, in a data folder."""

import asyncio
from pathlib import Path

import pytest

from processors.dead_letter import undecodable_letter
from processors.embedded_state import EmbeddedState
from processors.unreadable import EmbeddedUnreadable, LogAddress
from runtime.errors import RefusedError, SettingsError
from runtime.sqlite_log import SqliteLog
from schemas.codec import UndecodableError
from schemas.envelope import encode_envelope
from tests.runtime.envelopes import envelope

ENVELOPE = envelope()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Its log holds an envelope and two messages; neither could be read when it came."""
    messages = [encode_envelope(ENVELOPE), b"nothing of ours", encode_envelope(ENVELOPE)]
    log = SqliteLog(tmp_path / "log.db", inflight_bytes_max=10**6)
    asyncio.run(log.append_messages(messages, timeout_s=10))
    log.close()
    state = EmbeddedState(tmp_path / "correlate.db")
    error = UndecodableError("envelope: unknown schema")
    letters = [
        undecodable_letter(messages[offset - 1], error, partition=0, offset=offset)
        for offset in (2, 3)
    ]
    state.intend(3, [], letters)
    state.close()
    return tmp_path


def test_they_are_told_newest_first_with_all_but_what_is_in_them(folder: Path) -> None:
    upgraded, foreign = asyncio.run(EmbeddedUnreadable(folder).newest(10))

    assert foreign.address == LogAddress(0, 2)
    assert (foreign.detail, foreign.size_bytes) == ("envelope: unknown schema", 15)
    assert (foreign.found_at, foreign.after) == (None, ENVELOPE.received_at)
    assert not foreign.is_readable_now
    assert upgraded.address.text == "0-3"
    assert upgraded.is_readable_now
    assert b"nothing of ours" not in repr((upgraded, foreign)).encode()


def test_as_many_as_asked_for(folder: Path) -> None:
    assert len(asyncio.run(EmbeddedUnreadable(folder).newest(1))) == 1


def test_one_comes_with_its_bytes(folder: Path) -> None:
    kept = EmbeddedUnreadable(folder)
    found = asyncio.run(kept.one(LogAddress(0, 2)))

    assert found is not None
    assert found.content == b"nothing of ours"
    assert found.about == asyncio.run(kept.newest(10))[1]


@pytest.mark.parametrize("address", [LogAddress(0, 1), LogAddress(0, 4), LogAddress(1, 2)])
def test_where_none_was_set_aside_there_is_none(folder: Path, address: LogAddress) -> None:
    assert asyncio.run(EmbeddedUnreadable(folder).one(address)) is None


def test_a_letter_of_a_newer_version_is_passed_over(folder: Path) -> None:
    state = EmbeddedState(folder / "correlate.db")
    state._connection.execute("INSERT INTO dead_letters VALUES (9, -1, X'C301FFFFFFFFFFFFFFFF')")
    state.close()

    assert len(asyncio.run(EmbeddedUnreadable(folder).newest(10))) == 2


def test_it_stands_beside_the_process_that_owns_the_folder(folder: Path) -> None:
    state = EmbeddedState(folder / "correlate.db")
    log = SqliteLog(folder / "log.db", inflight_bytes_max=10**6)
    try:
        assert len(asyncio.run(EmbeddedUnreadable(folder).newest(10))) == 2
        state.intend(4, [], [])
    finally:
        log.close()
        state.close()


def test_a_folder_that_is_none_is_named_and_not_made_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="OPSTRAIL_DATA_DIR"):
        asyncio.run(EmbeddedUnreadable(tmp_path / "nowhere").newest(1))
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_is_none_is_refused(tmp_path: Path) -> None:
    for name in ("correlate.db", "log.db"):
        (tmp_path / name).write_bytes(b"not a database, only as long as one" * 40)

    with pytest.raises(RefusedError, match="not a database"):
        asyncio.run(EmbeddedUnreadable(tmp_path).newest(1))
