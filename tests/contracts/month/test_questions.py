"""The twenty questions users ask, each answered by one call; `answers` knows what is right."""

from collections import Counter
from typing import Any

import pytest

from tests.contracts.month import facts
from tests.contracts.month.answers import (
    Entry,
    active_in,
    ids,
    is_deploy_action,
    is_deployment,
    is_on_host,
    moment,
    names_person,
    percentile,
    started_in,
    where,
)
from tests.contracts.month.company import Company
from tests.contracts.month.events import FROM, SENDERS, TO
from tests.contracts.month.facts import NGINX, PLATFORM, PRODUCTION, SANDBOX, SERVER, STAGING

MONTH = {"from_": FROM, "to": TO}
DEPLOYS = ["deploy", "install", "rollout"]


def items(company: Company, path: str, **filters: Any) -> list[Entry]:
    """One page that holds all there is."""
    page = company.auditor.get(path, order="asc", limit="1000", **filters)
    assert page["next_cursor"] is None
    found: list[Entry] = page["items"]
    return found


def test_the_timeline_holds_the_month_as_it_was(company: Company) -> None:
    """What all the answers rest on: entry by entry what the independent judge says."""
    shown = company.auditor.timeline()

    expected = company.answers.entries
    assert ids(shown) == ids(expected)
    for entry, judged in zip(shown, expected, strict=True):
        for name in ("workspace", "environment", "status", "actor", "user", "unexplained"):
            assert entry[name] == judged[name], (judged["id"], name)
        assert set(entry["flags"]) - {"late"} == set(judged["flags"]) - {"late"}
        assert [link["target"] for link in entry["links"]] == [
            link["target"] for link in judged["links"]
        ]


def test_1_who_accessed_a_server_by_ssh_in_a_period(company: Company) -> None:
    found = items(
        company,
        "/v1/ssh-sessions",
        host=SERVER,
        active_from=facts.DAY_START,
        active_to=facts.DAY_END,
    )

    sessions = company.answers.sessions(
        is_on_host(SERVER), active_in(facts.DAY_START, facts.DAY_END)
    )
    assert ids(found) == ids(sessions)
    who = {(session["id"], session["actor"]) for session in found}
    assert who >= {
        (facts.SESSION_OVERNIGHT, "dave"),  # began the day before
        (facts.SESSION_AFTER_PATCH, "alice"),
        (facts.SESSION_BY_OTHER_NAME, "carol"),  # known there by another name
    }
    assert facts.SESSION_OTHER_SERVER not in ids(found)


def test_2_which_hosts_somebody_reached(company: Company) -> None:
    rows = company.sql(
        "SELECT host_inventory_name, count(), max(occurred_at) FROM ssh_sessions"
        " WHERE actor = {person:String} AND status != 'failed'"
        " GROUP BY host_inventory_name ORDER BY host_inventory_name",
        person="bob",
    )

    reached = company.answers.sessions(
        where(actor="bob"), lambda session: session["status"] != "failed"
    )
    assert rows == [
        [name, count, max(s["occurred_at"] for s in reached if s["host"]["inventory_name"] == name)]
        for name, count in sorted(Counter(s["host"]["inventory_name"] for s in reached).items())
    ]
    assert "gone.acme-corp.com" not in [name for name, *_ in rows]


def test_3_which_sessions_are_open_which_ended_in_error_which_are_unexplained(
    company: Company,
) -> None:
    rows = company.sql(
        "SELECT id, status IN ('running', 'lost') AS is_open,"
        " ifNull(exit_code, 0) != 0 AS is_error, ifNull(unexplained, false) AS is_unexplained"
        " FROM ssh_sessions"
        " WHERE is_open OR is_error OR is_unexplained ORDER BY occurred_at, id"
    )

    judged = [
        (
            session["id"],
            session["status"] in ("running", "lost"),
            session["exit_code"] not in (None, 0),
            session["unexplained"],
        )
        for session in company.answers.sessions()
    ]
    assert [tuple(row) for row in rows] == [each for each in judged if any(each[1:])]
    remarkable = {id_: marks for id_, *marks in rows}
    assert remarkable[facts.SESSION_OPEN][0]
    assert remarkable[facts.SESSION_LOST][0]
    assert remarkable[facts.SESSION_UNREACHED] == [False, True, True]
    assert remarkable[facts.SESSION_UNEXPLAINED] == [False, False, True]
    assert facts.SESSION_AFTER_PATCH not in remarkable


@pytest.mark.parametrize(
    ("filters", "fits"),
    [
        ({"status": ["running", "lost"]}, where(status=("running", "lost"))),
        ({"status": "failed"}, where(exit_code=255)),
        ({"exit_code": "1"}, where(exit_code=1)),
        ({"unexplained": "true"}, where(unexplained=True)),
    ],
    ids=["open", "unreached", "exit code", "unexplained"],
)
def test_3_and_each_of_them_as_a_list(company: Company, filters: Any, fits: Any) -> None:
    assert ids(items(company, "/v1/ssh-sessions", **filters)) == ids(company.answers.sessions(fits))


