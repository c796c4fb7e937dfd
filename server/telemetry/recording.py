"""Decides which calls are logged and traced, and writes their lines and spans when they end.

That costs most calls a glance at their metadata and one subtraction.
"""

import logging
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

import grpc
import structlog

from server.errors import StartupError
from server.logs.sampling import Bound, gap
from server.rpc.status import code_name
from server.settings import otel
from server.settings.settings import Settings
from server.telemetry import trace_context
from server.telemetry.record import Record

if TYPE_CHECKING:
    from server.telemetry.tracing import Tracing

log = structlog.get_logger()

REQUEST_ID = "x-request-id"
"""Metadata that names a call in its line; the caller's own comes back in trailing metadata."""

TRACE_RESPONSE = "traceresponse"
"""Trailing metadata of a traced call: which span is its own, as W3C Trace Context drafts it."""

LONGEST_REQUEST_ID = 128

ERROR_LINES = 20
"""Calls logged in a second because of their errors, so that a crowd of them harms no others."""

_LEVELS = dict.fromkeys(grpc.StatusCode, logging.WARNING) | {
    grpc.StatusCode.OK: logging.INFO,
    # The usual end of a stream.
    grpc.StatusCode.CANCELLED: logging.INFO,
    grpc.StatusCode.UNKNOWN: logging.ERROR,
    grpc.StatusCode.INTERNAL: logging.ERROR,
    grpc.StatusCode.UNAVAILABLE: logging.ERROR,
    grpc.StatusCode.DATA_LOSS: logging.ERROR,
    grpc.StatusCode.DEADLINE_EXCEEDED: logging.ERROR,
    grpc.StatusCode.RESOURCE_EXHAUSTED: logging.ERROR,
}
"""How bad a call's end is: the caller's faults are warnings, the server's errors."""

Pairs = Sequence[tuple[str, str | bytes]]


class Recording:
    """Writes down some calls: a share `log_rate` of them in the log, and a share `trace_rate` with
    `tracing`, unless their callers have decided that. Errors are logged up to `ERROR_LINES` a
    second.
    """

    def __init__(
        self, log_rate: float, trace_rate: float, tracing: "Tracing | None" = None
    ) -> None:
        self.log_rate, self.trace_rate = log_rate, trace_rate
        self.tracing = tracing
        self.errors = Bound(ERROR_LINES, _tell_left_out)

    def of(self, path: str) -> "Recorder":
        """Return the recorder of a method at a path such as /SERVICE/METHOD."""
        return Recorder(self, path)

    def stop(self) -> None:
        """Write what has not been written yet, spans included."""
        self.errors.tell()
        if self.tracing is not None:
            self.tracing.stop()


class Recorder:
    """Writes down some calls of one method."""

    def __init__(self, recording: Recording, path: str) -> None:
        self._path = path
        self._log_rate, self._trace_rate = recording.log_rate, recording.trace_rate
        self._tracing, self._errors = recording.tracing, recording.errors
        self._until_logged, self._until_traced = gap(self._log_rate), gap(self._trace_rate)

    def begin(self, begin: float, metadata: Pairs) -> Record | None:
        """Return where to note what a call does; None when nobody asks.

        `begin` is its arrival by time.perf_counter.
        """
        self._until_logged -= 1
        # Most calls have no metadata but the name of their library.
        if (
            self._until_logged >= 1
            and self._tracing is None
            and (not metadata or (len(metadata) == 1 and metadata[0][0] == "user-agent"))
        ):
            return None
        return self._look(begin, metadata)

    def _look(self, begin: float, metadata: Pairs) -> Record | None:
        """Return the record of a call that may need one; else None."""
        record = None
        for key, value in metadata:
            if key == REQUEST_ID and isinstance(value, str) and _is_request_id(value):
                record = record or Record()
                record.request_id = value
            elif key == "traceparent":
                record = record or Record()
                # One that is longer is none, and must not be kept for as long as the call.
                record.traceparent = str(value)[:LONGEST_REQUEST_ID]
        if self._until_logged < 1:
            self._until_logged = gap(self._log_rate)
            record = record or Record()
            record.is_logged = True
        if self._tracing is not None and self._is_traced(record):
            record = record or Record()
            record.span = self._tracing.begin(self._path, begin, metadata)
        return record

    def _is_traced(self, record: Record | None) -> bool:
        """Whether a call has a span: as its caller has decided, or else by the rate."""
        parent = trace_context.read(record.traceparent) if record else None
        if parent is not None:
            return parent.is_sampled
        self._until_traced -= 1
        if self._until_traced >= 1:
            return False
        self._until_traced = gap(self._trace_rate)
        return True

    def end(
        self,
        record: Record | None,
        code: grpc.StatusCode,
        begin: float,
        seconds: float,
        reason: str = "",
    ) -> None:
        """Write the line and the span of a call that took so long, those that it is to have;
        `reason` is its error's.
        """
        if record is not None:
            record.reason = record.reason or reason
            if record.span is not None and self._tracing is not None:
                self._tracing.end(record, code.value[0], begin + seconds)
        if code is not grpc.StatusCode.OK:
            is_logged = self._errors.allows()
        else:
            is_logged = record is not None and record.is_logged
        if is_logged:
            _write(record or Record(reason=reason), self._path, code, seconds)


