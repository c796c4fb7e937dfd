"""A real Chromium, and pages in it that note what no page may do."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

# Without a graphics processor there is nothing to gain from what imitates one.
ARGUMENTS = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-gpu"]
# The shell first: the whole browser draws a window around each page, unseen, and so takes
# twice the CPU time.
PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser")
CHROMIUM = next(filter(None, map(shutil.which, PROGRAMS)), None)


@contextlib.contextmanager
def start_browser() -> Iterator[Browser]:
    """Run Chromium until the block ends."""
    assert CHROMIUM, "Chromium is needed: apt-get install chromium-headless-shell"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@dataclass(slots=True)
class Watched:
    """A page, and what went wrong in it: console errors, and requests to other hosts."""

    page: Page
    address: str
    errors: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)


@contextlib.contextmanager
def open_page(
    browser: Browser,
    address: str,
    path: str = "/",
    *,
    scheme: str = "http",
    prepare: Callable[[Page], None] = lambda _page: None,
    **options: Any,
) -> Iterator[Watched]:
    """Open a page of a server in a context of its own; `options` are those of Playwright's
    `new_context`, and `prepare` is called before. At the end nothing may have gone wrong but what
    the test has removed from `errors`.
    """
    context = browser.new_context(**options)
    try:
        watched = Watched(context.new_page(), address)
        watched.page.on("console", lambda message: _note_message(watched, message))
        watched.page.on("pageerror", lambda error: watched.errors.append(str(error)))
        watched.page.on("request", lambda request: _note_request(watched, request))
        prepare(watched.page)
        watched.page.goto(f"{scheme}://{address}{path}")
        yield watched
        assert not watched.errors
        assert not watched.elsewhere
    finally:
        context.close()


def _note_message(watched: Watched, message: ConsoleMessage) -> None:
    if message.type in ("error", "warning"):
        watched.errors.append(f"{message.text} ({message.location})")


def _note_request(watched: Watched, request: Request) -> None:
    parts = urlsplit(request.url)
    if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != watched.address:
        watched.elsewhere.append(request.url)
