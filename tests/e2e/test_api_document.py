"""The API does what its document says: schemathesis asks a real process, which has a story to tell.

It makes requests the document allows and requests it forbids, and holds each answer against it:
status, media type, headers, body, and what is refused. The short runs are the same each time.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from opstrail.story import story
from tests.support.opstrail import EmbeddedOpstrail, User

REPOSITORY = Path(__file__).parents[2]
# Its own checks but two: they take what was made for gone after a DELETE, and a revoked key stays.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "positive_data_acceptance",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)
# These take the filters of the timeline; what they add is asked about by fuzzing.
LIKE_THE_TIMELINE = (
    *("/v1/action-runs", "/v1/ssh-sessions", "/v1/workspace-syncs", "/v1/action-runs/summary"),
    *("/v1/deployments", "/v1/dead-letters"),
)
CONFIG = """
hooks = "tests.support.schemathesis_hooks"

[checks.negative_data_rejection]
# Besides its own: too many events of one request are 413.
expected-statuses = ["400", "401", "403", "404", "405", "406", "408", "413", "415", "422"]

[phases.coverage]
unexpected-methods = ["DELETE", "OPTIONS", "PATCH"]
"""
# What earlier answers held (keys, times of arrival) is another each time; without it a run repeats.
REPEATABLE = """
[phases.coverage.extra-data-sources]
responses = false

[phases.fuzzing.extra-data-sources]
responses = false

[phases.fuzzing.error-feedback]
enabled = false
"""


@pytest.fixture
def asked_for(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("markexpr") != "slow":
        pytest.skip("some minutes; asked for with -m slow")


@pytest.fixture
def system(tmp_path: Path) -> Iterator[EmbeddedOpstrail]:
    """An installation that has heard the story of the demo."""
    system = EmbeddedOpstrail(tmp_path)
    user = User(system)
    for _, events in story():
        user.send(*events)
    user.close()
    yield system
    system.close()


def schemathesis(
    system: EmbeddedOpstrail,
    arguments: Sequence[str],
    *,
    examples: int,
    timeout_s: float,
    config_text: str = CONFIG + REPEATABLE,
) -> None:
    """Run it; a failure shows its report, which has the requests to repeat."""
    config = system.folder / "schemathesis.toml"
    config.write_text(config_text)
    ended = subprocess.run(
        [
            *(sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"),
            *("--config-file", str(config), "run", f"{system.url}/openapi.json"),
            *("--header", f"Authorization: Bearer {system.admin_key}"),
            *("--checks", ",".join(CHECKS), "--max-examples", str(examples)),
            *("--generation-deterministic", "--suppress-health-check", "all"),
            *("--continue-on-failure", "--no-color", "--warnings", "off", *arguments),
        ],
        cwd=system.folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    report = ended.stdout[-20_000:] + ended.stderr[-2_000:]
    assert ended.returncode == 0, report
    assert "unexpected_error" not in system.process.output


def test_no_answer_to_values_at_the_edge_is_undocumented(system: EmbeddedOpstrail) -> None:
    left_out = [argument for path in LIKE_THE_TIMELINE for argument in ("--exclude-path", path)]

    schemathesis(system, ["--phases", "examples,coverage", *left_out], examples=1, timeout_s=200)


def test_no_answer_to_random_requests_is_undocumented(system: EmbeddedOpstrail) -> None:
    schemathesis(system, ["--phases", "fuzzing"], examples=8, timeout_s=200)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.usefixtures("asked_for")
def test_no_answer_to_many_requests_is_undocumented(system: EmbeddedOpstrail) -> None:
    schemathesis(
        system,
        # It learns the ids of keys, and would revoke its own.
        ["--phases", "examples,coverage,fuzzing,stateful", "--exclude-operation-id", "revokeKey"],
        examples=60,
        timeout_s=1_700,
        config_text=CONFIG,
    )
