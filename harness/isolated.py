"""Runs Python, or programs, of one lock alone: packages that fit beside no other, or are large."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(lock: str, arguments: Sequence[str | Path], python: str = sys.executable) -> None:
    """Run `python ARGUMENTS` with what requirements/LOCK.txt holds; raises CalledProcessError."""
    uv = Path(sys.executable).with_name("uv")
    environment = ["--no-project", "--isolated", "--python", python]
    requirements = ["--with-requirements", str(ROOT / "requirements" / f"{lock}.txt")]
    subprocess.run(
        [uv, "run", "--quiet", *environment, *requirements, "python", *arguments], check=True
    )


def install(lock: str, folder: Path) -> Path:
    """Put what requirements/LOCK.txt holds into a new virtual environment and return the folder of
    its programs; raises CalledProcessError.
    """
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    requirements = ROOT / "requirements" / f"{lock}.txt"
    options = ["--quiet", "--require-hashes", "--python", str(folder / "bin" / "python")]
    subprocess.run([uv, "pip", "sync", *options, requirements], check=True)
    return folder / "bin"
