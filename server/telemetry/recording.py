"""Decides which calls are logged, traced and timed, and writes their log lines, spans and timings
when they end.

Most calls only pay for a look at their metadata and one subtraction.
"""

import logging
import random
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import grpc
import structlog

from modelfile.hints import command
from server.errors import StartupError
from server.logs.sampling import RateLimit, calls_until_next
from server.reasons.requests import RequestReason
from server.settings import otel
from server.settings.settings import Settings
from server.telemetry import trace_context
from server.telemetry.accumulators import Exemplars
from server.telemetry.codes import code_name
from server.telemetry.record import SERVER_TIMING, Record, Timing, write_timing

if TYPE_CHECKING:
    from server.telemetry.tracing import Tracing

log = structlog.get_logger()

REQUEST_ID = "x-request-id"
"""Metadata that identifies a call in its log line; a caller's own is sent back in the trailer,
unless it is more than one.
"""

TRACE_RESPONSE = "traceresponse"
"""Trailing metadata of a traced call: its span, as in the draft of W3C Trace Context."""

TIMING_REQUEST = "x-server-timing"
"""Metadata with the value 1 by which a caller asks for `SERVER_TIMING`."""

MAX_REQUEST_ID = 128
MAX_REQUEST_IDS = 4096
"""Characters of an id, and of all ids of a caller that sends those of several calls, joined by
commas.
"""

ERROR_LINES = 20
"""Failed calls logged per second at most, so that many of them don't slow down the others."""

_LEVELS = dict.fromkeys(grpc.StatusCode, logging.WARNING) | {
    grpc.StatusCode.OK: logging.INFO,
    # Streams usually end like that.
    grpc.StatusCode.CANCELLED: logging.INFO,
    grpc.StatusCode.UNKNOWN: logging.ERROR,
    grpc.StatusCode.INTERNAL: logging.ERROR,
    grpc.StatusCode.UNAVAILABLE: logging.ERROR,
    grpc.StatusCode.DATA_LOSS: logging.ERROR,
    grpc.StatusCode.DEADLINE_EXCEEDED: logging.ERROR,
    grpc.StatusCode.RESOURCE_EXHAUSTED: logging.ERROR,
}
"""The log levels: the caller's mistakes are warnings, the server's are errors."""

Pairs = Sequence[tuple[str, str | bytes]]


class Recording:
    """Records some calls: a share `log_rate` of them in the log, and a share `trace_rate` with
    `tracing`, unless their callers decide that. Errors are logged, up to `ERROR_LINES` a second.
    """

    def __init__(
        self, log_rate: float, trace_rate: float, tracing: "Tracing | None" = None
    ) -> None:
        self.log_rate, self.trace_rate = log_rate, trace_rate
        self.tracing = tracing
        self.errors = RateLimit(
            ERROR_LINES,
            lambda calls: log.warning("calls ended with errors that are not logged", calls=calls),
        )

    def recorder(self, path: str, exemplars: Exemplars) -> "Recorder":
        """Return the recorder of a method at a path such as /SERVICE/METHOD; `exemplars` are those
        of its calls.
        """
        return Recorder(self, path, exemplars)

    def stop(self) -> None:
        """Write what has not been written yet, including spans."""
        self.errors.tell()
        if self.tracing is not None:
            self.tracing.stop()


