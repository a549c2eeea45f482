"""Organizations, principals and keys from the command line."""

import json
from typing import Any

import pytest

from tests.opstrail.answering_server import AnsweringServer
from tests.opstrail.conftest import Opstrail

KEY_ID = "key-3f9a1c0e77b2"
TEXT = "opstrail_" + "x" * 38
KEY: dict[str, Any] = {
    "key_id": KEY_ID,
    "principal": "ci",
    "principal_kind": "service",
    "name": "deploys",
    "roles": ["read", "submit"],
    "workspaces": ["team-*"],
    "active": True,
    "created_at": "2026-03-19T13:58:41.000000Z",
    "last_used_on": None,
    "expires_at": "2027-03-19T00:00:00.000000Z",
    "revoked_at": None,
}
ORGANIZATION = {"name": "acme", "created_at": "2026-03-19T13:58:41.000000Z"}
PRINCIPAL = {**ORGANIZATION, "name": "ci", "kind": "service"}
FOUNDED = {**ORGANIZATION, "admin": {"principal": "admin", "key_id": KEY_ID, "key": TEXT}}
CREATE = ("keys", "create", "--principal", "ci", "--role", "submit")


def page(item: Any) -> Any:
    return {"items": [item], "next_cursor": "abc"}


COMMANDS: dict[str, tuple[list[str], Any, str, str]] = {
    "organizations list": ([], page(ORGANIZATION), "GET", "/v1/organizations"),
    "organizations create": (["acme"], FOUNDED, "POST", "/v1/organizations"),
    "principals list": ([], page(PRINCIPAL), "GET", "/v1/principals"),
    "principals create": (["ci", "--kind", "service"], PRINCIPAL, "POST", "/v1/principals"),
    "keys list": ([], page(KEY), "GET", "/v1/keys"),
    "keys create": ([*CREATE[2:]], {**KEY, "key": TEXT}, "POST", "/v1/keys"),
    "keys revoke": ([KEY_ID], {**KEY, "active": False}, "DELETE", f"/v1/keys/{KEY_ID}"),
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
    server.answers(answer)

    shown = opstrail(*name.split(), *arguments)
    as_json = opstrail(*name.split(), *arguments, "--json")

    assert (shown.exit_code, as_json.exit_code) == (0, 0), shown.err
    assert shown.out
    assert max(map(len, (shown.text + shown.err).splitlines())) <= 120
    assert json.loads(as_json.out) == answer
    assert [(asked.method, asked.path, asked.key) for asked in server.asked] == [
        (method, path, "a-key")
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
    server.answers({"detail": "1 to 128 characters.", "field": "name"}, 400)
    refused = opstrail(*name.split(), *arguments)
    server.answers({"title": "Not available now"}, 503)
    away = opstrail(*name.split(), *arguments)

    assert (refused.exit_code, away.exit_code) == (1, 69)
    assert refused.out + away.out == b""
    assert refused.err == "opstrail: 400: name: 1 to 128 characters.\n"


@pytest.mark.parametrize("name", [*COMMANDS, "organizations", "principals", "keys"])
def test_help_has_an_example_that_fits(opstrail: Opstrail, name: str) -> None:
    ended = opstrail(*name.split(), "--help")

    assert ended.exit_code == 0
    assert "Example:  " in ended.text
    assert f"opstrail {name}" in ended.text
    assert max(map(len, ended.text.splitlines())) <= 80


def test_a_new_key_stands_alone_on_standard_output(
    opstrail: Opstrail, server: AnsweringServer
) -> None:
    server.answers({**KEY, "key": TEXT})
    key = opstrail(*CREATE)
    server.answers(FOUNDED)
    founded = opstrail("organizations", "create", "acme")

    assert key.text == founded.text == f"{TEXT}\n"
    assert TEXT not in key.err + founded.err
    assert KEY_ID in key.err
    assert "team-*" in key.err
    assert KEY_ID in founded.err


def test_a_key_is_asked_for_as_the_options_say(opstrail: Opstrail, server: AnsweringServer) -> None:
    server.answers({**KEY, "key": TEXT})

    opstrail(
        *(*CREATE, "--role", "read", "--role", "submit", "--name", "deploys"),
        *("--workspace", "shop", "--workspace", "team-*"),
        *("--expires", "2027-03-19T01:00:00+01:00"),
    )

    assert server.asked[0].body == {
        "principal": "ci",
        "name": "deploys",
        "roles": ["read", "submit"],
        "workspaces": ["shop", "team-*"],
        "expires_at": "2027-03-19T00:00:00.000000Z",
    }


def test_a_key_without_options_is_good_everywhere_and_for_ever(
    opstrail: Opstrail, server: AnsweringServer
) -> None:
    server.answers({**KEY, "key": TEXT})

    opstrail(*CREATE)

    body = server.asked[0].body
    assert (body["workspaces"], body["expires_at"]) == (None, None)
    assert body["name"].startswith("made 20")


@pytest.mark.parametrize(
    "more",
    [
        ("--role", "emperor"),
        ("--expires", "soon"),
        ("--expires", "0d"),
        ("--expires", "2027-03-19"),
        ("--organization", "acme"),
        ("--kind", "person"),
        ("--offline",),
        ("--offline", "--organization", "acme", "--json"),
    ],
)
def test_what_cannot_be_meant_is_exit_code_2(
    opstrail: Opstrail, server: AnsweringServer, more: tuple[str, ...]
) -> None:
    assert opstrail(*CREATE, *more).exit_code == 2
    assert not server.asked


def test_a_creation_whose_answer_stays_away_is_not_asked_for_again(
    opstrail: Opstrail, server: AnsweringServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opstrail.client._TRIES_MAX", 3)
    monkeypatch.setattr("opstrail.client._WAIT_S_MAX", 0.0)
    server.answers({"title": "Not available now"}, 503)
    ended = opstrail(*CREATE)

    assert ended.exit_code == 69
    assert "may have been made all the same" in ended.err
    assert len(server.asked) == 1

    server.answers({"title": "Too many"}, 429)
    assert "may have been made" not in opstrail(*CREATE).err
    assert len(server.asked) == 4


def test_keys_are_listed_by_principal_and_page(opstrail: Opstrail, server: AnsweringServer) -> None:
    server.answers(page(KEY))

    ended = opstrail(
        *("keys", "list", "--principal", "ci", "--principal", "anna", "--active"),
        *("--limit", "2", "--cursor", "xyz"),
    )

    assert server.asked[0].params == [
        ("limit", "2"),
        ("principal", "ci"),
        ("principal", "anna"),
        ("active", "true"),
        ("cursor", "xyz"),
    ]
    assert "more: --cursor abc" in ended.text


def test_the_last_admin_key_goes_by_force_only(opstrail: Opstrail, server: AnsweringServer) -> None:
    server.answers({**KEY, "active": False})

    opstrail("keys", "revoke", KEY_ID)
    opstrail("keys", "revoke", KEY_ID, "--force")

    assert [asked.params for asked in server.asked] == [[], [("force", "true")]]


@pytest.mark.parametrize("text", [TEXT, "key-1", "../workspaces/x", f"{KEY_ID}?force=true"])
def test_what_is_no_keys_id_is_neither_asked_for_nor_repeated(
    opstrail: Opstrail, server: AnsweringServer, text: str
) -> None:
    ended = opstrail("keys", "revoke", text)

    assert ended.exit_code == 2
    assert text not in ended.err
    assert not server.asked
