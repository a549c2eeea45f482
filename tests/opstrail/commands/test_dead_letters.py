"""Dead letters from the command line."""

import json
from typing import Any

import pytest

from tests.opstrail.answering_server import AnsweringServer
from tests.opstrail.conftest import Opstrail
from tests.opstrail.test_dead_letters_text import letter, whole

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
