"""The address a request came from, as the server knows it."""

import ipaddress

from starlette.types import Scope


def client_address(scope: Scope) -> str:
    """Without the port; empty when it is not known, or is no address.

    Behind a proxy it is the proxy's, or what a trusted proxy says: then the text was a header.
    """
    client = scope.get("client")
    try:
        return str(ipaddress.ip_address(client[0])) if client else ""
    except ValueError:
        return ""
