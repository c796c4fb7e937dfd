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
from collections.abc import Sequence
from pathlib import Path

from tests.deploy.engine.daemon import Engine
from tests.deploy.engine.needs import program

PYTHON_LIBRARIES = (
    *("libbz2-1.0", "libexpat1", "libffi8", "liblzma5", "libncursesw6", "libreadline8"),
    *("libsqlite3-0", "libssl3", "libstdc++6", "libuuid1", "zlib1g"),
)
MERGED = "/usr/share/mmdebstrap/hooks/merged-usr"
"""Without it a package is installed that brings 46 MB of Perl, which the public image has not."""
BUSYBOX_COMMANDS = ("cat", "env", "id", "kill", "ls", "nc", "sh", "sleep", "wget")
NAME_SERVICE = ("libc.so.6", "libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "test", "tests", "*.a", "site-packages", "idlelib")
MINUTES_SECONDS = 600.0


def make_python(root: Path) -> None:
    """Make a file system of Debian's base with the CPython that runs this, pip included."""
    options = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "locale", "man")]
    packages = ("ca-certificates", "passwd", "tzdata", *PYTHON_LIBRARIES)
    include = f"--include={','.join(packages)}"
    options += ["--variant=essential", f"--hook-dir={MERGED}"]
    what = [*options, include, _codename(), str(root), *_mirrors()]
    subprocess.run(
        [program("mmdebstrap"), "--quiet", *what],
        check=True,
        capture_output=True,
        timeout=MINUTES_SECONDS,
    )
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    local = root / "usr" / "local"
    library = local / "lib" / name
    shutil.copytree(sysconfig.get_path("stdlib"), library, symlinks=True, ignore=LEFT_OUT)
    pip = importlib.util.find_spec("pip")
    assert pip
    assert pip.origin
    shutil.copytree(Path(pip.origin).parent, library / "site-packages" / "pip", ignore=LEFT_OUT)
    base = Path(sys.base_prefix)
    shutil.copy(base / "bin" / name, local / "bin" / name)
    for shared in (base / "lib").glob("libpython3*.so*"):
        shutil.copy(shared, local / "lib", follow_symlinks=False)
    for link in ("python3", "python"):
        (local / "bin" / link).symlink_to(name)
    subprocess.run(["chroot", root, "ldconfig"], check=True)


def make_minimal(root: Path, programs: Sequence[Path], owned: str = "") -> None:
    """Make a file system of BusyBox and some programs with their libraries; `owned` is a folder of
    the user nobody.
    """
    for name in ("bin", "etc", "home", "lib/x86_64-linux-gnu", "lib64", "tmp"):
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    shutil.copy(program("busybox"), root / "bin" / "busybox")
    for command in BUSYBOX_COMMANDS:
        (root / "bin" / command).symlink_to("busybox")
    for path in programs:
        shutil.copy(path, root / "bin" / path.name)
        for library in _libraries(path):
            target = root / library.relative_to("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, target)
    for name in NAME_SERVICE:
        folder = Path("lib/x86_64-linux-gnu")
        shutil.copy(Path("/") / folder / name, root / folder / name)
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


def _codename() -> str:
    """Return what the release of Debian on this machine is called."""
    lines = Path("/etc/os-release").read_text().splitlines()
    (name,) = (line.partition("=")[2] for line in lines if line.startswith("VERSION_CODENAME="))
    return name.strip('"')


def _mirrors() -> list[str]:
    """Return where this machine gets Debian's packages, as lines of a sources.list."""
    form = "$(ORIGIN)|deb $(SITE) $(CODENAME) $(COMPONENT)"
    command = ["apt-get", "indextargets", "--format", form, "Created-By: Packages"]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = dict.fromkeys(line.partition("|") for line in found.splitlines())
    return [line for origin, _, line in lines if origin == "Debian"]


def _libraries(path: Path) -> list[Path]:
    """Return the shared libraries that a program is linked with, its loader too."""
    listed = subprocess.run(["ldd", path], capture_output=True, text=True).stdout
    words = (word for line in listed.splitlines() for word in line.split())
    return [Path(word) for word in words if word.startswith("/")]
