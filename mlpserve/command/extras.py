"""Commands whose libraries stand in an extra of their own."""

import sys

import click

from mlpserve.extras import install_command


def explain_extra(name: str, library: str) -> click.Command:
    """Return a command that says how to install what it needs, in place of one that needs it."""

    def explain() -> None:
        sys.exit(f"mlpserve: {library} is missing; run: {install_command(name)}")

    return click.Command(
        name,
        callback=explain,
        # Whatever its options are, they aren't what is wrong.
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
        help=f"Needs {library}: {install_command(name)}",
        add_help_option=False,
    )
