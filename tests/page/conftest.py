"""A browser, and the page of a server of the shipped network."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from harness.browser import CHROMIUM, PROGRAMS, Watched, open_page, start_browser
from harness.server_process import ServerProcess, start_server
from harness.waiting import PATIENCE_SECONDS
from tests.page import odd_networks
from tests.page.other_networks import start_others
from tests.page.shared import put_back
from tests.programs import need

DESKTOP: ViewportSize = {"width": 1400, "height": 1000}

# As long as a busy machine may take; what is waited for is an event.
expect.set_options(timeout=1000 * PATIENCE_SECONDS)


# Not longer: while Playwright runs, its thread has an event loop, and tests of others need it.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    need(CHROMIUM or PROGRAMS[0], PROGRAMS[0])
    with start_browser() as browser:
        yield browser


@pytest.fixture
def opened(browser: Browser, server: ServerProcess) -> Iterator[Watched]:
    """The page, as it opens on a desktop; fails the test for errors and requests elsewhere."""
    with open_page(browser, server.http_address, viewport=DESKTOP) as page:
        page.page.set_default_timeout(1000 * PATIENCE_SECONDS)
        yield page


@pytest.fixture
def page(opened: Watched) -> Page:
    return opened.page


@pytest.fixture(scope="module")
def kept_open(browser: Browser, server: ServerProcess) -> Iterator[Watched]:
    """A page that stays open for all tests of a module."""
    with open_page(browser, server.http_address, viewport=DESKTOP) as opened:
        opened.page.set_default_timeout(1000 * PATIENCE_SECONDS)
        yield opened


@pytest.fixture
def shared_page(kept_open: Watched) -> Iterator[Page]:
    """That page, put back as it opens: for tests that neither load it anew nor tamper with it."""
    with put_back(kept_open):
        yield kept_open.page


@pytest.fixture(scope="session")
def others(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server of networks that have nothing in common with the shipped one."""
    with start_others(tmp_path_factory.mktemp("others")) as running:
        yield running


@pytest.fixture(scope="module")
def other_page(browser: Browser, others: ServerProcess) -> Iterator[Watched]:
    """Its page, for all tests of a module: they turn to the network that they are about."""
    with open_page(browser, others.http_address, viewport=DESKTOP) as opened:
        opened.page.set_default_timeout(1000 * PATIENCE_SECONDS)
        yield opened


@pytest.fixture(scope="session")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server of networks whose images aren't square, or no images; flowers is the default."""
    repository = tmp_path_factory.mktemp("odd")
    odd_networks.publish(repository)
    with start_server(repository, "--default-model", "flowers") as running:
        yield running
