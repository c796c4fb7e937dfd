"""Runs Python with the packages of one lock alone: those that fit beside no other."""

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
