"""A process imports what it runs on and nothing else.

What is imported for nothing costs each process memory for as long as it runs, and time at each of
its starts: ingest once started with twice its memory, for a description that nobody had asked for.
"""

import subprocess
import sys
from collections.abc import Collection
from typing import Final

import pytest

_READING: Final = {"query", "pyarrow", "numpy", "sqlglot"}
_CONTROL: Final = {"control", "sqlalchemy", "alembic"}
_STORE: Final = {"timeline", "clickhouse_connect", "chdb"}
_SERVING: Final = {"starlette", "uvicorn"}


@pytest.mark.parametrize(
    ("modules", "foreign"),
    [
        pytest.param(
            ["opstrail.commands.ingest"],
            # It answers for its health as query does, by the same routes.
            {*(_READING - {"query"}), *_STORE, "alembic", "processors", "faust", "query.services"},
            id="ingest",
        ),
        pytest.param(
            ["opstrail.commands.correlate", "processors.app"],
            {*_READING, *_CONTROL, *_SERVING, "chdb", "ingest"},
            id="correlate",
        ),
        pytest.param(
            ["opstrail.commands.sink"],
            {*_READING, *_CONTROL, "chdb", "ingest", "faust"},
            id="sink",
        ),
        pytest.param(
            ["opstrail.commands.query"],
            {"alembic", "chdb", "ingest", "processors", "faust"},
            id="query",
        ),
        pytest.param(["opstrail.commands.up"], {"aiokafka", "alembic", "faust"}, id="up"),
        pytest.param(
            ["opstrail.commands.send", "opstrail.commands.keys"],
            {*_READING, *_STORE, *_SERVING, "sqlalchemy", "alembic", "aiokafka", "faust"},
            id="what talks to a server",
        ),
    ],
)
def test_a_process_does_not_import_what_only_others_need(
    modules: Collection[str], foreign: Collection[str]
) -> None:
    code = f"import sys, {', '.join(modules)}\nprint(*sys.modules)"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )

    assert set(foreign) & set(ended.stdout.split()) == set()
