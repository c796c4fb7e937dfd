"""/healthz and /readyz, as texts."""

import asyncio

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from server.http.parent import Parent

READY_SECONDS = 0.5
"""How long the parent may take to say whether a worker is ready: probes wait for a second."""


class Health:
    """Whether the server lives and is ready, by what the parent says."""

    def __init__(self, parent: Parent) -> None:
        self._parent = parent

    async def live(self, _request: Request) -> Response:
        """Answer /healthz."""
        if self.is_live:
            return PlainTextResponse("alive\n")
        return PlainTextResponse("the parent process is unresponsive\n", 503)

    async def ready(self, _request: Request) -> Response:
        """Answer /readyz."""
        if await self.is_ready():
            return PlainTextResponse("ready\n")
        return PlainTextResponse("not ready\n", 503)

    @property
    def is_live(self) -> bool:
        """Whether the parent says anything."""
        return not self._parent.is_silent

    async def is_ready(self) -> bool:
        """Return whether a worker answers calls, as far as the parent knows."""
        try:
            told = await asyncio.wait_for(self._parent.ask("state"), READY_SECONDS)
        except TimeoutError:
            return self._parent.was_ready and not self._parent.is_silent
        return bool(told["is_ready"])
