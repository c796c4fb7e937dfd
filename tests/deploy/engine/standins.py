"""Images made of this machine's own programs, for one that reaches no registry of images.

They have the names, the users and the entry points of the public images, so that what is built on
them and run from them needs no other words.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.deploy.engine.daemon import Engine
from tests.deploy.engine.needs import program

LIBRARIES = Path("/lib/x86_64-linux-gnu")
NAME_SERVICE = ("libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2")
WHEELS_NEED = (
    *("libc.so.6", "libdl.so.2", "libgcc_s.so.1", "libm.so.6", "libpthread.so.0", "librt.so.1"),
    *("libstdc++.so.6", "libutil.so.1"),
)
"""Of the libraries that PEP 600 lets wheels be linked with."""

LEFT_OUT = shutil.ignore_patterns("test", "tests", "*.a", "site-packages", "idlelib")
MINUTES_SECONDS = 600.0


def make_python(root: Path) -> None:
    """Make a file system of BusyBox with the CPython that runs this, pip included."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    base = Path(sys.base_prefix)
    modules = Path(sysconfig.get_path("stdlib"), "lib-dynload").glob("*.so")
    make_minimal(root, [], linked=[base / "bin" / name, *modules])
    local = root / "usr" / "local"
    library = local / "lib" / name
    shutil.copytree(sysconfig.get_path("stdlib"), library, symlinks=True, ignore=LEFT_OUT)
    pip = importlib.util.find_spec("pip")
    assert pip
    assert pip.origin
    shutil.copytree(Path(pip.origin).parent, library / "site-packages" / "pip", ignore=LEFT_OUT)
    (local / "bin").mkdir()
    shutil.copy(base / "bin" / name, local / "bin" / name)
    for shared in (base / "lib").glob("libpython3*.so*"):
        shutil.copy(shared, local / "lib", follow_symlinks=False)
    for link in ("python3", "python"):
        (local / "bin" / link).symlink_to(name)
    (root / "etc" / "ld.so.conf").write_text("/usr/local/lib\n")
    subprocess.run(["ldconfig", "-r", root], check=True)


def make_minimal(
    root: Path, programs: Sequence[Path], linked: Iterable[Path] = (), owned: str = ""
) -> None:
    """Make a file system of BusyBox and some programs with their libraries and those that others
    are `linked` with; `owned` is a folder of the user nobody.
    """
    for name in ("bin", "etc", "home", "lib/x86_64-linux-gnu", "lib64", "mnt", "tmp"):
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    busybox = program("busybox")
    shutil.copy(busybox, root / "bin" / "busybox")
    listed = subprocess.run([busybox, "--list"], check=True, capture_output=True, text=True)
    for command in set(listed.stdout.split()) - {"busybox"}:
        (root / "bin" / command).symlink_to("busybox")
    for path in programs:
        shutil.copy(path, root / "bin" / path.name)
    needed = [LIBRARIES / name for name in (*NAME_SERVICE, *WHEELS_NEED)]
    for library in {*needed, *_libraries([*programs, *linked])}:
        target = root / library.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, target)
    users = {"root": 0, "envoy": 101, "nobody": 65534}
    entries = [f"{user}:x:{number}:{number}::/home:/bin/sh\n" for user, number in users.items()]
    (root / "etc" / "passwd").write_text("".join(entries))
    (root / "etc" / "group").write_text("".join(f"{u}:x:{n}:\n" for u, n in users.items()))
    (root / "etc" / "nsswitch.conf").write_text("hosts: files dns\n")
    if owned:
        (root / owned).mkdir()
        os.chown(root / owned, users["nobody"], users["nobody"])


def load(engine: Engine, root: Path, tag: str, *changes: str) -> None:
    """Make an image of a file system; changes are lines as in a Dockerfile."""
    archive = root.with_suffix(".tar")
    subprocess.run(
        ["tar", "-C", root, "--numeric-owner", "-cf", archive, "."],
        check=True,
        timeout=MINUTES_SECONDS,
    )
    options = [word for change in changes for word in ("--change", change)]
    engine.docker("import", *options, archive, tag)
    archive.unlink()
    shutil.rmtree(root)


def _libraries(paths: Sequence[Path]) -> list[Path]:
    """Return the shared libraries that programs or libraries are linked with, their loader too, but
    for Python's own.
    """
    listed = subprocess.run(["ldd", *paths], capture_output=True, text=True).stdout
    words = {word for line in listed.splitlines() for word in line.split()}
    found = [Path(word) for word in words if word.startswith("/") and not word.endswith(":")]
    return [path for path in found if not path.name.startswith("libpython")]
