"""Where the command mlpserve starts: what it needs beyond the client may be missing."""

import sys

from mlpserve.extras import install_command

_EXTRA = {"PIL", "click", "rich", "scipy"}


def main() -> None:
    """Run the command, or say how to install what it needs."""
    try:
        from mlpserve.command.commands import mlpserve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        sys.exit(f"mlpserve: {error.name} is missing; run: {install_command('cli')}")
    mlpserve(prog_name="mlpserve")
