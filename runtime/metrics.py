"""Every metric by name, with a sentence each; docs/metrics.md is checked against this list.

Labels never hold what a sender chooses: no workspace, no user, no host.
"""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from schemas.kinds import CLI_INSTANCE, DeadLetterReason, Kind
from schemas.rejections import RejectionCode

EVENTS_ACCEPTED: Final = Counter("opstrail_events_accepted", "Events answered with 202", ["type"])
EVENTS_REJECTED: Final = Counter("opstrail_events_rejected", "Events refused, by code", ["code"])
REQUESTS: Final = Counter("opstrail_http_requests", "HTTP answers", ["route", "method", "status"])
RATE_REFUSALS: Final = Counter(
    "opstrail_rate_refusals", "Requests answered with 429, by the limit", ["limit"]
)
REQUEST_SECONDS: Final = Histogram(
    "opstrail_http_request_seconds",
    "Time from request to answer",
    ["route"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
)
APPEND_FAILURES: Final = Counter("opstrail_append_failures", "Appends the log did not confirm")
INFLIGHT_BYTES: Final = Gauge("opstrail_inflight_bytes", "Bytes handed to the log, unconfirmed")
PRODUCERS_REPLACED: Final = Counter(
    "opstrail_producers_replaced", "Kafka producers replaced after a sequence error"
)
ENVELOPES_APPLIED: Final = Counter("opstrail_envelopes_applied", "Envelopes correlated")
ENTRIES_EMITTED: Final = Counter("opstrail_entries_emitted", "Entries sent to the timeline")
DEAD_LETTERS: Final = Counter("opstrail_dead_letters", "Dead letters, by reason", ["reason"])
NEWEST_DEAD_LETTER: Final = Gauge(
    "opstrail_newest_dead_letter_timestamp_seconds",
    "When this process last made a dead letter, in seconds since 1970",
    ["reason"],
)
CORRELATE_LAG_SECONDS: Final = Gauge(
    "opstrail_correlate_lag_seconds", "Age of what waits to be correlated; 0 when nothing waits"
)
NEWEST_ENVELOPE_AGE_SECONDS: Final = Gauge(
    "opstrail_newest_envelope_age_seconds", "Age of the newest envelope that was correlated"
)
FACTS_HELD: Final = Gauge("opstrail_facts_held", "Records held in memory by the correlation")
PAST_READS: Final = Counter(
    "opstrail_past_reads", "Times that records behind the horizon were read back from the store"
)
RECORDS_EVICTED: Final = Counter(
    "opstrail_records_evicted", "Records behind the horizon that memory let go of"
)
ROWS_INSERTED: Final = Counter("opstrail_rows_inserted", "Rows inserted into the store", ["table"])
INSERT_SECONDS: Final = Histogram("opstrail_insert_seconds", "Time of one insert into the store")
WATERMARK_LAG_SECONDS: Final = Gauge(
    "opstrail_watermark_lag_seconds", "Age of the time up to which the timeline is complete"
)
WATERMARK_PARTITION_LAG_SECONDS: Final = Gauge(
    "opstrail_watermark_partition_lag_seconds",
    "The same for one partition of the log, as readers see it; not a number while unknown",
    ["partition"],
)
DEPENDENCY_UP: Final = Gauge(
    "opstrail_dependency_up", "1 when what the process needs answers, else 0", ["dependency"]
)
DATA_DISK_FREE_BYTES: Final = Gauge(
    "opstrail_data_disk_free_bytes", "Room left on the disk of the data folder"
)
DATA_DISK_BYTES: Final = Gauge("opstrail_data_disk_bytes", "Size of the disk of the data folder")


def count_dead_letter(reason: str) -> None:
    """One more, now. How many of a period, and how old the newest is, follows from the two."""
    DEAD_LETTERS.labels(reason).inc()
    NEWEST_DEAD_LETTER.labels(reason).set_to_current_time()


def _start_at_zero() -> None:
    """Else the first one of a sort would be no increase to who watches for increases."""
    for reason in DeadLetterReason:
        DEAD_LETTERS.labels(reason)
    for code in RejectionCode:
        EVENTS_REJECTED.labels(code)
    for type_ in (*Kind, CLI_INSTANCE):
        EVENTS_ACCEPTED.labels(type_)


_start_at_zero()
