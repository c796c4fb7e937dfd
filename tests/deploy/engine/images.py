"""The images of the stack: public ones, or stand-ins for them, and those built from Dockerfile."""

import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness import isolated
from harness.server_process import ROOT
from tests.deploy.engine import standins
from tests.deploy.engine.daemon import Engine, EngineError
from tests.deploy.engine.needs import program

PYTHON = "python:3.13-slim-bookworm"
PROMETHEUS = "prom/prometheus:v3.5.0"
ALERTMANAGER = "prom/alertmanager:v0.28.1"
ENVOY = "envoyproxy/envoy:v1.40.0"
PUBLIC = (PYTHON, PROMETHEUS, ALERTMANAGER, ENVOY)
"""Pinned here as in Dockerfile and docker-compose.yml."""

TARGETS = {"exporter": "mlpserve-exporter:dev", "server": "mlpserve:dev"}
"""Of Dockerfile, and the names that docker-compose.yml gives them."""

PULL_SECONDS = 120.0
TEMPLATES = Path("/usr/share/prometheus")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
ENVOY_ENTRY = """#!/bin/sh
case "$1" in -*) set -- envoy "$@" ;; esac
exec "$@"
"""


KEPT_BUILDS = "1GB"


def inputs() -> Iterator[bytes]:
    """What images depend on, but for what is copied into them: an engine that has been used with
    other inputs is of no use.
    """
    for path in (*Path(__file__).parent.glob("*.py"), ROOT / "Dockerfile"):
        yield path.read_bytes()
    for lock in ("envoy", "exporter", "server"):
        yield isolated.requirements(lock).read_bytes()
    yield sys.version.encode()


def provide(engine: Engine, envoy: Path) -> None:
    """Get the public images, or else make stand-ins; the daemon must reach the network."""
    with ThreadPoolExecutor() as pool:
        made = [pool.submit(provide_python, engine), pool.submit(_provide_others, engine, envoy)]
        for result in made:
            result.result()


def provide_python(engine: Engine) -> None:
    """Get the image that Dockerfile builds on, or else make a stand-in."""
    if not _has(engine, PYTHON) and not _pull(engine, PYTHON):
        _python(engine)


def _provide_others(engine: Engine, envoy: Path) -> None:
    others = [tag for tag in (PROMETHEUS, ALERTMANAGER, ENVOY) if not _has(engine, tag)]
    if not all(_pull(engine, tag) for tag in others):
        _others(engine, envoy)


def _has(engine: Engine, tag: str) -> bool:
    return bool(engine.docker("images", "--quiet", tag).strip())


def _pull(engine: Engine, tag: str) -> bool:
    """Return whether a registry of images could be reached, and has it."""
    try:
        engine.docker("pull", "--quiet", tag, timeout_seconds=PULL_SECONDS)
    except EngineError:
        return False
    return True


def tidy(engine: Engine) -> None:
    """Remove what earlier builds of other code have left."""
    engine.docker("image", "prune", "--force")
    engine.docker("builder", "prune", "--force", f"--keep-storage={KEPT_BUILDS}")


def build(engine: Engine, *options: str) -> None:
    """Build both targets of Dockerfile from the repository, with the network of this machine."""
    settings = engine.folder / "pip.conf"
    settings.write_text("[global]\ncert = /run/secrets/pip_ca\n")
    # Where packages come from through a proxy, its certificate is among this machine's.
    secrets = [f"--secret=id=pip_conf,src={settings}", f"--secret=id=pip_ca,src={CERTIFICATES}"]
    common = ["--network=host", *(secrets if CERTIFICATES.exists() else []), *options]
    with ThreadPoolExecutor() as pool:
        builds = [
            pool.submit(
                engine.docker, "build", *common, f"--target={target}", f"--tag={tag}", str(ROOT)
            )
            for target, tag in TARGETS.items()
        ]
        for built in builds:
            built.result()


def _python(engine: Engine) -> None:
    root = engine.folder / "python"
    standins.make_python(root)
    path = "ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
    standins.load(engine, root, PYTHON, path, "ENV LANG=C.UTF-8", 'CMD ["python3"]')


def _others(engine: Engine, envoy: Path) -> None:
    root = engine.folder / "prometheus"
    programs = [Path(program("prometheus")), Path(program("promtool"))]
    standins.make_minimal(root, programs, owned="prometheus")
    standins.load(engine, root, PROMETHEUS, "USER nobody", 'ENTRYPOINT ["/bin/prometheus"]')

    root = engine.folder / "alertmanager"
    programs = [Path(program("prometheus-alertmanager")), Path(program("amtool"))]
    standins.make_minimal(root, programs, owned="alertmanager")
    (root / "bin" / "alertmanager").symlink_to("prometheus-alertmanager")
    # Debian's reads its templates from there.
    shutil.copytree(TEMPLATES, root / TEMPLATES.relative_to("/"), symlinks=True)
    standins.load(engine, root, ALERTMANAGER, "USER nobody", 'ENTRYPOINT ["/bin/alertmanager"]')

    root = engine.folder / "envoy"
    standins.make_minimal(root, [envoy])
    entry = root / "docker-entrypoint.sh"
    entry.write_text(ENVOY_ENTRY)
    entry.chmod(0o755)
    command = 'CMD ["envoy", "-c", "/etc/envoy/envoy.yaml"]'
    standins.load(
        engine, root, ENVOY, "ENV PATH=/bin", 'ENTRYPOINT ["/docker-entrypoint.sh"]', command
    )
