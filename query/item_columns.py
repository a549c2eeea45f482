"""The columns of the lists of plain items, for their files. The same whatever a list holds."""

from typing import Final

import pyarrow as pa

_TEXT: Final = pa.string()
_TIME: Final = pa.timestamp("us", "UTC")
_VERSION: Final = pa.struct([("version", _TEXT), ("first_seen", _TIME), ("last_seen", _TIME)])

INSTANCES: Final = pa.schema(
    [
        *((name, _TEXT) for name in ("id", "cli_version", "os", "arch", "hostname")),
        ("first_seen", _TIME),
        ("last_seen", _TIME),
        ("actors", pa.list_(_TEXT)),
        ("versions", pa.list_(_VERSION)),
    ]
)
GAPS: Final = pa.schema(
    [
        ("cli_instance_id", _TEXT),
        *((name, pa.int64()) for name in ("first_missing", "last_missing", "missing")),
        ("from", _TIME),
        ("to", _TIME),
    ]
)
DEPLOYMENTS: Final = pa.schema(
    [
        *((name, _TEXT) for name in ("run_id", "environment", "workspace", "block", "block_name")),
        *((name, _TEXT) for name in ("block_version", "action")),
        ("started_at", _TIME),
        ("deployed_at", _TIME),
        ("duration_ms", pa.int64()),
        *((name, _TEXT) for name in ("actor", "hostname", "commit")),
    ]
)
ACCESS_LOG: Final = pa.schema(
    [
        ("id", _TEXT),
        ("at", _TIME),
        *((name, _TEXT) for name in ("organization", "actor", "actor_kind", "key_id")),
        *((name, _TEXT) for name in ("action", "operation", "target")),
        ("status", pa.int64()),
        ("rows", pa.int64()),
        *((name, _TEXT) for name in ("request_id", "client")),
        ("count", pa.int64()),
    ]
)
# Labels and events are JSON text: their members are whatever was said.
WORKSPACES: Final = pa.schema(
    [
        *((name, _TEXT) for name in ("name", "environment", "labels")),
        ("deploy_actions", pa.list_(_TEXT)),
        ("registered_at", _TIME),
        ("updated_at", _TIME),
    ]
)
HISTORY: Final = pa.schema(
    [
        ("received_at", _TIME),
        *((name, _TEXT) for name in ("actor", "actor_kind", "key_id", "dead_reason", "detail")),
        ("event", _TEXT),
    ]
)
DEAD_LETTERS: Final = pa.schema(
    [
        ("id", _TEXT),
        ("received_at", _TIME),
        *((name, _TEXT) for name in ("workspace", "kind", "record_id", "reason", "detail")),
        *((name, _TEXT) for name in ("actor", "actor_kind", "key_id")),
        ("resent_at", _TIME),
        ("resent_position", _TEXT),
        ("event", _TEXT),
    ]
)
