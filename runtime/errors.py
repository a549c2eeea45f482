"""Every error of ours, by two questions: whose fault is it, and does trying again help?

OpstrailError
├── RefusedError              the sender's fault; the same bytes fail again: 4xx, exit 1
├── UnavailableError          a dependency's fault; later it may work: 503 with Retry-After, exit 69
│   ├── LogUnavailableError       the outcome is unknown, sending again is safe
│   └── TimelineUnavailableError
└── SettingsError             the operator's fault; nothing starts: exit 2

AssertionError stays outside: our own fault. Stop without committing; 500, exit 70.
"""

from typing import Final

EXIT_OK: Final = 0
EXIT_REFUSED: Final = 1
EXIT_USAGE: Final = 2
EXIT_UNAVAILABLE: Final = 69
EXIT_BUG: Final = 70


class OpstrailError(Exception):
    """Base of all. The text says what failed, on what, and the way out; never a secret."""


class RefusedError(OpstrailError):
    """The sender's fault. `code` is machine-readable, `field` the field at fault."""

    def __init__(self, detail: str, *, code: str = "", field: str | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.field = field


class UnavailableError(OpstrailError):
    """A dependency is away; trying again later may work."""


class LogUnavailableError(UnavailableError):
    """An append was not confirmed: it may or may not be durable. Sending again is safe."""


class TimelineUnavailableError(UnavailableError):
    """The timeline store did not answer or refused the connection."""


class SettingsError(OpstrailError):
    """A setting is wrong: names it and says what would be right. Nothing starts."""
