"""Structured logs on standard error: readable on a terminal, JSON lines anywhere else."""

import logging
import sys

import structlog


def configure_logs(level: str, style: str, **context: object) -> None:
    """Set up structlog for the process: `level` is debug to error, `style` is auto, console or
    json, `context` is what each line is to carry.
    """
    readable = style == "console" or (style == "auto" and sys.stderr.isatty())
    renderer: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
        if readable
        else [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
    )

    def add_context(
        _logger: object, _method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        return {**event, **context}

    structlog.configure(
        processors=[
            add_context,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        # A line is written at once, so that the lines of several processes do not mix.
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
