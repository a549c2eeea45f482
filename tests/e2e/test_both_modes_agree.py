"""One file, sent with `opstrail send`, reads the same embedded, distributed and in the oracle."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.simulation.histories import mixed_history
from tests.simulation.oracle import Delivery, timeline
from tests.support.opstrail import DistributedOpstrail, EmbeddedOpstrail, Opstrail, User, opstrail

# So many that it takes some requests and pages, and holds each kind of link, flag and conflict.
EVENTS = 4_000
RULES = {"after", "before", "during", "retriggered_as", "retriggered_from"}
FLAGS = {"conflicting_snapshot", "duration_mismatch", "start_changed", "stated_commit_not_synced"}
# What tells when and how often something was sent, not what happened.
_OF_THE_SENDING = ("received_at", "key_id", "revision", "environment")
_FLAGS_OF_THE_SENDING = {"late", "clock_ahead", "fields_dropped"}

Entries = dict[tuple[str, str, str], dict[str, Any]]


@pytest.fixture(scope="module")
def history() -> list[Delivery]:
    return mixed_history(11, EVENTS)


@pytest.fixture(scope="module")
def file(history: list[Delivery], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("history") / "events.ndjson"
    path.write_text("".join(json.dumps(each.event) + "\n" for each in history))
    return path


def sent(system: Opstrail, file: Path, user: User) -> dict[str, Any]:
    """The report of `opstrail send`, once the timeline shows what was sent."""
    ended = subprocess.run(
        opstrail("send", str(file), "--json"),
        env={**os.environ, "OPSTRAIL_URL": system.sending_url, "OPSTRAIL_KEY": system.admin_key},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    report: dict[str, Any] = json.loads(ended.stdout)
    for position in report["positions"]:
        user.wait_for(position)
    return report


def entries(user: User, history: list[Delivery]) -> list[dict[str, Any]]:
    """The history's part of the timeline: the broker, and what others left on it, is shared."""
    workspaces = {each.event.get("workspace") for each in history}
    return [entry for entry in user.timeline() if entry["workspace"] in workspaces]


def comparable(items: list[dict[str, Any]]) -> Entries:
    return {
        (entry["workspace"], entry["kind"], entry["id"]): {
            **{
                name: value
                for name, value in entry.items()
                if name not in _OF_THE_SENDING and name != "links"
            },
            # An open record reads as lost when its day is over, whatever is stored.
            "status": entry["status"].replace("lost", "running"),
            "flags": [flag for flag in entry["flags"] if flag not in _FLAGS_OF_THE_SENDING],
            "links": [_without_explanation(link) for link in entry["links"]],
            "configured_by": _without_explanation(entry["configured_by"]),
        }
        for entry in items
    }


def _without_explanation(link: dict[str, Any] | None) -> dict[str, Any] | None:
    return link and {name: value for name, value in link.items() if name != "explanation"}


def test_a_month_of_events_reads_the_same_everywhere_and_sending_it_again_changes_nothing(
    history: list[Delivery],
    file: Path,
    tmp_path: Path,
    kafka_bootstrap: str,
    clickhouse_url: str,
    postgres_url: str,
) -> None:
    judged = timeline(history)
    assert len(judged.entries) > EVENTS / 3
    assert judged.dead, "the history holds conflicts"
    written = judged.entries.values()
    assert {link["rule"] for entry in written for link in entry["links"]} == RULES
    assert {flag for entry in written for flag in entry["flags"]} >= FLAGS
    systems: dict[str, Opstrail] = {
        "embedded": EmbeddedOpstrail(tmp_path),
        "distributed": DistributedOpstrail(
            tmp_path, kafka=kafka_bootstrap, clickhouse=clickhouse_url, postgres=postgres_url
        ),
    }
    read: dict[str, list[dict[str, Any]]] = {}
    for name, system in systems.items():
        user = User(system)
        assert sent(system, file, user)["accepted"] == EVENTS
        read[name] = entries(user, history)
        sent(system, file, user)
        assert entries(user, history) == read[name], f"{name}: sending again changed something"
        user.close()
        system.close()
    explained = {
        name: {(each["workspace"], each["kind"], each["id"]): _explanations(each) for each in items}
        for name, items in read.items()
    }

    assert explained["distributed"] == explained["embedded"]
    assert comparable(read["distributed"]) == comparable(read["embedded"])
    assert comparable(read["embedded"]) == comparable(list(judged.entries.values()))


def _explanations(entry: dict[str, Any]) -> list[str]:
    links = [entry["configured_by"], *entry["links"]]
    return [link["explanation"] for link in links if link is not None]
