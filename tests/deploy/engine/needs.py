"""What a container engine of the tests' own needs of the machine."""

import os
import shutil
import subprocess

PACKAGES = {
    "docker": "docker.io",
    "dockerd": "docker.io",
    "ip": "iproute2",
    "iptables": "iptables",
    "busybox": "busybox-static",
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
}
"""Programs, and the Debian package that each is in."""

PATH = f"/usr/bin:{os.environ['PATH']}:/usr/sbin"
"""Debian's docker first: it builds with BuildKit, others want a plugin for that."""


def program(name: str) -> str:
    """Return the path of a program; raises LookupError saying how to install it."""
    if path := shutil.which(name, path=PATH):
        return path
    raise LookupError(f"{name} is not installed: apt-get install {PACKAGES[name]}")


def missing_program() -> str | None:
    """Return what has to be installed, and how, if anything has."""
    try:
        for name in PACKAGES:
            program(name)
    except LookupError as error:
        return str(error)
    return None


def missing_right() -> str | None:
    """Return what this user or machine can't do, if anything, which no package would mend."""
    if os.geteuid():
        return "a container engine needs root"
    probe = ["unshare", "--net", "--mount", "--pid", "--fork", "true"]
    if subprocess.run(probe, capture_output=True).returncode:
        return "a container engine needs namespaces, and this machine lets nobody make one"
    return None
