"""Commands that messages suggest, as they work where this one was started."""

import shlex
import sys
from pathlib import Path

from modelfile.texts import printable


def command(words: str) -> str:
    """Return a command that can be pasted: "exporter fetch" gives `.venv/bin/python -m exporter
    fetch` in the folder that has this .venv.
    """
    running, folder = Path(sys.executable), Path.cwd()
    python = running.relative_to(folder) if running.is_relative_to(folder) else running
    return f"{shlex.quote(python.as_posix())} -m {words}"


def quoted(path: Path) -> str:
    """Return a path as a command of one line has it."""
    return printable(shlex.quote(str(path)))
