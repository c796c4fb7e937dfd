"""The base of all errors that a user can mend, so that the commands catch one name."""

import os

from modelfile.texts import printable


class ExporterError(Exception):
    """Something given to the exporter can't be used; the message says what to do.

    It is one line that can be printed, whatever the files have for names.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(" ".join(message.split())))


def reason_of(error: OSError) -> str:
    """Return what the system says, and what helps where a container's user may not read a file."""
    reason = error.strerror or str(error)
    if not isinstance(error, PermissionError) or not hasattr(os, "getuid"):
        return reason
    return (
        f"{reason} for user {os.getuid()}; let others read it (chmod o+r, of a folder o+rx), or "
        "put a copy where this user may"
    )
