"""Runs Python, or programs, of one lock alone: packages that fit beside no other, or are large."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(lock: str, arguments: Sequence[str | Path]) -> None:
    """Run `python ARGUMENTS` with what requirements/LOCK.txt holds; raises CalledProcessError."""
    uv = Path(sys.executable).with_name("uv")
    environment = ["--no-project", "--isolated", "--python", sys.executable]
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
    python, requirements = folder / "bin" / "python", ROOT / "requirements" / f"{lock}.txt"
    sync = [uv, "pip", "sync", "--quiet", "--require-hashes", "--python", python, requirements]
    subprocess.run(sync, check=True)
    return folder / "bin"
