"""What the tests of deploy/ share: where its files are, and which variables are real."""

import re
from pathlib import Path
from typing import Final

from runtime.settings import PREFIX, Settings

ROOT: Final = Path(__file__).parents[2]
DEPLOY: Final = ROOT / "deploy"
DOCKERFILE: Final = DEPLOY / "Dockerfile"
COMPOSE: Final = DEPLOY / "compose.yaml"
ENV_EXAMPLE: Final = DEPLOY / ".env.example"

SETTING_VARIABLES: Final = frozenset(PREFIX + name.upper() for name in Settings.model_fields)

_VARIABLE: Final = re.compile(rf"\b{PREFIX}[A-Z0-9_]*[A-Z0-9]\b")


def variables_in(path: Path) -> set[str]:
    """Every OPSTRAIL_ variable a file names; `OPSTRAIL_*` names none."""
    return set(_VARIABLE.findall(path.read_text()))


def suite_variables() -> set[str]:
    """What the test suite reads, which is no setting of the product."""
    return {
        name for path in (ROOT / "tests" / "support").glob("*.py") for name in variables_in(path)
    }


def documents() -> list[Path]:
    """Every page for people."""
    pages = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CHANGELOG.md")]
    pages += [DEPLOY / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [page for page in pages if page.exists()]
