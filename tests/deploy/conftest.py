"""Programs, built manifests and a container engine that the tests of deploy/ share."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import cache, isolated
from tests.deploy import manifests
from tests.deploy.engine import daemon, images, needs
from tests.deploy.engine.daemon import Engine
from tests.deploy.manifests import Manifest

ENVOY = "lib/python*/site-packages/envoy/_bin/envoy"
"""What the package's command starts."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take longest, so that none is left alone at the end."""
    items.sort(key=lambda item: item.path.name != "test_stack.py")


@pytest.fixture(scope="session")
def kubectl() -> Path:
    """A kubectl, which needs no cluster to build manifests."""
    return manifests.kubectl()


@pytest.fixture(scope="session")
def envoy() -> Path:
    """Envoy's program."""
    (program,) = isolated.install("envoy").parent.glob(ENVOY)
    return program


@pytest.fixture(scope="session")
def texts(kubectl: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The YAML of each of `manifests.BUILT`."""
    make = tmp_path_factory.mktemp
    return {name: manifests.build(kubectl, name, make(name)) for name in manifests.BUILT}


@pytest.fixture(scope="session")
def built(texts: dict[str, str]) -> dict[str, list[Manifest]]:
    """What they hold."""
    return {name: manifests.read(text) for name, text in texts.items()}


@pytest.fixture(scope="session")
def programs() -> Path:
    """The folder of Compose and hadolint."""
    return isolated.install("deploy")


@pytest.fixture(scope="session")
def engine(programs: Path, envoy: Path) -> Iterator[Engine]:
    """A container engine with all images of the stack, in a network of its own."""
    if reason := needs.missing_right():
        pytest.skip(reason)
    if reason := needs.missing_program():
        # There .ci/run has to install it.
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="engine-")))
        data = stack.enter_context(cache.taken("engine", images.inputs()))
        made = Engine(folder, data)
        made.add_compose(programs / "docker-compose")
        with daemon.in_the_machines_network(made):
            images.provide(made, envoy)
            images.build(made)
            images.tidy(made)
        with daemon.in_a_network_of_its_own(made):
            yield made
