"""The page at /docs: all that a browser loads for it comes from here."""

import asyncio
import re
from html.parser import HTMLParser

import httpx
import pytest

from opstrail.docs_page import docs_routes
from opstrail.openapi import openapi_document
from runtime.http import build_app


def get(path: str) -> httpx.Response:
    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(build_app(docs_routes()))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get(path)

    return asyncio.run(asked())


class Loaded(HTMLParser):
    """What a page makes the browser load, and the scripts written into it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.written_scripts = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        stated = dict(attrs)
        self.addresses += [value for name in ("src", "href") if (value := stated.get(name))]
        self.written_scripts += tag == "script" and "src" not in stated


def test_the_page_and_all_it_loads_is_served_here() -> None:
    page = get("/docs")
    loaded = Loaded(page.text)

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert loaded.written_scripts == 0
    assert len(loaded.addresses) == 4
    for address in loaded.addresses:
        assert re.fullmatch(r"/docs/[\w.-]+", address)
        asset = get(address)
        assert asset.status_code == 200
        assert asset.content
        assert asset.headers["x-content-type-options"] == "nosniff"


def test_the_browser_is_told_to_load_nothing_from_elsewhere() -> None:
    policy = get("/docs").headers["content-security-policy"]
    sources = {source for directive in policy.split("; ") for source in directive.split()[1:]}

    assert sources <= {"'none'", "'self'", "'unsafe-inline'", "data:"}
    assert policy.startswith("default-src 'none'")
    assert "script-src 'self';" in policy, "no script but our files"


def test_the_script_asks_for_our_document_and_for_no_badge() -> None:
    script = get("/docs/start.js").text

    assert "://" not in script
    assert "validatorUrl: null" in script
    assert '"BaseLayout"' in script, "the other one has a bar to load documents from anywhere"
    (address,) = re.findall(r'url: "(.*)"', script)
    shown = get(address).json()
    assert shown["openapi"].startswith("3.0."), "what this Swagger UI can show"
    assert shown["paths"].keys() == openapi_document()["paths"].keys()


def test_the_style_sheet_has_its_pictures_inside() -> None:
    style = get("/docs/swagger-ui.css").text

    assert "@import" not in style
    assert all(found == "data:" for found in re.findall(r"url\([\"']?(.{5})", style))


@pytest.mark.parametrize(
    "name",
    ["nothing.js", "index.html", "swagger-ui.css.map", "..%2F__init__.py", "%2Fetc%2Fpasswd", ""],
)
def test_no_other_file_is_served(name: str) -> None:
    answer = get(f"/docs/{name}")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
