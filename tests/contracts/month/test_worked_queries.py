"""The queries of docs/sql-queries.md, each as it stands on the page, asked of the month."""

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from tests.contracts.month import facts
from tests.contracts.month.answers import (
    Answers,
    Entry,
    ids,
    is_deploy_action,
    is_deployment,
    moment,
    names_person,
    percentile,
    started_in,
    where,
)
from tests.contracts.month.company import Company
from tests.contracts.month.events import FROM, INSTANCES, TO

PAGE: Final = Path(__file__).parents[3] / "docs" / "sql-queries.md"
_SECTION: Final = re.compile(r"^### (.+?)$(.*?)^```sql$(.*?)^```$", re.DOTALL | re.MULTILINE)
# Some of the month's records are a little younger.
MONTH: Final = started_in(FROM, TO)

Row = list[Any]


@dataclass(frozen=True, slots=True)
class WorkedQuery:
    title: str
    query: str
    parameters: dict[str, Any]


def worked_queries() -> dict[str, WorkedQuery]:
    """By title. The first line of a query holds its parameters, behind the sign of a comment."""
    found = {}
    for title, text, query in _SECTION.findall(PAGE.read_text()):
        assert text.strip(), f"{title}: when to use it?"
        query = query.strip()
        mark, _, parameters = query.partition("\n")[0].partition(" ")
        assert mark == "--", f"{title}: its parameters are missing"
        found[title] = WorkedQuery(title, query, json.loads(parameters))
    return found


QUERIES: Final = worked_queries()


def test_the_page_has_at_least_fifteen_queries_and_each_is_found() -> None:
    page = PAGE.read_text()

    assert len(QUERIES) >= 15
    assert len(QUERIES) == page.count("```sql") == page.count("\n### ")


@pytest.mark.parametrize("title", QUERIES)
def test_a_worked_query_runs_and_finds_something(company: Company, title: str) -> None:
    worked = QUERIES[title]

    assert company.sql(worked.query, **worked.parameters)


@pytest.mark.parametrize("title", QUERIES)
def test_the_parameters_of_a_worked_query_are_those_it_names(title: str) -> None:
    worked = QUERIES[title]

    assert set(re.findall(r"\{(\w+):", worked.query)) == set(worked.parameters)


def _everything_about_alice(answers: Answers) -> list[Row]:
    named = [entry for entry in answers.entries if names_person("alice")(entry)]
    shown = ("occurred_at", "kind", "workspace", "id", "actor", "user", "os_user", "hostname")
    return [[entry[name] for name in shown] for entry in named]


def _hosts_of_bob(answers: Answers) -> list[Row]:
    reached = answers.sessions(where(actor="bob", status=("ended", "running", "lost")))
    hosts: dict[str, list[str]] = {}
    for session in reached:
        hosts.setdefault(session["host"]["inventory_name"], []).append(session["occurred_at"])
    rows: list[Row] = [[host, len(seen), min(seen), max(seen)] for host, seen in hosts.items()]
    return sorted(rows, key=lambda row: (-row[1], row[0]))


def _other_names(answers: Answers) -> list[Row]:
    claims = [entry for entry in answers.entries if entry["id"] in CLAIMS]
    shown = ("occurred_at", "kind", "workspace", "id", "actor", "user")
    return [[entry[name] for name in shown] for entry in claims]


CLAIMS: Final = (facts.CLAIM_RUN, facts.CLAIM_SESSION)


def _at_odd_hours(answers: Answers) -> list[Row]:
    def is_odd(entry: Entry) -> bool:
        local = moment(entry["occurred_at"]).astimezone(ZoneInfo("Europe/Berlin"))
        return local.weekday() >= 5 or not 6 <= local.hour <= 20

    odd = [e for e in answers.entries if MONTH(e) and is_odd(e) and e["actor_kind"] == "person"]
    counts = Counter(entry["actor"] for entry in odd)
    production = Counter(e["actor"] for e in odd if e["environment"] == "production")
    rows: list[Row] = [[actor, count, production[actor]] for actor, count in counts.items()]
    return sorted(rows, key=lambda row: (-row[1], row[0]))