class Recorder:
    """Records some calls of one method."""

    def __init__(self, recording: Recording, path: str, exemplars: Exemplars) -> None:
        self._path, self._exemplars = path, exemplars
        self._log_rate, self._trace_rate = recording.log_rate, recording.trace_rate
        self._tracing, self._errors = recording.tracing, recording.errors
        self._until_logged = calls_until_next(self._log_rate)
        self._until_traced = calls_until_next(self._trace_rate)

    def begin(self, begin: float, metadata: Pairs) -> Record | None:
        """Return the record of a call that may be logged, traced or timed, else None.

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
        return self._make_record(begin, metadata)

    def _make_record(self, begin: float, metadata: Pairs) -> Record | None:
        record = None
        for key, value in metadata:
            if key == REQUEST_ID and isinstance(value, str) and _is_request_id(value):
                record = record or Record()
                record.request_id = value
            elif key == "traceparent":
                record = record or Record()
                # A longer one is invalid, and must not be kept for as long as the call.
                record.traceparent = str(value)[:MAX_REQUEST_ID]
            elif key == TIMING_REQUEST and value == "1":
                record = record or Record()
                record.timing = Timing(begin)
        if self._until_logged < 1:
            self._until_logged = calls_until_next(self._log_rate)
            record = record or Record()
            record.is_logged = True
        if self._tracing is not None and self._is_traced(record):
            record = record or Record()
            record.span = self._tracing.begin(self._path, begin, metadata)
        return record

    def _is_traced(self, record: Record | None) -> bool:
        """Whether a call is traced: as its caller has decided, or else by the rate."""
        parent = trace_context.read(record.traceparent) if record else None
        if parent is not None:
            return parent.is_sampled
        self._until_traced -= 1
        if self._until_traced >= 1:
            return False
        self._until_traced = calls_until_next(self._trace_rate)
        return True

    def end(
        self,
        record: Record | None,
        code: grpc.StatusCode,
        begin: float,
        seconds: float,
        reason: RequestReason | Literal[""] = "",
    ) -> None:
        """Write the log line and the span of a call, if it is to have them, and note it as an
        exemplar if it is traced.

        `seconds` is how long it took, `reason` that of its error.
        """
        if record is not None:
            record.reason = record.reason or reason
            if record.span is not None and self._tracing is not None:
                self._exemplars.note(record.span, seconds)
                self._tracing.end(record, code.value[0], begin + seconds)
        if code is not grpc.StatusCode.OK:
            is_logged = self._errors.allows()
        else:
            is_logged = record is not None and record.is_logged
        if is_logged:
            _write(record or Record(reason=reason), self._path, code, seconds)


def make_recording(settings: Settings, server_version: str) -> Recording:
    """Return the recording that the settings ask for.

    Raises StartupError when its packages are missing or their OTEL_* variables can't be used.
    """
    # Lines below the log level need no records.
    log_rate = settings.log_calls if log.is_enabled_for(logging.INFO) else 0.0
    return Recording(log_rate, settings.trace_sample_rate, _start_tracing(settings, server_version))


def _start_tracing(settings: Settings, server_version: str) -> "Tracing | None":
    if not settings.otlp_endpoint:
        return None
    if otel.is_disabled():
        log.warning("traces are off, because OTEL_SDK_DISABLED is true")
        return None
    otel.check(settings.otlp_endpoint)
    try:
        with otel.guard():
            from server.telemetry.tracing import Tracing

            return Tracing(settings.otlp_endpoint, server_version)
    except ImportError as error:
        if not (error.name or "").startswith("opentelemetry"):
            raise
        install = command("pip install -r requirements/tracing.txt")
        raise StartupError(
            f"otlp_endpoint is {settings.otlp_endpoint!r}, but {error.name} is not installed; run "
            f"{install}, or leave --otlp-endpoint out"
        ) from error


def trailing(record: Record) -> tuple[tuple[str, str], ...]:
    """Return what the caller gets of the record, as trailing metadata, now that the call ends."""
    pairs: tuple[tuple[str, str], ...] = ()
    # Who joins several knows them, and they might not fit beside an error's details.
    if record.request_id and len(record.request_id) <= MAX_REQUEST_ID:
        pairs = ((REQUEST_ID, record.request_id),)
    if record.span is not None:
        pairs += ((TRACE_RESPONSE, trace_context.write(record.span.get_span_context())),)
    if record.timing is not None:
        total = ("total", time.perf_counter() - record.timing.begin)
        told = write_timing((*record.timing.seconds.items(), total))
        pairs += ((SERVER_TIMING, told),)
    return pairs


def _is_request_id(text: str) -> bool:
    # Some libraries pass on text that is not ASCII, which gRPC would not send back.
    if not (0 < len(text) <= MAX_REQUEST_IDS and text.isascii() and text.isprintable()):
        return False
    return len(text) <= MAX_REQUEST_ID or max(map(len, text.split(","))) <= MAX_REQUEST_ID


def _write(record: Record, path: str, code: grpc.StatusCode, seconds: float) -> None:
    """Write the log line of a call, which has nothing from its message."""
    fields: dict[str, object] = {
        # Guessing it gains nothing.
        "request_id": record.request_id or f"{random.getrandbits(128):032x}",
        "method": path[1:],
        "code": code_name(code),
        "seconds": round(seconds, 6),
    }
    if record.span is not None:
        fields["trace_id"] = f"{record.span.get_span_context().trace_id:032x}"
    elif parent := trace_context.read(record.traceparent):
        fields["trace_id"] = parent.trace_id
    if record.reason:
        fields["reason"] = record.reason
    if record.model is not None:
        fields |= {"model": record.model.name, "version": record.model.version}
        fields["images"] = record.images
    log.log(_LEVELS[code], "call", **fields)
