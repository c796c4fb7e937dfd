"""Commands that messages suggest, as they work where this one was started."""

import shlex
import shutil
import sys
from pathlib import Path

from modelfile.texts import printable


def command(words: str) -> str:
    """Return a command that can be pasted: "exporter fetch" gives `.venv/bin/python -m exporter
    fetch`, or `python -m exporter fetch` in an activated environment.
    """
    return f"{python()} -m {words}"


def python() -> str:
    """Return how a shell starts the running Python."""
    running = Path(sys.executable)
    if (on_path := shutil.which("python")) and Path(on_path) == running:
        return "python"
    folder = Path.cwd()
    near = running.relative_to(folder) if running.is_relative_to(folder) else running
    return shlex.quote(near.as_posix())


def quoted(path: Path) -> str:
    """Return a path as a command of one line has it."""
    return printable(shlex.quote(str(path)))