def test_4_which_tool_version_is_in_use_and_where(company: Company) -> None:
    page = company.auditor.get("/v1/cli-instances")

    shown = ("cli_version", "hostname", "os", "first_seen", "last_seen", "actors", "versions")
    assert {one["id"]: {name: one[name] for name in shown} for one in page["items"]} == {
        id_: {name: judged[name] for name in shown}
        for id_, judged in company.answers.instances.items()
    }
    dave = next(one for one in page["items"] if one["hostname"] == "dave-pc")
    assert (dave["cli_version"], dave["actors"]) == ("0.9.0", ["dave"])


def test_4_and_which_are_below_a_version_in_the_order_of_versions(company: Company) -> None:
    page = company.auditor.get("/v1/cli-instances", version_below="0.18.0")

    # As text, 0.9.0 would be above.
    assert {(one["hostname"], one["cli_version"]) for one in page["items"]} == {
        ("dave-pc", "0.9.0"),
        ("gitlab-runner-43", "0.10.2"),
    }


def test_5_who_restarted_the_production_database_on_friday_evening(company: Company) -> None:
    found = items(
        company,
        "/v1/action-runs",
        environment="production",
        block="db-maintenance",
        action="restart",
        active_at="2026-03-20T21:17:00+01:00",
    )

    assert [(run["id"], run["actor"], run["ticket"]) for run in found] == [
        (facts.RESTART, "bob", "INC-308")
    ]


def test_6_when_a_version_reached_production(company: Company) -> None:
    page = company.auditor.get(
        "/v1/deployments",
        block="shop",
        block_version="1.4.3",
        environment="production",
        order="asc",
        limit="1",
    )

    (first,) = page["items"]
    assert first["run_id"] == facts.SHOP_PRODUCTION
    assert first["deployed_at"] == "2026-03-25T04:34:12.000000Z"
    reached = company.answers.deployments(
        where(block="shop", block_version="1.4.3", environment="production")
    )
    assert first["run_id"] == reached[0]["id"]


def test_7_what_changed_before_the_incident_last_night(company: Company) -> None:
    incident = company.auditor.get(
        "/v1/incidents", at=facts.INCIDENT_AT, before="8h", environment="production"
    )

    started = "2026-03-26T18:40:00+01:00"
    near = [
        entry
        for entry in company.answers.entries
        if entry["environment"] == "production" and active_in(started, facts.INCIDENT_AT)(entry)
    ]
    still_ran = active_in(facts.INCIDENT_AT, "2026-03-27T02:40:00.000001+01:00")
    assert sorted(ids(incident["before"])) == sorted(ids([e for e in near if not still_ran(e)]))
    assert sorted(ids(incident["during"])) == sorted(ids([e for e in near if still_ran(e)]))
    assert set(ids(incident["before"])) >= {facts.SYNC_NIGHT, facts.DEPLOY_NIGHT}
    assert set(ids(incident["during"])) >= {facts.MIGRATION_NIGHT, facts.SESSION_NIGHT}
    configuration = {each["workspace"]: each for each in incident["configuration"]}[PRODUCTION]
    assert configuration["sync_id"] == facts.SYNC_NIGHT
    assert (configuration["commit"], configuration["brought_by"]) == ("beef123", "carol")


def test_8_how_many_deploys_failed_last_month_by_workspace(company: Company) -> None:
    summary = company.auditor.get(
        "/v1/action-runs/summary", group_by="workspace", action=DEPLOYS, **MONTH
    )

    judged = company.answers.runs(is_deploy_action, started_in(FROM, TO))
    assert {
        group["workspace"]: (group["failed"], group["runs"]) for group in summary["groups"]
    } == {
        workspace: (
            len([run for run in judged if where(workspace=workspace, status="failed")(run)]),
            len([run for run in judged if where(workspace=workspace)(run)]),
        )
        for workspace in (PRODUCTION, STAGING, PLATFORM, SANDBOX)
    }


def test_9_where_a_block_version_was_last_deployed_to_production(company: Company) -> None:
    page = company.auditor.get(
        "/v1/deployments",
        block_name=NGINX,
        block_version="0.3.1",
        environment="production",
        limit="1",
    )

    (last,) = page["items"]
    assert (last["run_id"], last["workspace"]) == (facts.NGINX_ROLLBACK, PLATFORM)
    assert last["deployed_at"] == "2026-03-28T04:02:00.000000Z"
    assert last["actor"] == "bob"


