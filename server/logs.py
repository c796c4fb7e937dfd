"""Structured logs on standard error: readable on a terminal, JSON lines anywhere else.

Libraries' lines go the same way. Tracebacks come without the values of variables: pixels are some.
"""

import logging
import sys
import threading
from types import TracebackType

import structlog

from server.sampling import Bound

log = structlog.get_logger()

TRACEBACKS = 20
"""Lines with tracebacks in a second: what fails in one call may fail in each."""


def configure_logs(level: str, style: str, **context: object) -> None:
    """Set up the logs of the process: `level` is debug to error, `style` is auto, console or json,
    `context` is what each line is to carry.
    """
    number = logging.getLevelNamesMapping()[level.upper()]

    def add_context(
        _logger: object, _method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        return {**event, **context}

    tracebacks = Bound(TRACEBACKS, _tell_left_out)

    def bound_tracebacks(
        _logger: object, _method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        if event.get("exc_info") and not tracebacks.allows():
            raise structlog.DropEvent
        return event

    first: list[structlog.typing.Processor] = [
        add_context,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last = _renderers(style)
    structlog.configure(
        processors=[bound_tracebacks, *first, *last],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        # A line is written at once, so that the lines of several processes do not mix.
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(lambda record: not record.exc_info or tracebacks.allows())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
            foreign_pre_chain=[*first, structlog.stdlib.add_logger_name],
        )
    )
    # Libraries tell at info what this server tells in its own words.
    libraries = logging.INFO if number <= logging.DEBUG else max(number, logging.WARNING)
    logging.basicConfig(handlers=[handler], level=libraries, force=True)
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


def _renderers(style: str) -> list[structlog.typing.Processor]:
    """Return what makes text of an event, its traceback included."""
    colors = sys.stderr.isatty()
    if style == "console" or (style == "auto" and colors):
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain)]
    transformer = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [
        structlog.processors.ExceptionRenderer(transformer),
        structlog.processors.JSONRenderer(),
    ]


def _tell_left_out(lines: int) -> None:
    log.error("errors left out, as there were too many", lines=lines)


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
