"""`python -m server health`: asks /readyz, for containers, which have no other HTTP client."""

import contextlib
import http.client
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
    address = Settings(**values).http_address
    try:
        status, text = _ask(address)
    except (OSError, http.client.HTTPException, StartupError) as error:
        status, text = 0, f"{READY} at {address} can't be reached: {error}"
    # The exit code says it too, if nobody reads this or the disk is full.
    with contextlib.suppress(OSError):
        click.echo(" ".join(text.split()))
    sys.exit(status != http.client.OK)


def _ask(address: str) -> tuple[int, str]:
    """Return the status and the body of the answer, which says why the server is not ready."""
    host, port = split_address(reachable(address), "--http-address")
    with contextlib.closing(
        http.client.HTTPConnection(host.strip("[]"), port, TIMEOUT_SECONDS)
    ) as connection:
        connection.request("GET", READY, headers={"Connection": "close"})
        answer = connection.getresponse()
        return answer.status, answer.read(1000).decode(errors="replace")
