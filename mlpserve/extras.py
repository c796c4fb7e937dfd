"""How to install what some of the package's parts need besides."""

import shlex
import sys
from importlib import metadata
from pathlib import Path


def install_command(extra: str) -> str:
    """Return the command that installs an extra, such as "cli", into this environment.

    pip takes the installed package, wherever that is from, and adds what the extra needs; a package
    that is not installed is in the clone whose folder is this one's parent.
    """
    try:
        metadata.distribution("mlpserve")
        package = "mlpserve"
    except metadata.PackageNotFoundError:
        package = str(Path(__file__).parents[1])
    running, folder = Path(sys.executable), Path.cwd()
    python = running.relative_to(folder) if running.is_relative_to(folder) else running
    return f'{shlex.quote(python.as_posix())} -m pip install "{package}[{extra}]"'
