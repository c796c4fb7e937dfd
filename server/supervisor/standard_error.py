"""The standard error of child processes: what is written past the log, mostly by C code.

It is a pipe that never blocks the child and that the parent reads and logs, up to a limit. Because
the parent has the pipe, the last words of a crashing child are not lost.
"""

import contextlib
import os
import select
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from server.logs.sampling import RateLimit
from server.logs.writer import STDERR

MAX_TEXT_BYTES = 4096
MAX_TEXTS = 10
"""Bytes of a text, and texts per second, that are logged; of more, the beginning and the end."""

SILENCE_SECONDS = 0.1
"""Output with no longer pause than this is one text."""

TEXT_SECONDS = 1.0
"""After this time a text is logged, even if it goes on."""


@dataclass(frozen=True, slots=True)
class StandardError:
    """For a child: `write_end` becomes its standard error, `log` is a descriptor of the real one,
    to which it writes its log.
    """

    read_end: int
    write_end: int
    log: int


@contextlib.contextmanager
def divert() -> Iterator[StandardError]:
    """Make a child's standard error; the caller closes the read end, unless the block raises."""
    with contextlib.ExitStack() as opened:
        read_end, write_end = os.pipe()
        opened.callback(os.close, write_end)
        with contextlib.ExitStack() as kept:
            kept.callback(os.close, read_end)
            # Safe, because nobody shares this pipe, while the real one may be shared.
            os.set_blocking(write_end, False)
            descriptor = os.dup(2)
            opened.callback(os.close, descriptor)
            yield StandardError(read_end, write_end, descriptor)
            kept.pop_all()


def forward(read_end: int, **context: object) -> threading.Thread | None:
    """Log what comes out of a pipe until its end, on a thread of its own, and close it; each line
    has `context`. Returns the thread, None if the system gives none.
    """
    thread = threading.Thread(
        target=_forward, args=(read_end, context), name="standard error", daemon=True
    )
    try:
        thread.start()
    except RuntimeError:
        # Then nobody reads the pipe, which does not block its writer.
        return None
    return thread


def _forward(read_end: int, context: dict[str, object]) -> None:
    limit = RateLimit(MAX_TEXTS, lambda _left_out: None)
    with contextlib.suppress(OSError), os.fdopen(read_end, "rb", buffering=0):
        while chunk := os.read(read_end, MAX_TEXT_BYTES):
            text = _Text(chunk)
            end = time.monotonic() + TEXT_SECONDS
            while time.monotonic() < end and select.select([read_end], [], [], SILENCE_SECONDS)[0]:
                if not text.room and limit.allows():
                    break
                if not (chunk := os.read(read_end, text.room or MAX_TEXT_BYTES)):
                    break
                text.add(chunk)
            _log(str(text), context)


def _log(text: str, context: dict[str, object]) -> None:
    # Imported here, as it takes long and is not needed before the first children start.
    import structlog

    if structlog.is_configured():
        structlog.get_logger().error("written to standard error", **context, text=text)
    else:
        STDERR.write(text.encode(errors="backslashreplace") + b"\n")


class _Text:
    """The first and the last bytes of what may be long."""

    def __init__(self, chunk: bytes) -> None:
        self._content, self._last, self._left_out = chunk, b"", 0

    @property
    def room(self) -> int:
        """How many bytes more are kept for sure."""
        return MAX_TEXT_BYTES - len(self._content)

    def add(self, chunk: bytes) -> None:
        """Add what comes next, as far as there is room."""
        if self.room:
            self._content += chunk
            return
        self._left_out += len(self._last)
        self._last = chunk

    def __str__(self) -> str:
        left_out = b" (%d bytes left out) " % self._left_out if self._left_out else b""
        content = self._content + left_out + self._last
        return content.decode(errors="backslashreplace").rstrip()
