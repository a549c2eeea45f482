from typing import Any

import pytest

from opstrail.access_log_text import print_access_log
from tests.opstrail.answering_server import AnsweringServer
from tests.opstrail.conftest import Opstrail
from tests.opstrail.printed import printed, squeezed
from tests.opstrail.samples import LONG, MARKUP


def access(**more: Any) -> dict[str, Any]:
    return {
        "id": "2b7f0c52-6a5e-4c0e-9f0b-0d8f3f0f7a11",
        "at": "2026-03-25T08:01:12.402113Z",
        "organization": "default",
        "actor": "alice",
        "actor_kind": "person",
        "key_id": "key-1f2e3d4c5b6a",
        "action": "read",
        "operation": "GET /v1/cases/{kind}/{id}",
        "target": {"path": {"kind": "ssh_session", "id": "c5f4411d"}},
        "status": 200,
        "rows": None,
        "request_id": "9f86d081884c7d65",
        "client": "192.0.2.17",
        "count": 1,
        **more,
    }


def test_an_access_is_a_row_with_what_was_asked_for() -> None:
    assert printed(print_access_log, [access()]) == (
        "at (UTC)             who    operation                  status  rows\n"
        "2026-03-25 08:01:12  alice  GET /v1/cases/{kind}/{id}     200\n"
        "                     read; ssh_session/c5f4411d; key-1f2e3d4c5b6a; from\n"
        "                     192.0.2.17\n"
    )


def test_a_statement_of_sql_stands_on_one_line() -> None:
    text = printed(
        print_access_log,
        [access(action="sql", rows=3, target={"sql": "SELECT\n  1,\n  2", "parameters": {}})],
    )

    assert "sql; SELECT 1, 2; key-" in text


def test_failed_authentications_say_how_many_and_why() -> None:
    nobody = {"actor": None, "key_id": None, "operation": None, "client": None}

    text = printed(
        print_access_log,
        [
            access(
                **nobody,
                action="authentication_failed",
                count=1_204,
                status=401,
                target={"reason": "unknown_key"},
            )
        ],
    )

    assert squeezed("nobody authentication_failed 401") in squeezed(text)
    assert "1,204 times; unknown_key" in text


def test_query_parameters_and_changes_are_told() -> None:
    text = printed(
        print_access_log,
        [
            access(
                action="write",
                status=None,
                target={"query": {"limit": ["7"]}, "changed": {"name": "ci"}, "cut": True},
            )
        ],
    )

    assert "limit=7" in text
    assert '{"name": "ci"}' in text
    assert "?" in text


def test_no_accesses_are_said_to_be_none() -> None:
    assert printed(print_access_log, []) == "no accesses\n"


@pytest.mark.parametrize("strange", [LONG, MARKUP, "\x1b[31m"])
def test_nothing_that_was_asked_for_acts_on_the_terminal(strange: str) -> None:
    text = printed(
        print_access_log,
        [access(actor=strange, target={"path": {"id": strange}, "sql": strange, "query": strange})],
    )

    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_options_become_parameters(opstrail: Opstrail, server: AnsweringServer) -> None:
    server.answers({"items": [access()], "next_cursor": "abc"})

    ended = opstrail(
        *("access-log", "--from", "2026-03-25T00:00:00Z", "--actor", "alice", "--actor", "bob"),
        *("--key-id", "key-1", "--action", "sql", "--operation", "POST /v1/sql"),
        *("--installation", "--limit", "9", "--cursor", "xyz"),
    )

    assert ended.exit_code == 0
    assert b"more: --cursor abc" in ended.out
    assert sorted(server.asked[0].params) == [
        ("action", "sql"),
        ("actor", "alice"),
        ("actor", "bob"),
        ("cursor", "xyz"),
        ("from", "2026-03-25T00:00:00Z"),
        ("installation", "true"),
        ("key_id", "key-1"),
        ("limit", "9"),
        ("operation", "POST /v1/sql"),
    ]


def test_the_answer_comes_as_json(opstrail: Opstrail, server: AnsweringServer) -> None:
    server.answers({"items": [access()], "next_cursor": None})

    ended = opstrail("access-log", "--json")

    assert ended.out.startswith(b'{"items": [{"id": "2b7f0c52')
