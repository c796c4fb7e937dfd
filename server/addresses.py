"""HOST:PORT, as the settings give it."""

from server.errors import StartupError


def split_address(address: str, flag: str) -> tuple[str, int]:
    """Return host and port of "host:port" or "[ipv6]:port"; raises StartupError naming the flag."""
    host, _, port = address.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise StartupError(
            f"can't listen on {address}: it is not HOST:PORT with a port from 0 to 65535; "
            f"give another {flag}"
        )
    return host, int(port)
