"""Talks to an Opstrail server, for the commands that do.

Every failure is one of ours (`runtime.errors`), so that the exit code says whose fault it was.
"""

import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from runtime.errors import RefusedError, UnavailableError
from runtime.settings import Settings
from runtime.tls import client_context, distrust

_TIMEOUT_S: Final = 60.0
_TRIES_MAX: Final = 6
_WAIT_S_MAX: Final = 10.0
_TRY_AGAIN: Final = frozenset({429, 503})
# What nobody can have acted upon.
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout)


class Client:
    """One server and one key. Close when done."""

    def __init__(self, url: str, key: str, *, trust: ssl.SSLContext | None = None) -> None:
        """`trust` is for https: whose certificates are good; None: those of the system's CAs."""
        self._url: Final = url
        self._http: Final = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=_TIMEOUT_S,
            # httpx itself would bring a list of CAs of its own.
            verify=trust or _default_trust(url),
        )

    def get(
        self, path: str, params: Mapping[str, Any] | Sequence[tuple[str, str]] = ()
    ) -> dict[str, Any]:
        """The JSON object at `path`. Raises RefusedError, UnavailableError."""
        answer = self._ask("GET", path, params=params)
        return _object(answer)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON object that `path` answers to a question. Raises as `get`."""
        return _object(self._ask("POST", path, json=body))

    def put(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """What stands at `path` after `body` was put there. Raises as `get`."""
        return _object(self._ask("PUT", path, json=body))

    def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """What was made at `path`: once, so it is not asked for again when that could make another.

        Raises as `get`; the text of UnavailableError says when the outcome is unknown.
        """
        return _object(self._ask("POST", path, is_repeatable=False, json=body))

    def delete(
        self, path: str, params: Mapping[str, Any] | Sequence[tuple[str, str]] = ()
    ) -> dict[str, Any]:
        """What stands at `path` after it was deleted. Raises as `get`."""
        return _object(self._ask("DELETE", path, params=params))

    @contextmanager
    def stream(
        self,
        method: str,
        path: str,
        *,
        params: Sequence[tuple[str, str]] = (),
        body: Mapping[str, Any] | None = None,
    ) -> Iterator[Iterator[bytes]]:
        """The bytes of an answer of any size, as they come.

        Raises as `get`, and UnavailableError when the answer breaks off.
        """
        answer = self._ask(method, path, is_stream=True, params=params, json=body)
        try:
            yield self._chunks(answer)
        finally:
            answer.close()

    def send(self, body: bytes, media_type: str) -> dict[str, Any]:
        """Post events; the answer, also when every event was refused (422)."""
        answer = self._ask(
            "POST", "/v1/events", content=body, headers={"Content-Type": media_type}, allow=(422,)
        )
        return _object(answer)

    def wait_until_visible(self, position: str, wait_s: float) -> bool:
        """Whether the timeline holds what was sent, after waiting so long at most."""
        deadline_s = time.monotonic() + wait_s
        while True:
            left_s = max(0.0, min(deadline_s - time.monotonic(), 30.0))
            params = {"wait_s": f"{left_s:.3f}"}
            if self.get(f"/v1/positions/{position}", params)["visible"]:
                return True
            if time.monotonic() >= deadline_s:
                return False

    def close(self) -> None:
        self._http.close()

    def _chunks(self, answer: httpx.Response) -> Iterator[bytes]:
        try:
            yield from answer.iter_bytes()
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise UnavailableError(
                f"the answer of {self._url} broke off ({type(error).__name__}); what came of it is"
                " not the whole: ask again"
            ) from error

    def _ask(
        self,
        method: str,
        path: str,
        *,
        allow: Sequence[int] = (),
        is_stream: bool = False,
        is_repeatable: bool = True,
        **request: Any,
    ) -> httpx.Response:
        for attempt in range(_TRIES_MAX):
            try:
                answer = self._http.send(
                    self._http.build_request(method, path, **request), stream=is_stream
                )
                if not answer.is_success:
                    # A problem is small, and its text is needed.
                    answer.read()
            except httpx.TransportError as error:
                if (reason := distrust(error)) is not None:
                    raise UnavailableError(
                        f"{self._url} shows a certificate that is not trusted ({reason}); are"
                        " OPSTRAIL_CA_FILE and the name in OPSTRAIL_URL right?"
                    ) from error
                problem = f"{self._url} does not answer ({type(error).__name__})"
                is_certain = isinstance(error, _NOT_SENT)
                wait_s = 0.2 * 2**attempt
            else:
                if answer.is_success or answer.status_code in allow:
                    return answer
                problem = _problem_text(answer)
                if answer.status_code not in _TRY_AGAIN:
                    raise RefusedError(problem, code=str(answer.status_code))
                is_certain = answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
                wait_s = _retry_after_s(answer) or 0.2 * 2**attempt
            if not (is_repeatable or is_certain):
                raise UnavailableError(
                    f"{problem}; it may have been made all the same: look before you ask again"
                )
            if attempt + 1 < _TRIES_MAX:
                # Sending again is always safe: repeats change nothing.
                time.sleep(min(wait_s, _WAIT_S_MAX))
        raise UnavailableError(f"{problem}; is OPSTRAIL_URL right, is the server running?")


def client_of(settings: Settings) -> Client:
    """The client the settings name.

    Raises RefusedError when no key is set, SettingsError when its CA's file cannot be used.
    """
    key = settings.key.get_secret_value()
    if not key:
        raise RefusedError(
            "no API key: set OPSTRAIL_KEY, for instance to the content of DIR/admin.key"
        )
    trust = None
    # Looked at without TLS too: a file that cannot be used is told before it is needed.
    if settings.ca_file or _is_https(settings.url):
        trust = client_context(settings, "ca_file", is_system_trusted=True)
    return Client(settings.url, key, trust=trust)


def _default_trust(url: str) -> ssl.SSLContext:
    """The system's CAs; by plain HTTP nobody: to read them is a sixth of what a command takes."""
    if _is_https(url):
        return ssl.create_default_context()
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _is_https(url: str) -> bool:
    return urlsplit(url).scheme == "https"


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError as error:
        raise UnavailableError(f"{answer.url}: not an answer of Opstrail") from error
    if not isinstance(body, dict):
        raise UnavailableError(f"{answer.url}: not an answer of Opstrail")
    return body


def _problem_text(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
        text = problem.get("detail") or problem.get("title")
        field = problem.get("field")
        if text and field and not text.startswith(field):
            text = f"{field}: {text}"
    except (ValueError, AttributeError):
        text = None
    return f"{answer.status_code}: {text or answer.reason_phrase}"


def _retry_after_s(answer: httpx.Response) -> float | None:
    try:
        return float(answer.headers["Retry-After"])
    except (KeyError, ValueError):
        return None
