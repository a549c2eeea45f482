import pytest

from opstrail.case_text import print_case
from tests.opstrail.printed import printed, squeezed
from tests.opstrail.samples import (
    LONG,
    MARKUP,
    RUN_ID,
    SESSION_ID,
    SYNC_ID,
    Json,
    case,
    configuration,
    gap,
    link,
    run,
    session,
    sync,
)

WHOLE = """\
ssh server01  ended
  id         c5f4411d-641a-4b0a-8ee6-291d1c725c20
  when       2026-03-24 10:12:03 to 10:27:45 UTC, 15:42 min
  status     ended, exit code 0
  host       server01, 10.0.12.34
  who        alice (person)
  from       alice-laptop
  tool       cli-8f3891b2 0.8.4 (as it states itself)
  workspace  acme (production)

Configuration
  commit      a42b9e1 on main
  brought by  bob, 2026-03-24 08:02:11 UTC
  behind      no, it was the workspace's latest
  why         last successful sync in the workspace before the start (likely)
  record      sync 0c19e60f-9d4f-4f3b-b9fb-909cb7ab2f37

Before (1)
  time      what                         status      who         gap  link
  09:58:20  run linux-patch patch 0.1.0  successful  alice  4:21 min  exact
            the run ended 4 min 21 s before the start
            run 7b0f6a52-3c1e-4f0a-9c55-1f2f0c7f9d10, took 9:22 min

During: none

After: none

Other work of alice around that time: none

This picture is complete: all that was accepted before 2026-03-24 12:00:00 UTC
is in it.
"""


def test_a_case_reads_from_what_it_was_to_whether_that_is_all() -> None:
    assert printed(print_case, case()) == WHOLE


@pytest.mark.parametrize("record", [session(), run(), sync()])
def test_each_kind_has_its_whole_id_to_copy(record: Json) -> None:
    assert record["id"] in printed(print_case, case(entry=record))


def test_a_run_says_what_it_ran_and_which_run_it_repeats() -> None:
    first = "1d3d0e6b-52b5-4a8e-8f0b-6c2a7f1b0a01"
    record = run(
        block_from="ghcr.io/acme/nginx:0.3.1",
        links=[link(rule="retriggered_from", target={"kind": "action_run", "id": first})],
    )

    text = printed(print_case, case(entry=record))

    assert "ghcr.io/acme/nginx:0.3.1" in text
    assert "stated commit  a42b9e1" in text
    assert f"repeats        run {first}" in text


def test_a_sync_has_no_configuration_of_its_own() -> None:
    text = printed(print_case, case(entry=sync(), configuration=None))

    assert "Configuration" not in text
    assert "branch      main" in text
    assert "encryption  on, key age1, status ok" in text


def test_a_configuration_that_is_not_known_is_said_to_be() -> None:
    text = printed(print_case, case(configuration=None))

    assert "not known: no successful sync at or before the start" in text


def test_a_configuration_behind_the_latest_is_said_to_be() -> None:
    text = printed(print_case, case(configuration=configuration(behind=True, brought_by=None)))

    assert "yes, the workspace's latest sync then had another commit" in text
    assert "somebody who is not known" in text


def test_a_user_who_is_not_the_actor_is_shown_as_stated() -> None:
    text = printed(print_case, case(entry=session(user="bob", os_user="root")))

    assert "alice (person), states user bob, as root on the machine" in text


def test_other_work_that_stands_in_the_lists_is_said_once() -> None:
    other = sync(actor="alice", workspace="other", environment=None)

    text = printed(print_case, case(actor_work=[run(), other]))

    assert text.count(RUN_ID) == 1
    assert "Other work of alice around that time, besides the above (1)" in text
    assert f"sync {SYNC_ID}, in other" in text


def test_neighbours_of_another_day_say_their_day() -> None:
    earlier = {**run(occurred_at="2026-03-23T23:58:20.000000Z"), "link": None}

    assert "03-23 23:58:20" in printed(print_case, case(before=[earlier]))


OPEN = session(ended_at=None, duration_ms=None, status="running", exit_code=None)
EARLY = {"complete_until": "2026-03-24T11:27:44.999999Z"}


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"entry": OPEN}, "its end is not known"),
        ({"watermark": EARLY}, "up to 2026-03-24 11:27:44 UTC, and 2026-03-24 11:27:45 UTC"),
        ({"watermark": {"complete_until": None}}, "has not begun to count"),
        ({"gaps": [gap()]}, "7 events that CLIs counted never arrived"),
        ({"gaps": [gap(missing=1)]}, "one event that a CLI counted never arrived"),
        ({}, "more may still arrive"),
    ],
)
def test_what_makes_a_picture_incomplete_is_said(parts: Json, reason: str) -> None:
    text = printed(print_case, case(**{"complete": False, **parts}))

    assert "This picture may not be complete" in text
    assert squeezed(reason) in squeezed(text)
    assert "is complete:" not in text


def test_gaps_say_whose_counts_are_missing_and_when() -> None:
    text = printed(print_case, case(complete=False, gaps=[gap()]))

    assert "cli-8f3891b2        7  42 to 48  2026-03-24 10:00:01  2026-03-24 10:04:00" in text


def test_lists_that_were_cut_are_named() -> None:
    text = printed(print_case, case(omitted={"before": True, "during": False, "actor_work": True}))

    assert "Not all is shown of: before, the actor's work." in text


def test_a_lost_record_is_explained() -> None:
    text = printed(print_case, case(entry={**OPEN, "status": "lost"}, complete=False))

    assert "lost: open for so long that its end will hardly come" in text


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("text", [MARKUP, LONG, "北京" * 100])
def test_what_people_name_things_is_shown_as_it_is_and_fits(text: str, width: int) -> None:
    names = {"inventory_name": text, "ansible_host": text, "hostname_reported": text}
    record = session(
        host=names,
        actor=text,
        user="someone",
        os_user=text,
        hostname=text,
        ticket=text,
        reason=text,
        environment=text,
    )
    neighbour = {**run(block=text, actor=text, reason=text), "link": link(explanation=text)}

    shown = printed(
        print_case,
        case(
            entry=record,
            before=[neighbour],
            configuration=configuration(branch=text, brought_by=text, explanation=text),
        ),
        width=width,
    )

    assert squeezed(shown).count(squeezed(text)) >= 10


def test_an_unexplained_session_says_so() -> None:
    text = printed(print_case, case(entry=session(unexplained=True, flags=["late"])))

    assert "no run of the same origin stands around it" in text
    assert SESSION_ID in text
