"""docs/security.md points to files and tests that are there."""

import re
from fnmatch import fnmatch
from typing import Final

import pytest

from tests.docs.tables import DOCS

_ROOT: Final = DOCS.parent
_PAGE: Final = (DOCS / "security.md").read_text()
_FILES: Final = sorted(set(re.findall(r"`([a-z_/]+\.py)`", _PAGE)))
_TESTS: Final = sorted(set(re.findall(r"`(test_[a-z0-9_*]+)`", _PAGE)))


def test_the_page_names_files_and_tests() -> None:
    assert len(_FILES) > 20
    assert len(_TESTS) > 5


@pytest.mark.parametrize("path", _FILES)
def test_a_file_it_names_is_there(path: str) -> None:
    assert (_ROOT / path).is_file()


def test_a_test_it_names_is_there() -> None:
    defined = {
        name
        for path in (_ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
    }

    assert [name for name in _TESTS if not any(fnmatch(each, name) for each in defined)] == []
