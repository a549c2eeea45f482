"""Every metric by name, with a sentence each; docs/metrics.md is checked against this list.

Labels never hold what a sender chooses: no workspace, no user, no host.
"""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

EVENTS_ACCEPTED: Final = Counter("opstrail_events_accepted", "Events answered with 202", ["type"])
EVENTS_REJECTED: Final = Counter("opstrail_events_rejected", "Events refused, by code", ["code"])
REQUESTS: Final = Counter("opstrail_http_requests", "HTTP answers", ["route", "method", "status"])
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
FACTS_HELD: Final = Gauge("opstrail_facts_held", "Records held in memory by the correlation")
ROWS_INSERTED: Final = Counter("opstrail_rows_inserted", "Rows inserted into the store", ["table"])
INSERT_SECONDS: Final = Histogram("opstrail_insert_seconds", "Time of one insert into the store")
WATERMARK_LAG_SECONDS: Final = Gauge(
    "opstrail_watermark_lag_seconds", "Age of the time up to which the timeline is complete"
)