def test_10_the_mean_and_the_95th_percentile_of_deployment_time(company: Company) -> None:
    summary = company.auditor.get(
        "/v1/action-runs/summary", action=DEPLOYS, status="successful", **MONTH
    )

    (group,) = summary["groups"]
    durations = [
        run["duration_ms"] for run in company.answers.runs(is_deployment, started_in(FROM, TO))
    ]
    assert group["runs"] == len(durations)
    assert group["duration_ms"]["mean"] == pytest.approx(sum(durations) / len(durations))
    assert group["duration_ms"]["p50"] == percentile(durations, 0.5)
    assert group["duration_ms"]["p95"] == percentile(durations, 0.95)


def test_11_all_runs_of_one_block_reference_in_one_workspace(company: Company) -> None:
    found = items(
        company, "/v1/action-runs", workspace=PRODUCTION, block_name=NGINX, block_version="0.3.1"
    )

    judged = company.answers.runs(
        where(workspace=PRODUCTION, block_name=NGINX, block_version="0.3.1")
    )
    assert ids(found) == ids(judged)
    assert len(found) > 5
    assert facts.NGINX_FAILED in ids(found)


def test_12_which_version_rolled_into_which_environment_when(company: Company) -> None:
    week = ("2026-03-20T00:00:00+01:00", "2026-03-27T00:00:00+01:00")
    found = items(company, "/v1/deployments", from_=week[0], to=week[1])

    assert [
        (each["environment"], each["block"], each["block_version"], each["deployed_at"])
        for each in found
    ] == [
        (run["environment"], run["block"], run["block_version"], run["ended_at"])
        for run in company.answers.deployments()
        if moment(week[0]) <= moment(run["ended_at"]) < moment(week[1])
    ]
    shop = [each for each in found if each["block_version"] == "1.4.3" and each["block"] == "shop"]
    assert [(each["environment"], each["workspace"]) for each in shop[:3]] == [
        ("development", SANDBOX),
        ("staging", STAGING),
        ("production", PRODUCTION),
    ]


def test_12_and_what_runs_where_now(company: Company) -> None:
    found = items(company, "/v1/deployments", latest="true")

    newest = {(run["workspace"], run["block"]): run["id"] for run in company.answers.deployments()}
    assert {(each["workspace"], each["block"]): each["run_id"] for each in found} == newest


def test_13_how_blocks_are_used_by_workspace_and_by_laptop_or_ci(company: Company) -> None:
    rows = company.sql(
        "SELECT block, workspace, if(actor_kind = 'service', 'ci', 'laptop') AS used_by, count()"
        " FROM action_runs GROUP BY block, workspace, used_by"
    )

    judged = Counter(
        (run["block"], run["workspace"], "ci" if SENDERS[run["actor"]] == "service" else "laptop")
        for run in company.answers.runs()
    )
    assert {(block, workspace, used_by): runs for block, workspace, used_by, runs in rows} == judged


def test_13_and_by_machine(company: Company) -> None:
    summary = company.auditor.get(
        "/v1/action-runs/summary", group_by="block,workspace,hostname", **MONTH
    )

    judged = Counter(
        (run["block"], run["workspace"], run["hostname"])
        for run in company.answers.runs(started_in(FROM, TO))
    )
    keys = ("block", "workspace", "hostname")
    groups = summary["groups"]
    assert {tuple(group[key] for key in keys): group["runs"] for group in groups} == judged


def test_14_which_run_and_commit_belong_to_a_session(company: Company) -> None:
    case = company.auditor.get(f"/v1/cases/ssh_session/{facts.SESSION_AFTER_PATCH}")

    run = next(each for each in case["before"] if each["id"] == facts.PATCH_RUN)
    assert (run["link"]["rule"], run["link"]["confidence"]) == ("after", "exact")
    assert run["link"]["gap_ms"] == 261_000
    assert case["configuration"]["commit"] == run["commit_sha"] == facts.COMMIT_IN_FORCE
    assert case["configuration"]["brought_by"] == "bob"
    judged = company.answers[facts.SESSION_AFTER_PATCH]["configured_by"]
    assert case["configuration"]["sync_id"] == judged["sync_id"] == facts.SYNC_IN_FORCE


