"""Every relative link of our pages leads to a file and, where it names one, to a heading."""

import re
from pathlib import Path
from typing import Final

import pytest

from tests.deploy.deployment import ROOT, documents

_CODE: Final = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
_LINK: Final = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
_HEADING: Final = re.compile(r"(?m)^#+\s+(.+?)\s*$")
_OUTSIDE: Final = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def _links(page: Path) -> list[str]:
    found = _LINK.findall(_CODE.sub("``", page.read_text()))
    return [target for target in found if not _OUTSIDE.match(target)]


def _anchors(page: Path) -> set[str]:
    """As Git hosts make them of headings: lower case, no punctuation, hyphens for spaces."""
    text = re.sub(r"(?s)```.*?```", "", page.read_text())
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(text))
    return {heading.replace(" ", "-") for heading in kept}


@pytest.mark.parametrize("page", documents(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for link in _links(page):
        target, _, anchor = link.partition("#")
        file = (page.parent / target) if target else page

        assert not target.startswith("/"), f"{link}: not relative"
        assert file.exists(), f"{link}: no such file"
        assert ROOT in file.resolve().parents, f"{link}: outside of the repository"
        if anchor and file.suffix == ".md":
            assert anchor in _anchors(file), f"{link}: no such heading"


def test_links_are_found_where_they_are() -> None:
    assert _LINK.findall("[a](b.md) and [c](<d.md> 'e') ![f](g.png#h)") == [
        "b.md",
        "d.md",
        "g.png#h",
    ]
    assert _CODE.sub("``", "`[a](b)` c ```\n[d](e)\n```") == "`` c ``"