def make_recording(settings: Settings) -> Recording:
    """Return the recording that the settings want; raises StartupError without its packages, or
    with variables of theirs that can't be used.
    """
    # Lines that the level leaves out need no records.
    log_rate = settings.log_calls if log.is_enabled_for(logging.INFO) else 0.0
    return Recording(log_rate, settings.trace_sample_rate, _start_tracing(settings))


def _start_tracing(settings: Settings) -> "Tracing | None":
    if not settings.otlp_endpoint:
        return None
    if otel.is_disabled():
        log.warning("there are no traces, as OTEL_SDK_DISABLED is true")
        return None
    otel.check(settings.otlp_endpoint)
    try:
        with otel.guard():
            from server.telemetry.tracing import Tracing

            return Tracing(settings.otlp_endpoint)
    except ImportError as error:
        if not (error.name or "").startswith("opentelemetry"):
            raise
        raise StartupError(
            f"otlp_endpoint is {settings.otlp_endpoint!r}, but {error.name} is not installed; run "
            "python -m pip install -r requirements/tracing.txt, or leave --otlp-endpoint out"
        ) from error


def trailing(record: Record) -> tuple[tuple[str, str], ...]:
    """Return what the caller is told of the record, as trailing metadata."""
    pairs: tuple[tuple[str, str], ...] = ()
    if record.request_id:
        pairs = ((REQUEST_ID, record.request_id),)
    if record.span is not None:
        pairs += ((TRACE_RESPONSE, trace_context.write(record.span.get_span_context())),)
    return pairs


def _tell_left_out(calls: int) -> None:
    log.warning("calls ended with errors that are not logged", calls=calls)


def _is_request_id(text: str) -> bool:
    # What is no ASCII may come, in the hands of some libraries, and gRPC would not send it back.
    return 0 < len(text) <= LONGEST_REQUEST_ID and text.isascii() and text.isprintable()


def _trace_id(record: Record) -> str:
    """Return the name of the trace that a call belongs to, empty when there is none."""
    if record.span is not None:
        return f"{record.span.get_span_context().trace_id:032x}"
    parent = trace_context.read(record.traceparent)
    return parent.trace_id if parent else ""


def _write(record: Record, path: str, code: grpc.StatusCode, seconds: float) -> None:
    """Write the line of a call, which holds nothing of its message."""
    fields: dict[str, object] = {
        # Nobody gains by guessing it.
        "request_id": record.request_id or f"{random.getrandbits(128):032x}",
        "method": path[1:],
        "code": code_name(code),
        "seconds": round(seconds, 6),
    }
    if trace_id := _trace_id(record):
        fields["trace_id"] = trace_id
    if record.reason:
        fields["reason"] = record.reason
    if record.model is not None:
        fields |= {"model": record.model.name, "version": record.model.version}
        fields["images"] = record.images
    log.log(_LEVELS[code], "call", **fields)
