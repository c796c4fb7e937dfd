"""`python -m tests.deploy.engine.reproduce`: are two builds of the images the same, file by file?

Both begin from nothing. It takes a minute or two, and so is no test.
"""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from tests.deploy.engine import daemon, images
from tests.deploy.engine.daemon import Engine
from tests.deploy.engine.needs import program

Files = dict[str, tuple[int, int, int, str, str]]
"""Each file's mode, user, group, link target and SHA-256. Their times are those of the build."""


def main() -> int:
    """Print what differs; the exit code is 0 when nothing does."""
    with tempfile.TemporaryDirectory(prefix="engine-") as name:
        engine = Engine(Path(name), Path(name, "data"))
        with daemon.in_the_machines_network(engine):
            images.provide_python(engine)
            first, second = (_build(engine) for _ in range(2))
    for tag in first:
        names = first[tag].keys() | second[tag].keys()
        differ = sorted(n for n in names if first[tag].get(n) != second[tag].get(n))
        print(f"{tag}: {len(names)} files, {len(differ)} differ", *differ, sep="\n  ")
    return int(first != second)


def _build(engine: Engine) -> dict[str, Files]:
    images.build(engine, "--no-cache")
    return {tag: _files(engine, tag) for tag in images.TARGETS.values()}


def _files(engine: Engine, tag: str) -> Files:
    container = engine.docker("create", "--network=none", tag).strip()
    export = [program("docker"), "export", container]
    found: Files = {}
    with (
        subprocess.Popen(export, stdout=subprocess.PIPE, env=engine.environment) as process,
        tarfile.open(fileobj=process.stdout, mode="r|") as archive,
    ):
        for entry in archive:
            content = archive.extractfile(entry) if entry.isfile() else None
            digest = hashlib.sha256(content.read()).hexdigest() if content else ""
            target = entry.linkname
            found[entry.name] = (entry.mode, entry.uid, entry.gid, target, digest)
    engine.docker("rm", container)
    return found


if __name__ == "__main__":
    sys.exit(main())
