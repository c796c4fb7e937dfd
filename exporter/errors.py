"""The base of all errors that a user can mend, so that the commands catch one name."""

from modelfile.texts import printable


class ExporterError(Exception):
    """Something given to the exporter can't be used; the message says what to do.

    It is one line that can be printed, whatever the files have for names.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(" ".join(message.split())))
