"""Free TCP ports on this machine."""

import socket
from contextlib import ExitStack
from random import SystemRandom
from typing import Final

HOST = "127.0.0.1"  # what a test starts is never reachable from outside
# Below those that the system gives to outgoing connections (Linux: from 32768), which would take
# the port of a server between two of its lives.
_PORT_MIN, _PORT_MAX = 15_000, 32_000
_TRIES_MAX: Final = 1_000
# Not the global one: under hypothesis that begins anew, and in neighbours with the same ports.
_random: Final = SystemRandom()


def free_ports(count: int) -> list[int]:
    """`count` different ports nobody listens on now.

    By chance out of many: another process that looks for one too hardly takes the same.
    """
    with ExitStack() as held:
        # All are held until all are found: a port let go at once may be handed out again.
        return [_bound(held.enter_context(socket.socket())) for _ in range(count)]


def free_port() -> int:
    """One port nobody listens on now."""
    return free_ports(1)[0]


def is_listening(port: int) -> bool:
    """Whether something accepts connections on `port`. Never raises; waits one second at most."""
    try:
        with socket.create_connection((HOST, port), timeout=1):
            return True
    except OSError:
        return False


def is_bindable(port: int) -> bool:
    """Whether a server could listen on `port` now: sockets in TIME_WAIT do not count."""
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((HOST, port))
        except OSError:
            return False
    return True


def _bound(candidate: socket.socket) -> int:
    for _ in range(_TRIES_MAX):
        port = _random.randint(_PORT_MIN, _PORT_MAX)
        try:
            candidate.bind((HOST, port))
        except OSError:
            continue
        return port
    raise AssertionError(f"no free port between {_PORT_MIN} and {_PORT_MAX}")
