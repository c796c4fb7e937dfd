"""Which application a path belongs to, by its first part."""

from collections.abc import Mapping

from starlette.types import ASGIApp, Receive, Scope, Send


class Sections:
    """Applications by the first part of paths, since routers compare a path with each route."""

    def __init__(self, apps: Mapping[str, ASGIApp], other: ASGIApp) -> None:
        self._apps, self._other = apps, other

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        section = scope["path"][1:].partition("/")[0]
        await self._apps.get(section, self._other)(scope, receive, send)
