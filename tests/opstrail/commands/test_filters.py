"""How the options of the reading commands become parameters of the API."""

from pathlib import Path

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
)

AT = "2026-03-24T10:20:00+01:00"


def test_a_case_may_name_its_workspace(opstrail: Opstrail, server: AnsweringServer) -> None:
    server.answers(case())

    opstrail("case", "ssh", SESSION_ID, "--workspace", "acme")

    assert server.asked[0].params == [("workspace", "acme")]


@pytest.mark.parametrize("id_", ["c5f4411d", "../../../healthz", "c5f4411d-641a-4b0a?x=1234567"])
def test_what_is_no_whole_id_is_not_asked_for(
    opstrail: Opstrail, server: AnsweringServer, id_: str
) -> None:
    ended = opstrail("case", "run", id_)

    assert ended.exit_code == 2
    assert "give the whole id" in ended.err
    assert not server.asked


def test_an_incident_looks_back_and_at_some_workspaces_only(
    opstrail: Opstrail, server: AnsweringServer
) -> None:
    server.answers(incident())

    opstrail("incident", "--at", AT, "-w", "a", "-w", "b", "-e", "production", "--limit", "9")

    assert server.asked[0].params == [
        ("at", AT),
        ("before", "8h"),
        ("workspace", "a"),
        ("workspace", "b"),
        ("environment", "production"),
        ("limit", "9"),
    ]


def test_an_incident_needs_its_moment(opstrail: Opstrail) -> None:
    assert opstrail("incident").exit_code == 2


def test_deployments_are_filtered_by_name_and_paged(
    opstrail: Opstrail, server: AnsweringServer
) -> None:
    server.answers(page(deployment(), next_cursor="abc"))

    ended = opstrail(
        *("deployments", "--environment", "production", "--block-version", "0.3.1", "--latest"),
        *("--from", AT, "--to", AT, "--limit", "2", "--cursor", "xyz"),
    )

    assert sorted(server.asked[0].params) == sorted(
        [
            ("order", "desc"),
            ("limit", "2"),
            ("environment", "production"),
            ("block_version", "0.3.1"),
            ("from", AT),
            ("to", AT),
            ("cursor", "xyz"),
            ("latest", "true"),
        ]
    )
    assert "more: --cursor abc" in ended.text


def test_instances_are_filtered_by_version_and_time(
    opstrail: Opstrail, server: AnsweringServer
) -> None:
    server.answers(page(instance()))

    opstrail("instances", "--version-below", "0.18.0", "--seen-before", AT, "--version", "0.8.4")

    assert sorted(server.asked[0].params) == [
        ("limit", "100"),
        ("seen_before", AT),
        ("version", "0.8.4"),
        ("version_below", "0.18.0"),
    ]


def test_gaps_are_asked_for_by_period_and_instance(
    opstrail: Opstrail, server: AnsweringServer
) -> None:
    server.answers(page(gap()))

    ended = opstrail("gaps", "--from", AT, "--to", AT, "--cli-instance-id", "cli-8f3891b2")

    assert sorted(server.asked[0].params) == [
        ("cli_instance_id", "cli-8f3891b2"),
        ("from", AT),
        ("limit", "100"),
        ("to", AT),
    ]
    assert "cli-8f3891b2" in ended.text


def test_no_gaps_are_said_to_be_none(opstrail: Opstrail, server: AnsweringServer) -> None:
    server.answers(page())

    assert opstrail("gaps").text.startswith("no gaps\n")


def test_a_table_of_the_timeline_has_50_rows_and_an_export_has_all(
    opstrail: Opstrail, server: AnsweringServer
) -> None:
    server.answers(page())
    opstrail("timeline")
    opstrail("timeline", "--json")
    opstrail("timeline", "--format", "csv")
    opstrail("timeline", "--format", "csv", "--limit", "7")

    assert [asked.params for asked in server.asked] == [
        [("order", "desc"), ("limit", "50")],
        [("order", "desc"), ("limit", "50")],
        [("order", "desc"), ("format", "csv")],
        [("order", "desc"), ("limit", "7"), ("format", "csv")],
    ]


