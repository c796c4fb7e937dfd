"""Structured logs on standard error: readable on a terminal, JSON lines otherwise.

Libraries' lines go the same way. Logging neither fails nor blocks: see `writer`.
"""

import atexit
import io
import logging
import os
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

import structlog

from server.logs.lines import MAX_LINE_BYTES, Lines
from server.logs.sampling import RateLimit
from server.logs.writer import STDERR, Writer

log = structlog.get_logger()

Write = Callable[[str, dict[str, Any]], None]

TRACEBACKS = 20
"""Lines with tracebacks per second: what fails in one call may fail in every call."""

FLUSH_SECONDS = 1.0
"""How long a process that exits waits for its last lines to be written."""


def configure_logs(
    level: str, style: str, *, descriptor: int = STDERR.descriptor, **context: object
) -> None:
    """Set up the logs of the process: `level` is debug to error, `style` is auto, console or json,
    `descriptor` is where they are written, `context` are fields of every line.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    # False for a closed descriptor.
    colors = os.isatty(descriptor)
    console = style == "console" or (style == "auto" and colors)
    lines = Lines(context, console=console, colors=colors)
    STDERR.descriptor = descriptor
    STDERR.describe = lambda lost: lines.make(
        "error",
        {"event": "lines of the log were lost", "lines": lost},
    )

    atexit.register(flush)
    tracebacks = RateLimit(TRACEBACKS, _tell_left_out)

    def write(level: str, event: dict[str, Any]) -> None:
        if not event.get("exc_info") or tracebacks.allows():
            STDERR.write(lines.make(level, event))

    structlog.configure(
        processors=[lambda _logger, level, event: ((level, event), {})],
        wrapper_class=_harmless(structlog.make_filtering_bound_logger(number)),
        logger_factory=lambda *_: _Sink(write),
        cache_logger_on_first_use=True,
    )
    # What libraries log at info, this server logs in its own words.
    libraries = logging.INFO if number <= logging.DEBUG else max(number, logging.WARNING)
    logging.basicConfig(handlers=[_Handler(write)], level=libraries, force=True)
    logging.raiseExceptions = False
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread
    sys.unraisablehook = _log_unraisable
    # Other writes to it must not block or fail either.
    sys.stderr = _Stream(STDERR)


def flush() -> None:
    """Wait until the lines so far are written, but not for long; to be called before os._exit."""
    STDERR.flush(FLUSH_SECONDS)


class _Sink:
    """The sink of structlog's events: the same method for each level."""

    def __init__(self, write: Write) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = write


def _harmless(logger: type[Any]) -> type[Any]:
    """Return the loggers' class with methods that never raise."""

    def guard(method: Callable[..., Any]) -> Callable[..., None]:
        def call(*arguments: Any, **fields: Any) -> None:
            try:
                method(*arguments, **fields)
            except Exception:
                # Any call may fail when the stack is full.
                STDERR.lost += 1

        return call

    names = ("debug", "info", "warning", "warn", "error", "critical", "fatal", "exception", "log")
    return type("Logger", (logger,), {name: guard(getattr(logger, name)) for name in names})


class _Handler(logging.Handler):
    """Writes the lines of libraries."""

    def __init__(self, write: Write) -> None:
        super().__init__()
        self._write_event = write

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record as a line; never raises."""
        try:
            try:
                message = record.getMessage()
            except Exception as error:
                message = f"{record.msg!r} with unsuitable values ({type(error).__name__})"
            event: dict[str, Any] = {"event": message, "logger": record.name}
            if record.exc_info:
                event["exc_info"] = record.exc_info
            if record.stack_info:
                event["stack"] = record.stack_info
            self._write_event(record.levelname.lower(), event)
        except Exception:
            STDERR.lost += 1


class _Stream(io.TextIOBase):
    """Standard error for code that writes text to it; never raises or blocks."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._begun = ""
        self._lock = threading.RLock()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The name of the encoding."""
        return "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        """How characters that can't be encoded are handled."""
        return "backslashreplace"

    def fileno(self) -> int:
        """Return the descriptor, for code that writes to it directly."""
        return self._writer.descriptor

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._writer.descriptor)

    def writable(self) -> bool:
        """Whether it can be written to."""
        return True

    def write(self, text: str, /) -> int:
        """Write text, as soon as its line is complete or long."""
        with self._lock:
            *complete, self._begun = (self._begun + text).split("\n")
            while len(self._begun) > MAX_LINE_BYTES:
                complete.append(self._begun[:MAX_LINE_BYTES])
                self._begun = self._begun[MAX_LINE_BYTES:]
        for line in complete:
            for begin in range(0, len(line) or 1, MAX_LINE_BYTES):
                part = line[begin : begin + MAX_LINE_BYTES]
                self._writer.write(part.encode(errors="backslashreplace") + b"\n")
        return len(text)


def _tell_left_out(lines: int) -> None:
    log.error("errors left out, because there were too many", lines=lines)


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    log.critical("uncaught error", exc_info=(kind, error, trace))


def _log_uncaught_in_thread(ended: threading.ExceptHookArgs) -> None:
    log.critical(
        "uncaught error in a thread",
        thread=ended.thread.name if ended.thread else "",
        exc_info=(ended.exc_type, ended.exc_value, ended.exc_traceback),
    )


def _log_unraisable(ignored: "sys.UnraisableHookArgs") -> None:
    log.error(
        "ignored error",
        # The object may be about to be freed, and must not be kept.
        of=type(ignored.object).__name__ if ignored.err_msg is None else ignored.err_msg,
        exc_info=(ignored.exc_type, ignored.exc_value, ignored.exc_traceback),
    )
