"""The pages: their files, and headers that keep them to themselves."""

from pathlib import Path

from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FOLDER = Path(__file__).parent / "static"

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache",
}


PAGES = {"/": "index.html", "/watch": "watch.html"}
"""The pages' files by their paths: one draws a digit, the other watches the server."""


def routes() -> list[BaseRoute]:
    """Return the routes of the pages and of their files."""
    pages = [Route(path, Guarded(Page(file))) for path, file in PAGES.items()]
    return [*pages, Mount("/static", Guarded(StaticFiles(directory=FOLDER)))]


class Page(StaticFiles):
    """A page itself, whatever its path."""

    def __init__(self, file: str) -> None:
        super().__init__(directory=FOLDER)
        self._file = file

    def get_path(self, _scope: Scope) -> str:
        """Return its file."""
        return self._file


class Guarded:
    """An application whose responses have the headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the headers."""

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(name.encode(), text.encode()) for name, text in HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        await self._app(scope, receive, send_guarded)
