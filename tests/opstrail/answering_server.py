"""A server that answers as it was told, for the commands that talk to one."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True)
class Answer:
    """`stated_bytes` more than the body has: the connection breaks off in the middle."""

    body: bytes
    status: int = 200
    stated_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    method: str
    path: str
    params: list[tuple[str, str]]
    key: str
    body: Any


@dataclass(slots=True)
class AnsweringServer:
    url: str = ""
    answer: Answer = field(default_factory=lambda: Answer(b"{}"))
    asked: list[Asked] = field(default_factory=list)

    def answers(self, body: Any, status: int = 200) -> None:
        self.answer = Answer(json.dumps(body).encode(), status)


@contextmanager
def answering_server() -> Iterator[AnsweringServer]:
    told = AnsweringServer()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            address = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            told.asked.append(
                Asked(
                    self.command,
                    address.path,
                    parse_qsl(address.query),
                    self.headers["Authorization"].removeprefix("Bearer "),
                    json.loads(body) if body else None,
                )
            )
            answer = told.answer
            self.send_response(answer.status)
            self.send_header("Content-Length", str(answer.stated_bytes or len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: Any) -> None:
            pass

    for method in ("GET", "POST", "PUT", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.answer)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told.url = f"http://127.0.0.1:{server.server_port}"
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        try:
            yield told
        finally:
            server.shutdown()
            serving.join()
