"""docs/adding-a-kind.md names every place that knows the kinds by name."""

import re
from pathlib import Path
from typing import Final

from schemas.kinds import Kind
from tests.deploy.deployment import ROOT
from tests.docs.tables import DOCS

_PACKAGES: Final = (
    *("schemas", "runtime", "control", "timeline", "ingest", "processors", "query", "opstrail"),
)
_NAMED: Final = re.compile(
    r"\bKind\.(?:{})\b|[\"'](?:{})[\"']".format(
        "|".join(kind.name for kind in Kind), "|".join(kind.value for kind in Kind)
    )
)


def _files_that_name_a_kind() -> set[Path]:
    sources = (
        path
        for package in _PACKAGES
        for pattern in ("*.py", "*.avsc")
        for path in (ROOT / package).rglob(pattern)
    )
    return {path for path in sources if _NAMED.search(path.read_text())}


def test_every_file_that_names_a_kind_is_on_the_page() -> None:
    page = (DOCS / "adding-a-kind.md").read_text()
    linked = {(DOCS / target).resolve() for target in re.findall(r"\]\(([^)#]+)\)", page)}

    missing = {str(path.relative_to(ROOT)) for path in _files_that_name_a_kind() - linked}

    assert missing == set()
