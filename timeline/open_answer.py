"""The answer of a server that is still being read, so that it can be broken off.

The client reads an answer to its end when it is closed, to keep the connection: whoever hung up
would hold a lane until the query has ended. A connection costs less.
"""

import contextlib
from typing import Any, Final

from clickhouse_connect.driver.client import Client


class OpenAnswer:
    """Knows the last answer to `client`, which has a pool of its own. For one thread."""

    def __init__(self, client: Client) -> None:
        self._response: Any = None
        pool: Any = getattr(client, "http", None)  # chDB has none, and stops by itself
        if pool is not None:
            self._urlopen: Final = pool.urlopen
            pool.urlopen = self._remember

    def break_off(self) -> None:
        """What follows reads an end. Nothing happens when the answer was read to its end."""
        response, self._response = self._response, None
        if response is not None:
            # Given back to the pool already, or the server ended the connection.
            with contextlib.suppress(ValueError, RuntimeError, OSError):
                response.shutdown()

    def _remember(self, *arguments: Any, **named: Any) -> Any:
        self._response = self._urlopen(*arguments, **named)
        return self._response
