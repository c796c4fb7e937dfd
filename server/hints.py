"""Commands that messages suggest, as they work where this one was started."""

import shlex
import shutil
import sys
from pathlib import Path


def command(words: str) -> str:
    """Return a command that can be pasted: "server health" gives `.venv/bin/python -m server
    health`, or `python -m server health` in an activated environment.
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
