"""A server of two versions, stable and canary."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.server_process import ServerProcess, start_server
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
