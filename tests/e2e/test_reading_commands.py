"""The reading commands as a person runs them, on the demo's story."""

import json
import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from opstrail.commands.demo import NEXT
from opstrail.story import OUTAGE_AT, SESSION_ID
from tests.support.opstrail import EmbeddedOpstrail, opstrail

Ended = subprocess.CompletedProcess[str]
Run = Callable[..., Ended]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("reading")
    told = subprocess.run(
        opstrail("demo", "--exit", "--data-dir", str(folder / "data")),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    system = EmbeddedOpstrail(folder)
    variables = {"OPSTRAIL_URL": system.url, "OPSTRAIL_KEY": system.admin_key, "COLUMNS": "80"}

    def run_command(*arguments: str, stdin: str = "") -> Ended:
        return subprocess.run(
            opstrail(*arguments),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, **variables},
            check=False,
        )

    yield run_command
    system.close()


def test_what_a_case_shows_leads_to_the_next_case(run: Run) -> None:
    session = run("case", "ssh-session", SESSION_ID)
    assert session.returncode == 0, session.stderr
    found = re.search(r"(run) ([0-9a-f-]{36})", session.stdout)
    assert found is not None

    neighbour = run("case", *found.groups())

    assert neighbour.returncode == 0, neighbour.stderr
    assert "run linux-patch patch 0.1.0  successful" in neighbour.stdout
    after = neighbour.stdout.partition("After (1)")[2]
    assert f"ssh {SESSION_ID}" in after
    assert "4:21 min  exact" in after


def test_a_case_that_does_not_exist_is_exit_code_1(run: Run) -> None:
    ended = run("case", "sync", SESSION_ID)

    assert ended.returncode == 1
    assert ended.stderr.startswith("opstrail: 404:")


@pytest.mark.parametrize("command_line", NEXT)
def test_what_the_demo_says_to_go_on_with_shows_something(run: Run, command_line: str) -> None:
    _, *arguments = shlex.split(command_line)

    ended = run(*arguments)

    assert ended.returncode == 0, ended.stderr
    assert len(ended.stdout.splitlines()) > 3
    assert all(len(line) <= 80 for line in ended.stdout.splitlines()), ended.stdout


def test_deployments_reach_production_by_its_label(run: Run) -> None:
    shown = run("deployments", "--environment", "production", "--latest")
    assert "2026-03-19 14:08  production  acme-prod  nginx  0.3.1" in shown.stdout

    assert "no deployments" in run("deployments", "--environment", "staging").stdout


def test_an_incident_begins_with_what_was_nearest(run: Run) -> None:
    answer = json.loads(run("incident", "--at", OUTAGE_AT, "--before", "2d", "--json").stdout)
    shown = run("incident", "--at", OUTAGE_AT, "--before", "2d").stdout

    assert [entry["block"] for entry in answer["before"][:2]] == ["db-maintenance", "nginx"]
    assert shown.index("db-maintenance") < shown.index("nginx deploy")
    assert "reason: connections exhausted" in shown


def test_instances_below_a_version_are_found(run: Run) -> None:
    shown = run("instances", "--version-below", "0.18.0").stdout

    assert "cli-8f3891b2" in shown
    assert "cli-5d20c0ffee" not in shown


def test_sql_takes_parameters_as_values(run: Run) -> None:
    query = (
        "SELECT block FROM action_runs WHERE actor IN {who:Array(String)} AND exit_code = {c:Int64}"
    )

    ended = run("sql", "-", "-p", 'who:=["bob", "x"]', "-p", "c=0", "--format", "csv", stdin=query)

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == ["block", "db-maintenance"]


def test_sql_that_is_refused_is_exit_code_1_in_every_format(run: Run) -> None:
    for form in ("table", "json", "csv"):
        ended = run("sql", "SELECT * FROM system.users", "--format", form)

        assert ended.returncode == 1
        assert ended.stderr.startswith("opstrail: 400:")
        assert ended.stdout == ""


def test_files_hold_every_row(run: Run, tmp_path: Path) -> None:
    runs, timeline = tmp_path / "runs.parquet", tmp_path / "timeline.parquet"

    for ended in (
        run("sql", "SELECT id FROM action_runs", "--format", "parquet", "-o", str(runs)),
        run("timeline", "--format", "parquet", "--output", str(timeline)),
    ):
        assert ended.returncode == 0, ended.stderr

    assert pq.read_table(runs).num_rows == 4
    assert pq.read_table(timeline).num_rows == 7