def test_the_timeline_is_filtered_by_kinds_in_any_spelling(
    opstrail: Opstrail, server: AnsweringServer
) -> None:
    server.answers(page())

    opstrail("timeline", "--kind", "ssh", "--kind", "action-runs", "--environment", "production")

    assert {value for name, value in server.asked[0].params if name == "kind"} == {
        "ssh_session",
        "action_run",
    }
    assert ("environment", "production") in server.asked[0].params


def test_an_export_of_the_timeline_goes_to_its_file(
    opstrail: Opstrail, server: AnsweringServer, tmp_path: Path
) -> None:
    server.answer = Answer(b"PAR1")

    ended = opstrail(
        "timeline", "--format", "parquet", "--output", str(tmp_path / "x"), "--host", "server01"
    )

    assert ended.exit_code == 0
    assert ended.out == b""
    assert (tmp_path / "x").read_bytes() == b"PAR1"
    assert ("host", "server01") in server.asked[0].params


def test_sql_sends_its_parameters_beside_the_query(
    opstrail: Opstrail, server: AnsweringServer
) -> None:
    server.answers(result({"n": "UInt64"}, [1]))
    query = "SELECT count() FROM timeline WHERE actor = {who:String}"

    opstrail("sql", query, "-p", "who=x' OR 1=1", "--param", 'in:=["a", "b"]', "-p", "n:=null")

    assert server.asked[0].body == {
        "query": query,
        "parameters": {"who": "x' OR 1=1", "in": ["a", "b"], "n": None},
    }


@pytest.mark.parametrize("parameter", ["who", "=x", "a b=1", "in:=[1"])
def test_what_is_no_parameter_is_exit_code_2(opstrail: Opstrail, parameter: str) -> None:
    ended = opstrail("sql", "SELECT 1", "--param", parameter)

    assert ended.exit_code == 2
    assert "--param" in ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("SELECT 1", "--schema"),
        ("--schema", "--format", "csv"),
        ("SELECT 1", "--format", "xml"),
        ("SELECT 1", "--output", "x"),
    ],
)
def test_what_says_nothing_or_too_much_is_exit_code_2(
    opstrail: Opstrail, server: AnsweringServer, arguments: tuple[str, ...]
) -> None:
    assert opstrail("sql", *arguments).exit_code == 2
    assert not server.asked


@pytest.mark.parametrize("form", ["ndjson", "csv", "parquet", "arrow"])
def test_sql_streams_files_byte_for_byte(
    opstrail: Opstrail, server: AnsweringServer, form: str, tmp_path: Path
) -> None:
    server.answer = Answer(b"\x00\xff\r\nPAR1")

    ended = opstrail("sql", "SELECT 1", "--format", form)
    opstrail("sql", "SELECT 1", "--format", form, "--output", str(tmp_path / "x"))

    assert ended.out == b"\x00\xff\r\nPAR1"
    assert (tmp_path / "x").read_bytes() == b"\x00\xff\r\nPAR1"
    assert server.asked[0].params == [("format", form)]


def test_half_of_a_file_is_exit_code_69_and_no_file(
    opstrail: Opstrail, server: AnsweringServer, tmp_path: Path
) -> None:
    server.answer = Answer(b"half", stated_bytes=100)

    ended = opstrail("sql", "SELECT 1", "--format", "csv", "--output", str(tmp_path / "x"))

    assert ended.exit_code == 69
    assert "broke off" in ended.err
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_is_exit_code_1(
    opstrail: Opstrail, server: AnsweringServer, tmp_path: Path
) -> None:
    ended = opstrail("sql", "SELECT 1", "--format", "csv", "-o", str(tmp_path / "none" / "x"))

    assert ended.exit_code == 1
    assert "cannot be written" in ended.err


class _Stdin:
    def __init__(self, body: bytes) -> None:
        import io

        self.buffer = io.BytesIO(body)


def test_a_query_comes_from_standard_input(
    opstrail: Opstrail, server: AnsweringServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers(result({"n": "UInt64"}, [1]))
    monkeypatch.setattr("sys.stdin", _Stdin("SELECT 'ä'\n".encode()))

    assert opstrail("sql", "-").exit_code == 0
    assert server.asked[0].body["query"] == "SELECT 'ä'\n"

    monkeypatch.setattr("sys.stdin", _Stdin(b"\xff"))
    assert opstrail("sql", "-").exit_code == 2
