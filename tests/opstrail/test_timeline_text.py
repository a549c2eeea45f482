import pytest

from opstrail.timeline_text import duration_text, print_timeline, what_text
from tests.opstrail.printed import printed, squeezed
from tests.opstrail.samples import LONG, MARKUP, configuration, link, run, session, sync

SESSION = session(
    configured_by=configuration(),
    links=[link(target={"kind": "action_run", "id": "7b0f6a52-3c1e-4f0a-9c55-1f2f0c7f9d10"})],
)
WHOLE = """\
2026-03-24 (UTC)
10:12:03  ssh server01  ended 15:42 min
          by alice, on alice-laptop, with cli-8f3891b2 0.8.4, in acme
          ssh c5f4411d-641a-4b0a-8ee6-291d1c725c20
          → configured by commit a42b9e1 (main, sync 0c19e60f) [likely]
            last successful sync in the workspace before the start
          → after action run 7b0f6a52 [exact]
            the run ended 4 min 21 s before the start
"""


def test_an_entry_says_when_what_who_and_why_it_is_linked() -> None:
    assert printed(print_timeline, [SESSION], with_links=True) == WHOLE


def test_links_can_be_left_out() -> None:
    assert "→" not in printed(print_timeline, [SESSION], with_links=False)


def test_each_day_is_said_once() -> None:
    earlier = sync(occurred_at="2026-03-23T08:02:11.000000Z")

    text = printed(print_timeline, [session(), run(), earlier], with_links=True)

    assert text.count("2026-03-24 (UTC)") == 1
    assert text.count("2026-03-23 (UTC)") == 1


def test_no_entries_are_said_to_be_none() -> None:
    assert printed(print_timeline, [], with_links=True) == "no entries\n"


@pytest.mark.parametrize("text", [MARKUP, LONG])
def test_what_people_name_things_is_shown_as_it_is_and_fits(text: str) -> None:
    entry = run(block=text, actor=text, hostname=text, ticket=text)

    shown = printed(print_timeline, [entry], with_links=True)

    assert squeezed(shown).count(squeezed(text)) == 4


def test_a_kind_of_a_newer_server_is_shown_by_its_name_and_id() -> None:
    assert what_text({"kind": "backup", "id": "c5f4411d-641a"}) == "backup c5f4411d"


@pytest.mark.parametrize(
    ("duration_ms", "text"),
    [
        (0, "0 s"),
        (1_500, "1.5 s"),
        (59_999, "59.999 s"),
        (60_000, "1:00 min"),
        (3_599_999, "59:59 min"),
        (3_600_000, "1:00:00 h"),
    ],
)
def test_durations_are_in_the_unit_people_would_use(duration_ms: int, text: str) -> None:
    assert duration_text(duration_ms) == text
