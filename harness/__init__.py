"""Starts servers, calls, loads and scrapes them, and waits: for tests and benchmarks alike."""

import os

LOOPBACK = "localhost,127.0.0.1,::1"


def bypass_proxies() -> None:
    """Let this process and those that it starts reach this machine without a proxy, as which
    another machine would be asked; to the Internet it stays in use.
    """
    # gRPC reads the last in place of the others where it is set.
    for name in ("no_proxy", "NO_PROXY", *(["no_grpc_proxy"] * ("no_grpc_proxy" in os.environ))):
        known = os.environ.get(name, "")
        os.environ[name] = f"{known},{LOOPBACK}" if known else LOOPBACK


bypass_proxies()
