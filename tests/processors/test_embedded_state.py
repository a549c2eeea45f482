"""What the embedded pipeline finds again after a restart."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from processors.dead_letter import undecodable_letter
from processors.embedded_state import EmbeddedState, Progress
from runtime.errors import LogUnavailableError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def state(path: Path) -> Iterator[EmbeddedState]:
    opened = EmbeddedState(path)
    yield opened
    opened.close()


def letter(offset: int) -> dict[str, Any]:
    return undecodable_letter(b"garbage", ValueError("damaged"), partition=0, offset=offset)


def reopened(state: EmbeddedState, path: Path) -> EmbeddedState:
    state.close()
    return EmbeddedState(path)


def test_a_new_state_is_at_the_beginning(state: EmbeddedState) -> None:
    assert state.progress() == Progress(inserted_offset=0, intended_offset=0)
    assert state.rows() == {}
    assert state.dead_letters() == []


def test_progress_survives_reopening(state: EmbeddedState, path: Path) -> None:
    state.intend(5, [], [])
    state.inserted(5)
    state.intend(9, [], [])

    again = reopened(state, path)

    assert again.progress() == Progress(inserted_offset=5, intended_offset=9)
    again.close()


def test_rows_survive_reopening(state: EmbeddedState, path: Path) -> None:
    state.intend(2, [(b"one", b"1"), (b"two", b"2")], [])

    again = reopened(state, path)

    assert again.rows() == {b"one": b"1", b"two": b"2"}
    assert again.row(b"one") == b"1"
    assert again.row(b"three") is None
    again.close()


def test_dead_letters_survive_reopening_oldest_first(state: EmbeddedState, path: Path) -> None:
    in_envelope = [
        {**letter(3), "index": index, "reason": "conflicting_snapshot"} for index in (2, 0)
    ]
    state.intend(9, [], [letter(7), *in_envelope])

    again = reopened(state, path)

    found = again.dead_letters()
    assert [(each["offset"], each.get("index")) for each in found] == [(3, 0), (3, 2), (7, None)]
    assert found[-1]["content"] == b"garbage"
    assert found[-1]["detail"] == "damaged"
    again.close()


def test_the_same_range_again_replaces_rows_and_letters(state: EmbeddedState) -> None:
    for _ in range(2):
        state.intend(3, [(b"one", b"1")], [letter(3)])

    assert list(state.rows().values()) == [b"1"]
    assert len(state.dead_letters()) == 1


def test_an_intent_that_fails_halfway_leaves_nothing_behind(
    state: EmbeddedState, path: Path
) -> None:
    state.intend(1, [(b"kept", b"0")], [])

    def rows() -> Iterator[tuple[bytes, bytes]]:
        yield b"one", b"1"
        raise RuntimeError("the power went")

    with pytest.raises(RuntimeError):
        state.intend(2, rows(), [letter(2)])
    again = reopened(state, path)

    assert list(again.rows().values()) == [b"0"]
    assert again.dead_letters() == []
    assert again.progress() == Progress(inserted_offset=0, intended_offset=1)
    again.close()


def test_a_letter_that_cannot_be_encoded_leaves_nothing_behind(state: EmbeddedState) -> None:
    with pytest.raises((ValueError, TypeError)):
        state.intend(2, [(b"one", b"1")], [{"offset": 2, "reason": None}])

    assert state.rows() == {}
    assert state.progress() == Progress(inserted_offset=0, intended_offset=0)


def test_what_sqlite_refuses_is_told_with_the_path(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(b"this is no database" * 100)

    with pytest.raises(LogUnavailableError, match=r"damaged\.db"):
        EmbeddedState(damaged)
    with pytest.raises(LogUnavailableError, match="missing"):
        EmbeddedState(tmp_path / "missing" / "state.db")


def test_a_step_that_breaks_off_leaves_the_next_one_free(tmp_path: Path) -> None:
    state = EmbeddedState(tmp_path / "state.db")

    def broken() -> Iterator[tuple[bytes, bytes]]:
        yield b"key", b"row"
        raise RuntimeError("broken off")

    with pytest.raises(RuntimeError):
        state.intend(1, broken(), [])
    state.intend(2, [], [])

    assert state.rows() == {}
    assert state.progress().intended_offset == 2
    state.close()
