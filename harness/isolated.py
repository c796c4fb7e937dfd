"""Runs Python, or programs, of one lock alone: packages that fit beside no other, or are large."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from harness import cache

ROOT = Path(__file__).resolve().parent.parent


def run(lock: str, arguments: Sequence[str | Path], python: str = sys.executable) -> None:
    """Run `python ARGUMENTS` with what requirements/LOCK.txt holds; raises CalledProcessError."""
    subprocess.run([install(lock, python) / "python", *arguments], check=True)


def install(lock: str, python: str = sys.executable) -> Path:
    """Return the folder of programs of a virtual environment that has what requirements/LOCK.txt
    holds, which a cache keeps; raises CalledProcessError.
    """
    places = (python, sys.version, sys.base_prefix)
    inputs = (requirements(lock).read_bytes(), *(place.encode() for place in places))
    return cache.made(lock, inputs, lambda folder: create(lock, folder, python)) / "bin"


def create(lock: str, folder: Path, python: str = sys.executable) -> None:
    """Make the folder a virtual environment of this kind; raises CalledProcessError."""
    uv = Path(sys.executable).with_name("uv")
    options = ["--quiet", "--python", python, "--relocatable", "--allow-existing"]
    subprocess.run([uv, "venv", *options, folder], check=True)
    options = ["--quiet", "--require-hashes", "--python", str(folder / "bin" / "python")]
    subprocess.run([uv, "pip", "sync", *options, requirements(lock)], check=True)


def requirements(lock: str) -> Path:
    """Return the file of a lock."""
    return ROOT / "requirements" / f"{lock}.txt"
