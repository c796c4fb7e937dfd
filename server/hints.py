"""Commands that messages suggest, as they work where this one was started."""

import shlex
import sys
from pathlib import Path


def command(words: str) -> str:
    """Return a command that can be pasted: "server health" gives `.venv/bin/python -m server
    health` in the folder that has this .venv.
    """
    running, folder = Path(sys.executable), Path.cwd()
    python = running.relative_to(folder) if running.is_relative_to(folder) else running
    return f"{shlex.quote(python.as_posix())} -m {words}"
