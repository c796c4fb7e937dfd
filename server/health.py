"""`python -m server health`: asks /readyz, for containers, which have no other HTTP client."""

import contextlib
import http.client
import ssl
import sys
from typing import Any

import click

from server.errors import StartupError
from server.settings.addresses import reachable, split_address
from server.settings.flags import settings_command
from server.settings.settings import Settings

READY = "/readyz"
TIMEOUT_SECONDS = 30.0
"""For those who ask by hand: a container's health check has a limit of its own."""


@settings_command
def health_command(**values: Any) -> None:
    """Ask the server on this machine whether it is ready; the exit code is 0 if it is, otherwise 1.

    Give it the server's settings: it asks /readyz at --http-address.
    """
    settings = Settings(**values)
    address = settings.http_address
    try:
        status, text = _ask(address, is_tls=settings.http_tls == "on")
    except (OSError, http.client.HTTPException, StartupError) as error:
        remedy = "is the server running, with this --http-address?"
        status, text = 0, f"{READY} at {address} can't be reached: {error}; {remedy}"
    # The exit code says it too, if nobody reads this or the disk is full.
    with contextlib.suppress(OSError):
        click.echo(" ".join(text.split()))
    sys.exit(status != http.client.OK)


def _ask(address: str, is_tls: bool) -> tuple[int, str]:
    """Return the status and the body of the answer, which says why the server is not ready."""
    host, port = split_address(reachable(address), "--http-address")
    with contextlib.closing(_connection(host.strip("[]"), port, is_tls)) as connection:
        connection.request("GET", READY, headers={"Connection": "close"})
        answer = connection.getresponse()
        return answer.status, answer.read(1000).decode(errors="replace")


def _connection(host: str, port: int, is_tls: bool) -> http.client.HTTPConnection:
    if not is_tls:
        return http.client.HTTPConnection(host, port, TIMEOUT_SECONDS)
    # A machine asks itself, under a name that its certificate need not have, and sends no secret.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS, context=context)
