"""Dead letters from the command line."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from opstrail.data_folder import owned
from processors.dead_letter import undecodable_letter
from processors.embedded_state import EmbeddedState
from runtime.sqlite_log import SqliteLog
from schemas.codec import UndecodableError
from schemas.envelope import decode_envelope, encode_envelope
from tests.opstrail.answering_server import AnsweringServer
from tests.opstrail.conftest import Opstrail
from tests.opstrail.test_dead_letters_text import letter, whole
from tests.runtime.envelopes import envelope

PLACE = "0-4711-0"
ANSWERED = {"accepted": 1, "rejected": [], "position": "abc"}
COMMANDS: dict[str, tuple[list[str], Any, str, str]] = {
    "list": ([], {"items": [letter()], "next_cursor": "abc"}, "GET", ""),
    "show": ([PLACE], whole(), "GET", f"/{PLACE}"),
    "resend": ([PLACE], ANSWERED, "POST", f"/{PLACE}/resend"),
}
each_command = pytest.mark.parametrize(
    ("name", "arguments", "answer", "method", "path"),
    [(name, *told) for name, told in COMMANDS.items()],
    ids=COMMANDS,
)


@each_command
def test_it_asks_the_server_and_says_what_came_of_it(
    opstrail: Opstrail,
    server: AnsweringServer,
    name: str,
    arguments: list[str],
    answer: Any,
    method: str,
    path: str,
) -> None:
    server.answers(answer, 202 if method == "POST" else 200)

    shown = opstrail("dead-letters", name, *arguments)
    as_json = opstrail("dead-letters", name, *arguments, "--json")

    assert (shown.exit_code, as_json.exit_code) == (0, 0), shown.err
    assert PLACE in shown.text
    assert max(map(len, shown.text.splitlines())) <= 80
    assert json.loads(as_json.out) == answer
    assert [(asked.method, asked.path) for asked in server.asked] == [
        (method, f"/v1/dead-letters{path}")
    ] * 2


@each_command
def test_what_is_refused_or_away_says_why(
    opstrail: Opstrail,
    server: AnsweringServer,
    name: str,
    arguments: list[str],
    answer: Any,
    method: str,
    path: str,
) -> None:
    server.answers({"detail": "It would be set aside again."}, 409)
    refused = opstrail("dead-letters", name, *arguments)
    server.answers({"title": "Not available now"}, 503)
    away = opstrail("dead-letters", name, *arguments)

    assert (refused.exit_code, away.exit_code) == (1, 69)
    assert refused.out + away.out == b""
    assert refused.err == "opstrail: 409: It would be set aside again.\n"
    assert ("look before you ask again" in away.err) == (method == "POST")
    assert len(server.asked) == 2


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_has_an_example_that_fits(opstrail: Opstrail, name: str) -> None:
    ended = opstrail("dead-letters", *name.split(), "--help")

    assert ended.exit_code == 0
    assert f"Example:  opstrail dead-letters {name}" in ended.text
    assert max(map(len, ended.text.splitlines())) <= 80


def test_the_list_is_narrowed_as_the_options_say(
    opstrail: Opstrail, server: AnsweringServer
) -> None:
    server.answers({"items": [], "next_cursor": None})

    ended = opstrail(
        *("dead-letters", "list", "--from", "2026-03-24T00:00:00Z", "--reason", "foreign_snapshot"),
        *("--kind", "ssh", "--workspace", "a", "--workspace", "b", "--limit", "7"),
    )

    assert ended.text == "no dead letters\n"
    assert sorted(server.asked[0].params) == [
        ("from", "2026-03-24T00:00:00Z"),
        ("kind", "ssh_session"),
        ("limit", "7"),
        ("reason", "foreign_snapshot"),
        ("workspace", "a"),
        ("workspace", "b"),
    ]


def test_force_is_only_asked_for_when_it_is_given(
    opstrail: Opstrail, server: AnsweringServer
) -> None:
    server.answers(ANSWERED, 202)

    opstrail("dead-letters", "resend", PLACE)
    opstrail("dead-letters", "resend", PLACE, "--force")

    assert [asked.params for asked in server.asked] == [[], [("force", "true")]]


@pytest.mark.parametrize("name", ["show", "resend"])
@pytest.mark.parametrize("place", ["../keys", "0-1", "0-1-2?x=1", "", "opstrail_" + "x" * 38])
def test_what_is_no_place_is_not_asked_for_nor_repeated(
    opstrail: Opstrail, server: AnsweringServer, name: str, place: str
) -> None:
    ended = opstrail("dead-letters", name, place)

    assert ended.exit_code == 2
    assert server.asked == []
    assert not place or place not in ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["list", "--undecodable", "--kind", "ssh"],
        ["list", "--undecodable", "--cursor", "abc"],
        ["list", "--data-dir", "data"],
        ["show", PLACE, "--raw", "message.bin"],
        ["show", PLACE, "--data-dir", "data"],
        ["resend", PLACE, "--data-dir", "data"],
        ["resend", "3-17", "--force"],
    ],
)
def test_what_is_of_the_other_sort_of_dead_letter_is_wrong_usage(
    opstrail: Opstrail, server: AnsweringServer, arguments: list[str]
) -> None:
    ended = opstrail("dead-letters", *arguments)

    assert ended.exit_code == 2
    assert ended.err
    assert server.asked == []


def test_what_nobody_could_read_is_looked_at_where_it_is_kept_and_no_server_is_asked(
    opstrail: Opstrail, server: AnsweringServer, tmp_path: Path
) -> None:
    SqliteLog(tmp_path / "log.db", inflight_bytes_max=10**6).close()
    state = EmbeddedState(tmp_path / "correlate.db")
    error = UndecodableError("envelope: unknown schema")
    state.intend(1, [], [undecodable_letter(b"SECRET", error, partition=0, offset=1)])
    state.close()
    where, raw = ("--data-dir", str(tmp_path)), tmp_path / "message.bin"

    listed = opstrail("dead-letters", "list", "--undecodable", *where, "--json")
    shown = opstrail("dead-letters", "show", "0-1", *where, "--raw", str(raw))
    again = opstrail("dead-letters", "show", "0-1", *where, "--raw", str(raw))
    missing = opstrail("dead-letters", "show", "0-2", *where)
    nowhere = opstrail("dead-letters", "list", "--undecodable", "--data-dir", str(raw))

    assert [item["id"] for item in json.loads(listed.out)["items"]] == ["0-1"]
    assert (shown.exit_code, raw.read_bytes()) == (0, b"SECRET")
    assert "SECRET" not in listed.text + shown.text
    assert (again.exit_code, missing.exit_code, nowhere.exit_code) == (1, 1, 2)
    assert server.asked == []


def test_what_can_be_read_by_now_is_put_on_the_log_again_and_nothing_else(
    opstrail: Opstrail, server: AnsweringServer, tmp_path: Path
) -> None:
    log = SqliteLog(tmp_path / "log.db", inflight_bytes_max=10**6)
    state = EmbeddedState(tmp_path / "correlate.db")
    error = UndecodableError("envelope: unknown schema")
    kept = [encode_envelope(envelope()), b"not an envelope"]
    letters = [
        undecodable_letter(content, error, partition=0, offset=offset)
        for offset, content in enumerate(kept, 1)
    ]
    asyncio.run(log.append_messages(kept, timeout_s=10))
    state.intend(2, [], letters)
    state.close()
    where = ("--data-dir", str(tmp_path))

    resent = opstrail("dead-letters", "resend", "0-1", *where, "--json")
    told = opstrail("dead-letters", "resend", "0-1", *where)
    refused = opstrail("dead-letters", "resend", "0-2", *where)
    missing = opstrail("dead-letters", "resend", "0-9", *where)
    with owned(tmp_path):
        occupied = opstrail("dead-letters", "resend", "0-1", *where)

    assert json.loads(resent.out) == {"partition": 0, "offset": 3}
    assert "as 0-4" in told.text
    assert (refused.exit_code, missing.exit_code, occupied.exit_code) == (1, 1, 2)
    messages = [decode_envelope(each.message) for each in log.read(2, messages_max=10)]
    log.close()
    assert len(messages) == 2
    assert messages[0].received_at > envelope().received_at
    assert replace(messages[0], received_at=envelope().received_at) == envelope()
    assert server.asked == []
