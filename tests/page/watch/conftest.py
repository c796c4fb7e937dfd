"""A server of two versions, stable and canary, and a page for the modules of /watch alone."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.server_process import ServerProcess, start_server
from tests.page.watch.drawing import blank_page
from tests.page.watch.recorded import Recorded, record
from tests.page.watch.sending import VERSIONED


@pytest.fixture(scope="session")
def versions(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that holds the shipped network as versions 1 and 2 of digits."""
    folder = tmp_path_factory.mktemp("versions")
    for version in ("1", "2"):
        shutil.copytree(repository / "digits" / "1", folder / "digits" / version)
    return folder


@pytest.fixture(scope="module")
def served(versions: Path) -> Iterator[ServerProcess]:
    """A server of two workers that nobody else calls."""
    with start_server(versions, "--workers", "2", *VERSIONED) as server:
        yield server


@pytest.fixture(scope="session")
def recorded(digits: tuple[Batch, Labels], tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """Pages of a server of two versions under a known load."""
    return record(tmp_path_factory.mktemp("recorded"), digits[0])


@pytest.fixture(scope="package")
def blank(browser: Browser, server: ServerProcess) -> Iterator[Page]:
    """A page of the server's origin that holds nothing but the stylesheets."""
    with blank_page(browser, server.http_address) as page:
        yield page