def test_15_the_configuration_at_a_time_who_brought_it_and_the_first_run_after_it(
    company: Company,
) -> None:
    rows = company.sql(
        "WITH brought AS (SELECT id, workspace, occurred_at, git_after_sha, actor"
        " FROM workspace_syncs WHERE workspace = {workspace:String} AND status = 'successful'"
        " AND isNotNull(git_after_sha) AND occurred_at <= parseDateTime64BestEffort({at:String}, 6)"
        " ORDER BY occurred_at DESC, id DESC LIMIT 1)"
        " SELECT brought.id, brought.git_after_sha, brought.actor, brought.occurred_at,"
        " run.id, run.actor FROM brought LEFT JOIN action_runs AS run"
        " ON run.workspace = brought.workspace AND run.occurred_at >= brought.occurred_at"
        " ORDER BY run.occurred_at, run.id LIMIT 1",
        workspace=PRODUCTION,
        at=facts.CONFIGURED_AT,
    )

    judged = company.answers.syncs(
        where(workspace=PRODUCTION, status="successful"), started_in(FROM, facts.CONFIGURED_AT)
    )[-1]
    after = company.answers.runs(
        where(workspace=PRODUCTION), started_in(judged["occurred_at"], TO)
    )[0]
    assert rows == [
        [
            judged["id"],
            judged["git"]["after_sha"],
            judged["actor"],
            judged["occurred_at"],
            after["id"],
            after["actor"],
        ]
    ]
    assert rows[0][:3] == [facts.SYNC_IN_FORCE, facts.COMMIT_IN_FORCE, "bob"]
    assert rows[0][4:] == [facts.PATCH_RUN, "alice"]


@pytest.mark.parametrize(
    ("start", "end", "plain"),
    [
        ("2026-03-01T00:00:00Z", "2026-03-18T04:20:00Z", []),
        ("2026-03-18T00:00:00Z", "2026-03-19T00:00:00Z", [[facts.SYNC_PLAIN, "dave"]]),
    ],
)
def test_16_whether_every_sync_in_a_period_was_encrypted(
    company: Company, start: str, end: str, plain: list[list[str]]
) -> None:
    rows = company.sql(
        "SELECT id, actor FROM workspace_syncs"
        " WHERE workspace = {workspace:String} AND ifNull(encryption_enabled, false) = false"
        " AND occurred_at >= parseDateTime64BestEffort({since:String}, 6)"
        " AND occurred_at < parseDateTime64BestEffort({until:String}, 6)",
        workspace=PRODUCTION,
        since=start,
        until=end,
    )

    assert rows == plain
    judged = company.answers.syncs(where(workspace=PRODUCTION), started_in(start, end))
    assert len(judged) > 1
    assert [
        [sync["id"], sync["actor"]]
        for sync in judged
        if not (sync["encryption"] and sync["encryption"]["enabled"])
    ] == plain


def test_17_everything_somebody_did_in_one_timeline(company: Company) -> None:
    found = items(company, "/v1/timeline", actor="bob")

    judged = [entry for entry in company.answers.entries if entry["actor"] == "bob"]
    assert ids(found) == ids(judged)
    assert {entry["kind"] for entry in found} == {"action_run", "ssh_session", "workspace_sync"}
    assert facts.CLAIM_RUN not in ids(found)  # carol's key said it was bob


def test_18_which_runs_were_triggered_again_by_whom_and_from_which(company: Company) -> None:
    rows = company.sql(
        "SELECT again.id, again.actor, again.retriggered_from, first.actor, first.status"
        " FROM action_runs AS again LEFT JOIN action_runs AS first"
        " ON first.workspace = again.workspace AND first.id = again.retriggered_from"
        " WHERE isNotNull(again.retriggered_from) ORDER BY again.occurred_at, again.id"
    )

    judged = []
    for run in company.answers.runs():
        if run["retriggered_from"] is not None:
            first = company.answers[run["retriggered_from"]]
            judged.append([run["id"], run["actor"], first["id"], first["actor"], first["status"]])
    assert rows == judged
    assert [facts.SHOP_FAILED_AGAIN, "carol", facts.SHOP_FAILED, "gitlab-runner", "failed"] in rows


def test_19_where_the_claim_and_the_owner_of_the_key_disagree(company: Company) -> None:
    found = items(company, "/v1/timeline", flag="actor_mismatch")

    assert [(entry["id"], entry["actor"], entry["user"]) for entry in found] == [
        (facts.CLAIM_RUN, "carol", "bob"),
        (facts.CLAIM_SESSION, "dave", "alice"),
    ]
    judged = [e for e in company.answers.entries if "actor_mismatch" in e["flags"]]
    assert ids(found) == ids(judged)


def test_20_every_record_that_names_a_person(company: Company) -> None:
    rows = company.sql(
        "SELECT kind, workspace, id, actor, user, os_user FROM timeline"
        " WHERE actor = {person:String} OR user = {person:String} OR os_user = {person:String}"
        " ORDER BY occurred_at, kind, id",
        person="alice",
    )

    judged = [entry for entry in company.answers.entries if names_person("alice")(entry)]
    fields = ("kind", "workspace", "id", "actor", "user", "os_user")
    assert rows == [[entry[name] for name in fields] for entry in judged]
    named = [id_ for _, _, id_, *_ in rows]
    assert {facts.OS_USER_RUN, facts.CLAIM_SESSION, facts.PATCH_RUN} <= set(named)
