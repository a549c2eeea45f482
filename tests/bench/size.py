"""`make bench ONLY=size`: what an event takes on disk, in ClickHouse after merging and in Kafka.

Sizes follow from what was sent: each round sends more and looks again, so the table shows how they
change with the amount. FULL=1 sends twenty times as much.
"""

import argparse
import asyncio
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import uvloop
from rich.console import Console

from schemas import topics
from tests.bench.flow import EVENTS_PER_REQUEST, Flow
from tests.bench.installation import Installation, Shape, end_in_order, running
from tests.bench.machine import this_machine
from tests.bench.result import REPETITIONS_MIN, Case, Plot, Result, save, show
from tests.bench.sent_events import BUSY_EVENTS_PER_HOUR, EVENTS_PER_RECORD, USUAL_EVENTS_PER_HOUR
from tests.support.services import ProgramService

TOTALS: Final = "In all"
TABLES: Final = "By table, after the last round"
COLUMNS: Final = "By column of the largest tables, after the last round"
_ROUND_EVENTS: Final = 20_000
_FULL_ROUND_EVENTS: Final = 400_000
_CLOCK_RATE: Final = 600
_SQL_TIMEOUT_S: Final = 300.0
_COLUMNS_SHOWN: Final = 25


def measure(console: Console, *, is_full: bool) -> Result:
    """Send round after round."""
    events = _FULL_ROUND_EVENTS if is_full else _ROUND_EVENTS
    result = Result(
        "size",
        f"{REPETITIONS_MIN} rounds of {events:,} events in requests of {EVENTS_PER_REQUEST},"
        f" {EVENTS_PER_RECORD} events a record, for each density anew: the more happens in an hour"
        " of a workspace, the more links an entry has. The wall clock ran"
        f" {_CLOCK_RATE} times as fast. ClickHouse: active parts after OPTIMIZE … FINAL, with"
        " marks and indexes. Kafka: the segment files of one replica.",
        this_machine(),
    )
    for events_per_hour in (USUAL_EVENTS_PER_HOUR, BUSY_EVENTS_PER_HOUR):
        with running(Shape(clock_rate=_CLOCK_RATE)) as there:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                sent = runner.run(_rounds(result, there, events, events_per_hour, console))
            _add_tables(result, there, sent, events_per_hour)
    result.plots = [
        Plot(
            table=TOTALS,
            what="ClickHouse",
            along="events sent",
            lines="events an hour",
            is_log_along=False,
        )
    ]
    return result


async def _rounds(
    result: Result, there: Installation, events: int, events_per_hour: int, console: Console
) -> int:
    """How many events were sent."""
    flow = Flow(there, events_per_hour=events_per_hour)
    try:
        for number in range(1, REPETITIONS_MIN + 1):
            await flow.send(events)
            sent = flow.accepted
            await asyncio.to_thread(_merge, there)
            case: Case = {
                "events an hour": events_per_hour,
                "round": number,
                "events sent": sent,
            }
            stored = float(
                _query(there, f"SELECT sum(bytes_on_disk) FROM system.parts WHERE {_OURS}")[0][0]
            )
            result.add_once(TOTALS, case, "ClickHouse", "B/event", stored / sent)
            log = _kafka_bytes(there)
            for topic in (topics.EVENTS, topics.TIMELINE, topics.STATE_CHANGELOG):
                result.add_once(TOTALS, case, f"Kafka {topic}", "B/event", log[topic] / sent)
            links, entries = _query(
                there, "SELECT sum(length(link_rule)), count() FROM entries FINAL"
            )[0]
            result.add_once(TOTALS, case, "links", "per entry", int(links) / int(entries))
            console.print(f"{events_per_hour} an hour, round {number}: {sent:,} events")
        return flow.accepted
    finally:
        flow.close()


_OURS: Final = "active AND database = currentDatabase()"


def _merge(there: Installation) -> None:
    for (table,) in _query(
        there,
        "SELECT name FROM system.tables WHERE database = currentDatabase()"
        " AND engine LIKE '%MergeTree'",
    ):
        _query(there, f"OPTIMIZE TABLE `{table}` FINAL")


def _add_tables(result: Result, there: Installation, sent: int, events_per_hour: int) -> None:
    tables = _query(
        there,
        "SELECT table, sum(rows), sum(bytes_on_disk),"
        " sum(data_compressed_bytes), sum(data_uncompressed_bytes) FROM system.parts"
        f" WHERE {_OURS} GROUP BY table ORDER BY 3 DESC",
    )
    for table, rows, stored, packed, plain in tables:
        case: Case = {"events an hour": events_per_hour, "table": table}
        result.add_once(TABLES, case, "rows", "", float(rows))
        result.add_once(TABLES, case, "on disk", "B/event", float(stored) / sent)
        result.add_once(TABLES, case, "of it columns", "B/event", float(packed) / sent)
        result.add_once(TABLES, case, "uncompressed", "B/event", float(plain) / sent)
    columns = _query(
        there,
        "SELECT table, column, sum(column_data_compressed_bytes),"
        " sum(column_data_uncompressed_bytes), sum(column_marks_bytes)"
        f" FROM system.parts_columns WHERE {_OURS} GROUP BY table, column ORDER BY 3 DESC"
        f" LIMIT {_COLUMNS_SHOWN}",
    )
    for table, column, packed, plain, marks in columns:
        case = {"events an hour": events_per_hour, "table": table, "column": column}
        result.add_once(COLUMNS, case, "on disk", "B/event", float(packed) / sent)
        result.add_once(COLUMNS, case, "marks", "B/event", float(marks) / sent)
        result.add_once(COLUMNS, case, "uncompressed", "B/event", float(plain) / sent)


def _kafka_bytes(there: Installation) -> dict[str, int]:
    """By topic. The broker must be one that was started here."""
    kafka = there.services["Kafka"]
    assert isinstance(kafka, ProgramService)
    # Its last argument is the file of its settings, beside which it keeps its log.
    command = Path(f"/proc/{kafka.process.pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    logs = Path(command[-1].decode()).parent / "logs"
    found: dict[str, int] = {}
    for path in logs.glob("*/*.log"):
        topic = path.parent.name.rpartition("-")[0]
        found[topic] = found.get(topic, 0) + path.stat().st_size
    return found


def _query(there: Installation, sql: str) -> list[list[str]]:
    """Rows of text from the server. Raises OSError."""
    parts = urlsplit(there.services["ClickHouse"].address)
    named = urllib.parse.urlencode(
        {
            "user": unquote(parts.username or "default"),
            "database": there.variables["OPSTRAIL_CLICKHOUSE_DATABASE"],
        }
    )
    url = f"http://{parts.hostname}:{parts.port}/?{named}"
    with urllib.request.urlopen(url, sql.encode(), timeout=_SQL_TIMEOUT_S) as answer:
        text: str = answer.read().decode()
    return [line.split("\t") for line in text.splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="two million events")
    options = parser.parse_args()
    end_in_order()
    console = Console()
    result = measure(console, is_full=options.full)
    show(result, console)
    save(result)


if __name__ == "__main__":
    main()
