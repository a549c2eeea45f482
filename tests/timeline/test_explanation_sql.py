"""For every link the engine says what Python says."""

import itertools

from schemas.explanation import explain_link
from schemas.kinds import Kind, Origin, Rule
from timeline.explanation_sql import explain_link_sql
from timeline.statement import Statement
from timeline.store import Store

RULES = (*Rule, "caused_by")
KINDS = (*Kind, "backup")
ORIGINS = (*Origin, "")
SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS = 1_000, 60_000, 3_600_000, 86_400_000
GAPS_MS = (
    *(0, 999, SECOND_MS, 59_999, MINUTE_MS, MINUTE_MS + 999, 261_000, HOUR_MS - 1, HOUR_MS),
    *(HOUR_MS + MINUTE_MS - 1, HOUR_MS + MINUTE_MS, DAY_MS - 1, DAY_MS, DAY_MS + HOUR_MS),
    *(3 * DAY_MS + 2 * HOUR_MS, 400 * DAY_MS, 2**63 - 1),
)
ACTOR = "o'brien {gap} \\"
INSTANCE = "cli-8f3891b2"


def test_the_engine_and_python_write_the_same_sentence(store: Store) -> None:
    links = [*itertools.product(RULES, KINDS, GAPS_MS, ORIGINS)]
    links += [*itertools.product(RULES, KINDS, (-1,), ORIGINS)]  # none
    expression = explain_link_sql(
        rule="link.1",
        target_kind="link.2",
        gap_ms="nullIf(link.3, -1)",
        origin="link.4",
        actor="{actor:String}",
        cli_instance_id="{instance:String}",
    )

    rows = store.read_now(
        lambda connection: connection.rows(
            Statement(
                f"SELECT {expression} FROM (SELECT arrayJoin({{links:Array(Tuple(String, String,"
                " Int64, String))}) AS link)",
                {"links": [(str(a), str(b), c, str(d)) for a, b, c, d in links]}
                | {"actor": ACTOR, "instance": INSTANCE},
            )
        )
    )

    assert [text for (text,) in rows] == [
        explain_link(
            rule,
            kind,
            None if gap_ms < 0 else gap_ms,
            origin,
            actor=ACTOR,
            cli_instance_id=INSTANCE,
        )
        for rule, kind, gap_ms, origin in links
    ]