def _remarkable_sessions(answers: Answers) -> list[Row]:
    return [
        [
            *(session[name] for name in ("occurred_at", "id", "workspace")),
            session["host"]["inventory_name"],
            *(session[name] for name in ("actor", "status", "exit_code", "unexplained")),
        ]
        for session in answers.sessions()
        if session["status"] in ("running", "lost")
        or session["exit_code"] not in (None, 0)
        or session["unexplained"]
    ]


def _failed_deployments(answers: Answers) -> list[Row]:
    rows: list[Row] = []
    for workspace in (facts.PRODUCTION, facts.STAGING, facts.PLATFORM, facts.SANDBOX):
        runs = answers.runs(is_deploy_action, where(workspace=workspace), MONTH)
        statuses = Counter(run["status"] for run in runs)
        failed, finished = statuses["failed"], statuses["failed"] + statuses["successful"]
        share = round(failed / finished, 3)
        rows.append([workspace, runs[0]["environment"], failed, finished, share])
    return sorted(rows, key=lambda row: (-row[4], row[0]))


def _deployment_times(answers: Answers) -> list[Row]:
    times: dict[str, list[int]] = {}
    for run in answers.runs(is_deployment, MONTH):
        times.setdefault(run["block"], []).append(run["duration_ms"])
    rows: list[Row] = [
        [
            block,
            len(durations),
            round(sum(durations) / len(durations) / 1000, 1),
            percentile(durations, 0.5) / 1000,
            percentile(durations, 0.95) / 1000,
        ]
        for block, durations in times.items()
    ]
    return sorted(rows, key=lambda row: (-row[1], row[0]))


def _way_of_a_version(_: Answers) -> list[Row]:
    return [
        ["development", "2026-03-22T04:03:00.000000Z", facts.SANDBOX, "dave", 0],
        ["staging", "2026-03-24T05:04:00.000000Z", facts.STAGING, "gitlab-runner", 0],
        ["production", "2026-03-25T04:34:12.000000Z", facts.PRODUCTION, "gitlab-runner", 2],
    ]


def _running_now(answers: Answers) -> list[Row]:
    newest = {
        (run["environment"], run["workspace"], run["block"]): run for run in answers.deployments()
    }
    return [
        [*place, run["block_version"], run["ended_at"], run["actor"]]
        for place, run in sorted(newest.items(), key=lambda item: item[0])
    ]


def _use_of_blocks(answers: Answers) -> list[Row]:
    runs = sorted(answers.runs(MONTH), key=lambda run: (run["block"], run["workspace"]))
    rows: list[Row] = []
    for (block, workspace), used in groupby(runs, lambda run: (run["block"], run["workspace"])):
        uses = list(used)
        kinds = Counter(run["actor_kind"] for run in uses)
        actors = {run["actor"] for run in uses}
        versions = sorted({run["block_version"] for run in uses})
        rows.append([block, workspace, kinds["service"], kinds["person"], len(actors), versions])
    return sorted(rows, key=lambda row: (-row[2] - row[3], row[0], row[1]))


def _triggered_again(answers: Answers) -> list[Row]:
    rows: list[Row] = []
    for run in answers.runs():
        if run["retriggered_from"] is not None:
            first = answers[run["retriggered_from"]]
            shown = ("occurred_at", "id", "workspace", "block", "actor", "status")
            named = [first[name] for name in ("id", "actor", "status")]
            rows.append([*(run[name] for name in shown), *named])
    return rows


def _on_old_configuration(answers: Answers) -> list[Row]:
    def is_behind(run: Entry) -> bool:
        return run["configured_by"] is not None and run["configured_by"]["behind"]

    return [[run["id"]] for run in answers.runs(where(workspace=facts.STAGING), is_behind)]


def _in_force(_: Answers) -> list[Row]:
    sync = [facts.SYNC_IN_FORCE, "2026-03-24T03:02:11.000000Z", "main", facts.COMMIT_IN_FORCE]
    run = [facts.PATCH_RUN, "2026-03-24T03:58:20.000000Z", "alice", "linux-patch", "patch"]
    return [[*sync, "bob", *run]]


