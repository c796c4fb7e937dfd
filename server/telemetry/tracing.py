"""Traces over OTLP: a span for each call, with a child for each of its stages.

Needs the dependency group `tracing`; nothing else imports these packages.
"""

import os
import threading
import time
from collections.abc import Iterable
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import (
    PROCESS_PID,
    SERVICE_NAME,
    SERVICE_VERSION,
    OTELResourceDetector,
    Resource,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link, Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.re import parse_env_headers

from server.settings import otel
from server.settings.addresses import is_local
from server.telemetry.record import Record

FLUSH_SECONDS: Final = 2.0
"""How long a stop waits for the last spans to be sent, so that no collector can delay it."""

MAX_LINKS: Final = 32
"""Other calls of the same run that a run's span links to."""

CARRIED: Final = frozenset({"traceparent", "tracestate"})
MAX_CARRIED: Final = 512
"""The metadata that a span keeps until it is sent, and its largest length, as W3C Trace Context
requires.
"""

SERVER_ERRORS: Final = frozenset({2, 4, 12, 13, 14, 15})
"""gRPC codes that OpenTelemetry's conventions count as errors of a server's span."""

_PROPAGATOR = TraceContextTextMapPropagator()


class Tracing:
    """Makes spans of calls and sends them to a collector, on a thread of its own.

    Spans that a collector does not take in time are dropped. The OTEL_* variables of the SDK and of
    its exporter, such as OTEL_EXPORTER_OTLP_HEADERS, have their usual effects.
    """

    def __init__(self, endpoint: str, server_version: str) -> None:
        """Send to `endpoint`, http://HOST:PORT or https://HOST:PORT; raises StartupError when a
        variable has headers that can't be sent.
        """
        otel.check_headers(partial(parse_env_headers, liberal=True))
        # A proxy would look for this machine's collector on its own.
        options = (("grpc.enable_http_proxy", 0),) if is_local(urlsplit(endpoint).netloc) else None
        self._exporter = OTLPSpanExporter(
            endpoint,
            insecure=endpoint.startswith("http:"),
            channel_options=options,  # type: ignore[arg-type]  # gRPC's are numbers, too
        )
        # Calls are sampled before they get here.
        self._provider = TracerProvider(
            sampler=ALWAYS_ON, resource=_describe_server(server_version), shutdown_on_exit=False
        )
        processor = BatchSpanProcessor(self._exporter, max_export_batch_size=otel.BATCH_SPANS)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("mlpserve", server_version)
        # Spans use the time of day, stages the monotonic clock.
        self._clock_begin_ns = time.time_ns() - time.perf_counter_ns()

    def begin(self, path: str, begin: float, metadata: Iterable[tuple[str, str | bytes]]) -> Span:
        """Return the span of a call of /SERVICE/METHOD that began at `begin`, by time.perf_counter.

        It is a child of the span in the caller's metadata, if any.
        """
        # The path of an unknown method is whatever the caller sent.
        service, _, method = path[1:].rpartition("/")
        return self._tracer.start_span(
            path[1:],
            _PROPAGATOR.extract(
                {
                    key: str(value)
                    for key, value in metadata
                    if key in CARRIED and len(value) <= MAX_CARRIED
                }
            ),
            SpanKind.SERVER,
            {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method},
            start_time=self._nanoseconds(begin),
        )

    def end(self, record: Record, code: int, end: float) -> None:
        """End the span of a call, with its stages as children; `code` is gRPC's number."""
        span = record.span
        if span is None:
            return
        parent = trace.set_span_in_context(span)
        for stage in record.stages:
            attributes, links = {}, []
            if stage.calls:
                attributes["mlpserve.run.calls"] = stage.calls
                attributes["mlpserve.run.images"] = stage.images
                # To the other traced calls that the run answered.
                others = [other for other in stage.spans if other is not span]
                links = [Link(other.get_span_context()) for other in others[:MAX_LINKS]]
            self._tracer.start_span(
                stage.name,
                parent,
                attributes=attributes,
                links=links,
                start_time=self._nanoseconds(stage.begin),
            ).end(self._nanoseconds(stage.end))
        span.set_attribute("rpc.grpc.status_code", code)
        if record.request_id:
            span.set_attribute("mlpserve.request_id", record.request_id)
        if record.model is not None:
            span.set_attribute("mlpserve.model", record.model.name)
            span.set_attribute("mlpserve.version", record.model.version)
            span.set_attribute("mlpserve.images", record.images)
        if record.reason:
            span.set_attribute("mlpserve.reason", record.reason)
        if code in SERVER_ERRORS:
            span.set_status(StatusCode.ERROR)
        span.end(self._nanoseconds(end))

    def stop(self) -> None:
        """Send the remaining spans, for `FLUSH_SECONDS` at most."""
        flush = threading.Thread(target=self._provider.shutdown, daemon=True)
        flush.start()
        flush.join(FLUSH_SECONDS)
        if flush.is_alive():
            # It would keep trying.
            self._exporter.shutdown()

    def _nanoseconds(self, seconds: float) -> int:
        return self._clock_begin_ns + round(seconds * 1e9)


def _describe_server(version: str) -> Resource:
    """Return how spans describe this process; its name is that of the environment, if any."""
    name = OTELResourceDetector().detect().attributes.get(SERVICE_NAME, "mlpserve")
    return Resource.create({SERVICE_NAME: name, SERVICE_VERSION: version, PROCESS_PID: os.getpid()})
