"""Runs Python with the packages of one lock alone: those that fit beside no other."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = Path(sys.executable).with_name("uv")


def run(lock: str, arguments: Sequence[str | Path]) -> None:
    """Run `python ARGUMENTS` with what requirements/LOCK.txt holds; raises CalledProcessError."""
    environment = ["--no-project", "--isolated", "--python", sys.executable]
    requirements = ["--with-requirements", str(ROOT / "requirements" / f"{lock}.txt")]
    subprocess.run(
        [UV, "run", "--quiet", *environment, *requirements, "python", *arguments], check=True
    )


def unpack(lock: str, folder: Path) -> None:
    """Put what requirements/LOCK.txt holds into a folder, for the programs that come with it."""
    locked = str(ROOT / "requirements" / f"{lock}.txt")
    requirements = ["--no-deps", "--require-hashes", "--requirements", locked]
    place = ["--python", sys.executable, "--target", str(folder)]
    subprocess.run([UV, "pip", "install", "--quiet", *place, *requirements], check=True)
