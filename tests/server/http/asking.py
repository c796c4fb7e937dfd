"""Asks a server over HTTP."""

import httpx

from harness.server_process import ServerProcess
from harness.waiting import PATIENCE_SECONDS


def connect(server: ServerProcess) -> httpx.Client:
    """Return a client of a server's HTTP port."""
    return httpx.Client(
        base_url=f"http://{server.http_address}", timeout=PATIENCE_SECONDS, trust_env=False
    )


def violations(answer: httpx.Response) -> list[tuple[str, str]]:
    """Return the field and the reason of each thing that is wrong with a request."""
    assert answer.headers["content-type"] == "application/json"
    return [(each["field"], each["reason"]) for each in answer.json().get("violations", ())]
