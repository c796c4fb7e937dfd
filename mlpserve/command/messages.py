"""What commands say when something is wrong, as a terminal may show it."""

import click

from mlpserve.command.probing import find_out
from mlpserve.errors import Unavailable, in_command
from mlpserve.remedies import reach

_REFUSED = "Connection refused"


def printable(name: str) -> str:
    """Return a name without terminal control characters."""
    shown = click.format_filename(name)
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in shown
    )


def explain(error: Exception) -> str:
    """Return what went wrong, and what helps with a command."""
    if isinstance(error, Unavailable) and (words := _look_again(error)):
        error.remedy = reach(error.address, f"failed to connect: {words}")
    return printable(in_command(error))


def _look_again(error: Unavailable) -> str:
    return find_out(error.address) if _REFUSED in str(error) else ""


def explain_file(error: OSError | ValueError) -> str:
    """Return why a file, or what has no name that files can have, can't be read or written."""
    reason = getattr(error, "strerror", None) or str(error)
    return printable(reason.lower())


def complain(title: str, reason: str) -> None:
    """Say on standard error what failed, and why."""
    click.echo(f"Error: {title}: {reason}", err=True)


def warn(title: str, doubt: str) -> None:
    """Say on standard error what may be wrong."""
    click.echo(f"Warning: {title}: {doubt}", err=True)
