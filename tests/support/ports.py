"""Free TCP ports on this machine."""

import socket
from contextlib import ExitStack

HOST = "127.0.0.1"  # what a test starts is never reachable from outside


def free_ports(count: int) -> list[int]:
    """`count` different ports nobody listens on now; another process may take one before you do."""
    with ExitStack() as held:
        # All are held until all are found: a port let go at once may be handed out again.
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for candidate in sockets:
            candidate.bind((HOST, 0))
        return [int(candidate.getsockname()[1]) for candidate in sockets]


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
