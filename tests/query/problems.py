"""What every refusal has to look like."""

from typing import Any

from httpx import Response


def problem(response: Response, status: int, slug: str) -> Any:
    """The members of an RFC 9457 problem of this status and type."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["type"].endswith(f":{slug}")
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    return body
