"""What holds of every command that reads: its answers, its exit codes, its help."""

import json
import socket
from typing import Any

import pytest

from tests.opstrail.answering_server import Answer, AnsweringServer
from tests.opstrail.conftest import Opstrail
from tests.opstrail.samples import (
    SESSION_ID,
    case,
    deployment,
    gap,
    incident,
    instance,
    page,
    result,
    session,
)

AT = "2026-03-24T10:20:00Z"
SCHEMA = {"views": [{"name": "timeline", "comment": "Runs", "columns": []}]}

COMMANDS: dict[str, tuple[list[str], Any, str]] = {
    "timeline": (["timeline"], page(session()), "/v1/timeline"),
    "case": (["case", "ssh", SESSION_ID], case(), f"/v1/cases/ssh_session/{SESSION_ID}"),
    "incident": (["incident", "--at", AT], incident(), "/v1/incidents"),
    "deployments": (["deployments"], page(deployment()), "/v1/deployments"),
    "instances": (["instances"], page(instance()), "/v1/cli-instances"),
    "gaps": (["gaps"], page(gap()), "/v1/gaps"),
    "sql": (["sql", "SELECT 1"], result({"1": "UInt8"}, [1]), "/v1/sql"),
    "schema": (["sql", "--schema"], SCHEMA, "/v1/sql/schema"),
}

each_command = pytest.mark.parametrize(
    ("arguments", "answer", "path"), COMMANDS.values(), ids=COMMANDS
)


@each_command
def test_it_prints_a_table_without_colours_where_there_is_no_terminal(
    opstrail: Opstrail, server: AnsweringServer, arguments: list[str], answer: Any, path: str
) -> None:
    server.answers(answer)

    ended = opstrail(*arguments)

    assert ended.exit_code == 0, ended.err
    assert ended.out
    assert b"\x1b" not in ended.out
    assert max(map(len, ended.text.splitlines())) <= 80
    assert server.asked[0].path == path
    assert server.asked[0].key == "a-key"


@each_command
def test_json_is_the_answer_as_it_is(
    opstrail: Opstrail, server: AnsweringServer, arguments: list[str], answer: Any, path: str
) -> None:
    server.answers(answer)

    ended = opstrail(*arguments, "--json")

    assert ended.exit_code == 0
    assert json.loads(ended.out) == answer
    assert ended.text.count("\n") == 1


@each_command
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409])
def test_what_is_refused_is_exit_code_1_and_says_why(
    opstrail: Opstrail,
    server: AnsweringServer,
    arguments: list[str],
    answer: Any,
    path: str,
    status: int,
) -> None:
    server.answers({"title": "Refused", "detail": "at: not a time"}, status)

    ended = opstrail(*arguments)

    assert ended.exit_code == 1
    assert ended.out == b""
    assert ended.err == f"opstrail: {status}: at: not a time\n"


@each_command
def test_a_dependency_that_is_away_is_exit_code_69(
    opstrail: Opstrail, server: AnsweringServer, arguments: list[str], answer: Any, path: str
) -> None:
    server.answers({"title": "The timeline does not answer"}, 503)
    assert opstrail(*arguments).exit_code == 69

    # Half of an answer is none either.
    server.answer = Answer(b"{", stated_bytes=10)
    assert opstrail(*arguments).exit_code == 69

    server.answer = Answer(b"<html>a proxy's page</html>")
    assert opstrail(*arguments).exit_code == 69


@each_command
def test_a_server_that_is_away_is_exit_code_69(
    opstrail: Opstrail,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    answer: Any,
    path: str,
) -> None:
    with socket.socket() as taken:
        # Bound and not listening: nobody else answers there.
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("OPSTRAIL_URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        ended = opstrail(*arguments)

    assert ended.exit_code == 69
    assert "does not answer" in ended.err


@each_command
def test_no_key_is_exit_code_1_and_says_where_to_find_one(
    opstrail: Opstrail,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    answer: Any,
    path: str,
) -> None:
    monkeypatch.setenv("OPSTRAIL_KEY", "")

    ended = opstrail(*arguments)

    assert ended.exit_code == 1
    assert "OPSTRAIL_KEY" in ended.err


def test_an_answer_of_another_shape_is_a_bug(opstrail: Opstrail, server: AnsweringServer) -> None:
    server.answers({})

    assert opstrail("case", "ssh", SESSION_ID).exit_code == 70


@each_command
def test_an_unknown_option_is_exit_code_2(
    opstrail: Opstrail, server: AnsweringServer, arguments: list[str], answer: Any, path: str
) -> None:
    assert opstrail(*arguments, "--nope").exit_code == 2
    assert not server.asked


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"schema"}))
def test_help_has_an_example_that_fits(opstrail: Opstrail, name: str) -> None:
    ended = opstrail(name, "--help")

    assert ended.exit_code == 0
    assert f"Example:  opstrail {name}" in ended.text
    assert max(map(len, ended.text.splitlines())) <= 80
