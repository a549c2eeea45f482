import pytest

from opstrail.incident_text import print_incident
from tests.opstrail.printed import printed, squeezed
from tests.opstrail.samples import LONG, MARKUP, gap, incident, run, sync

WHOLE = """\
Before 2026-03-24 10:20:00 UTC
  looking back to 2026-03-24 02:20:00 UTC, all in acme (production)

Still running then (1)
  time      what          status  who
  10:12:03  ssh server01  ended   alice
            ssh c5f4411d-641a-4b0a-8ee6-291d1c725c20, took 15:42 min

Before it, newest first (2)
  time      what                         status      who
  09:58:20  run linux-patch patch 0.1.0  successful  alice
            run 7b0f6a52-3c1e-4f0a-9c55-1f2f0c7f9d10, took 9:22 min
  08:02:11  sync dc3a1f7 → a42b9e1       successful  bob
            sync 0c19e60f-9d4f-4f3b-b9fb-909cb7ab2f37

Configuration at that moment
  workspace          commit   branch  synced               brought by
  acme (production)  a42b9e1  main    2026-03-24 08:02:11  bob
                     sync 0c19e60f-9d4f-4f3b-b9fb-909cb7ab2f37

Who was at work
  who            runs  sessions  syncs
  alice  person     1         1      0

With which tools
  CLI instance  version  machine       version seen
  cli-8f3891b2  0.8.4    alice-laptop  2026-03-24 10:12:03

This picture is complete: all that was accepted before 2026-03-24 12:00:00 UTC
is in it.
"""


def test_an_incident_reads_from_what_ran_to_whether_that_is_all() -> None:
    assert printed(print_incident, incident()) == WHOLE


def test_each_row_says_its_workspace_where_there_are_several() -> None:
    other = run(workspace="other", environment=None)

    text = printed(print_incident, incident(before=[run(), other]))

    assert "all in" not in text
    assert squeezed("took 9:22 min, in acme (production)") in squeezed(text)
    assert "took 9:22 min, in other" in text


def test_commits_are_short_where_they_stand_in_columns() -> None:
    sha = "0123456789abcdef0123456789abcdef01234567"
    git = {"branch": "main", "before_sha": None, "after_sha": sha}

    text = printed(print_incident, incident(before=[sync(git=git)]))

    assert "sync ? → 0123456789ab  successful" in text


def test_a_quiet_time_says_so_in_few_lines() -> None:
    nothing: dict[str, list[str]] = {
        name: [] for name in ("before", "during", "configuration", "tools", "actors")
    }

    text = printed(print_incident, incident(**nothing))

    assert "Still running then: none" in text
    assert "Before it, newest first: none" in text
    assert "Configuration" not in text


@pytest.mark.parametrize(
    ("until", "reason"),
    [
        ("2026-03-24T10:19:59.999999Z", "it is known up to 2026-03-24 10:19:59 UTC only"),
        (None, "has not begun to count"),
        ("2026-03-24T10:20:00.000000Z", "more may still arrive"),
    ],
)
def test_what_makes_a_picture_incomplete_is_said(until: str | None, reason: str) -> None:
    watermark = {"complete_until": until}

    text = printed(print_incident, incident(complete=False, watermark=watermark))

    assert squeezed(reason) in squeezed(text)


def test_gaps_and_lists_that_were_cut_are_named() -> None:
    text = printed(
        print_incident,
        incident(complete=False, gaps=[gap()], omitted={"before": True, "actors": True}),
    )

    assert "Gaps (1)" in text
    assert "Not all is shown of: before, people and services." in text
    assert "7 events that CLIs counted never arrived" in text


@pytest.mark.parametrize("text", [MARKUP, LONG])
def test_what_people_name_things_is_shown_as_it_is_and_fits(text: str) -> None:
    git = {"branch": text, "before_sha": None, "after_sha": "a42b9e1"}
    before = [run(block=text, actor=text, reason=text, ticket=text), sync(git=git)]
    actors = [{"actor": text, "actor_kind": "person", "runs": 1, "sessions": 0, "syncs": 0}]
    tools = [{"cli_instance_id": "cli-1", "version": None, "observed_at": None, "hostname": text}]

    shown = printed(print_incident, incident(before=before, actors=actors, tools=tools))

    assert squeezed(text) in squeezed(shown)
