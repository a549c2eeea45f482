"""Log lines as another program reads them: one JSON object a line, on standard error."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SECRET = "hunter2"
ROOT = Path(__file__).resolve().parents[2]


def lines_of(program: str, *, level: str = "info") -> list[dict[str, Any]]:
    """What a process of its own logs: configuring logs is once a process, and for ever."""
    start = f"from runtime.logs import configure_logs\nconfigure_logs({level!r})\n"
    ended = subprocess.run(
        [sys.executable, "-c", start + program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ended.stdout == ""
    return [json.loads(line) for line in ended.stderr.splitlines()]


def test_a_line_is_an_object_with_its_event_its_level_and_its_time_in_utc() -> None:
    (line,) = lines_of(
        "import structlog\n"
        "structlog.get_logger().info('envelope_applied', partition=3, note='a\\nb — ü')\n"
    )

    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "envelope_applied",
        "level": "info",
        "partition": 3,
        "note": "a\nb — ü",
    }


def test_libraries_log_in_the_same_form_from_warning_on() -> None:
    lines = lines_of(
        "import logging\n"
        "log = logging.getLogger('aiokafka.conn')\n"
        "log.info('chatter')\n"
        "log.warning('connection to %s lost', 'kafka')\n"
    )

    (line,) = lines
    assert line["event"] == "connection to kafka lost"
    assert (line["level"], line["logger"]) == ("warning", "aiokafka.conn")
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    ("level", "logged"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_what_is_below_the_level_is_not_logged(level: str, logged: list[str]) -> None:
    lines = lines_of(
        "import structlog\n"
        "log = structlog.get_logger()\n"
        "log.debug('x'); log.info('x'); log.warning('x'); log.error('x')\n",
        level=level,
    )

    assert [line["level"] for line in lines] == logged


def test_an_exception_stays_within_its_line() -> None:
    (line,) = lines_of(
        "import structlog\n"
        "try:\n    1 / 0\n"
        "except ZeroDivisionError:\n    structlog.get_logger().exception('broken')\n"
    )

    assert "ZeroDivisionError" in line["exception"]


def test_what_is_bound_to_a_request_is_on_its_lines() -> None:
    (line,) = lines_of(
        "import structlog\n"
        "structlog.contextvars.bind_contextvars(request_id='1f')\n"
        "structlog.get_logger().info('x')\n"
    )

    assert line["request_id"] == "1f"


LOG_SETTINGS = f"""
import structlog
from runtime.settings import load_settings
structlog.get_logger().info('starting', settings=load_settings(key={SECRET!r}))
"""


def test_the_key_of_the_settings_is_not_logged() -> None:
    (line,) = lines_of(LOG_SETTINGS)

    assert "SecretStr" in line["settings"]
    assert SECRET not in json.dumps(line)


FAIL_WITH_A_SECRET = f"""
import asyncio, httpx
from starlette.routing import Route
from runtime.http import build_app

async def endpoint(request):
    body = await request.body()
    raise ValueError(body.decode() + request.headers['authorization'])

async def ask():
    app = build_app([Route('/fail', endpoint, methods=['POST'])])
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url='http://test') as client:
        await client.post(
            '/fail?key={SECRET}', content='{SECRET}', headers={{'authorization': 'Bearer {SECRET}'}}
        )

asyncio.run(ask())
"""


def test_a_bug_is_logged_by_its_class_and_place_and_not_by_what_was_sent() -> None:
    (line,) = lines_of(FAIL_WITH_A_SECRET)

    assert (line["event"], line["level"], line["error"]) == (
        "unexpected_error",
        "error",
        "ValueError",
    )
    assert any("endpoint" in place for place in line["at"])
    assert line["request_id"]
    assert SECRET not in json.dumps(line)