def _plain_syncs(answers: Answers) -> list[Row]:
    plain = answers.syncs(MONTH, lambda sync: not (sync["encryption"] or {}).get("enabled"))
    return [[sync["id"]] for sync in plain]


def _weeks_of_syncs(answers: Answers) -> list[Row]:
    results: dict[tuple[str, str], Counter[str]] = {}
    for sync in answers.syncs():
        day = moment(sync["occurred_at"]).date()
        week = day - timedelta(days=day.weekday())
        place = (week.isoformat(), sync["workspace"])
        results.setdefault(place, Counter())[sync["result"]] += 1
    return [
        [*place, *(counts[result] for result in ("success", "failed", "conflict"))]
        for place, counts in sorted(results.items(), key=lambda item: item[0])
    ]


def _upgrades(_: Answers) -> list[Row]:
    """Each installation says so itself on the day."""
    return [
        [one.id, one.hostname, version]
        for one in sorted(INSTANCES, key=lambda one: one.id)
        for _, version in one.versions
    ]


# Title -> what is right, and which columns are compared (None: all).
CHECKED: Final[dict[str, tuple[Callable[[Answers], list[Row]], slice | None]]] = {
    "Everything that names a person": (_everything_about_alice, None),
    "Which hosts somebody reached": (_hosts_of_bob, None),
    "Who says to be somebody else": (_other_names, None),
    "Work at night and on weekends": (_at_odd_hours, None),
    "Sessions to look at": (_remarkable_sessions, None),
    "Failed deployments by workspace": (_failed_deployments, None),
    "How long deployments take": (_deployment_times, None),
    "When a version first reached each environment": (_way_of_a_version, None),
    "What runs where now": (_running_now, None),
    "How blocks are used, and whether by a laptop or by CI": (_use_of_blocks, None),
    "Runs that were triggered again": (_triggered_again, None),
    "Runs on yesterday's configuration": (_on_old_configuration, slice(1, 2)),
    "The configuration at a moment, who brought it, and the first run after it": (_in_force, None),
    "Syncs that were not encrypted": (_plain_syncs, slice(1, 2)),
    "How syncs went, week by week": (_weeks_of_syncs, None),
    "When each installation was upgraded": (_upgrades, slice(0, 3)),
}


@pytest.mark.parametrize("title", CHECKED)
def test_a_worked_query_answers_what_its_title_says(company: Company, title: str) -> None:
    worked = QUERIES[title]
    judge, columns = CHECKED[title]

    rows = company.sql(worked.query, **worked.parameters)

    assert [row[columns] if columns else row for row in rows] == judge(company.answers)


def test_sessions_stand_with_the_runs_before_them(company: Company) -> None:
    worked = QUERIES["Sessions and the runs before them"]

    rows = company.sql(worked.query, **worked.parameters)

    patched = next(row for row in rows if row[1] == facts.SESSION_AFTER_PATCH)
    assert patched[2:8] == [
        "alice",
        facts.SERVER,
        "linux-patch",
        "patch",
        "successful",
        261_000,
    ]
    linked = [
        session["id"]
        for session in company.answers.sessions(where(workspace=facts.PRODUCTION))
        for link in session["links"]
        if (link["rule"], link["confidence"]) == ("after", "exact")
    ]
    assert [row[1] for row in rows] == linked


def test_unexplained_sessions_in_production_are_counted_by_host_and_person(
    company: Company,
) -> None:
    worked = QUERIES["Unexplained sessions in production, by host and person"]

    rows = company.sql(worked.query, **worked.parameters)

    judged = company.answers.sessions(where(environment="production", unexplained=True), MONTH)
    counts = Counter((s["host"]["inventory_name"], s["actor"]) for s in judged)
    assert {(host, actor): sessions for host, actor, sessions, _ in rows} == counts
    assert ids(judged).count(facts.SESSION_UNEXPLAINED) == 1
