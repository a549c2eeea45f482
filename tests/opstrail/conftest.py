from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from opstrail import main
from tests.opstrail.answering_server import AnsweringServer, answering_server


@dataclass(frozen=True, slots=True)
class Ended:
    exit_code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()


Opstrail = Callable[..., Ended]


@pytest.fixture
def server() -> Iterator[AnsweringServer]:
    with answering_server() as server:
        yield server


@pytest.fixture
def opstrail(
    server: AnsweringServer,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> Opstrail:
    """The command line as a process would have it, against `server`, 80 columns wide."""
    monkeypatch.setenv("OPSTRAIL_URL", server.url)
    monkeypatch.setenv("OPSTRAIL_KEY", "a-key")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("opstrail.main.configure_logs", lambda level: None)
    monkeypatch.setattr("opstrail.client._TRIES_MAX", 1)

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr("sys.argv", ["opstrail", *arguments])
        exit_code = 0
        try:
            main.main()
        except SystemExit as exit_:
            assert isinstance(exit_.code, int)
            exit_code = exit_.code
        out, err = capsysbinary.readouterr()
        return Ended(exit_code, out, err.decode())

    return run
