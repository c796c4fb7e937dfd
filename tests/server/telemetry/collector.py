"""A collector of OTLP/gRPC that keeps the spans it is sent."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from harness.waiting import wait_for

SOON = {"OTEL_BSP_SCHEDULE_DELAY": "50"}
"""Variables of a server that sends its spans without much delay."""


@dataclass(slots=True)
class Collector:
    """What has arrived at http://HOST:PORT: spans, and what their senders say of themselves."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)

    def find(self, wanted: Callable[[Span], bool]) -> Span:
        """Wait for the first span that is wanted."""
        wait_for(lambda: any(map(wanted, self.spans)))
        return next(filter(wanted, self.spans))

    def of_trace(self, trace_id: str) -> Span:
        """Wait for the span of the only call in a trace, which comes after its stages."""
        return self.find(lambda span: span.trace_id.hex() == trace_id and span.kind == SERVER)

    def below(self, span: Span) -> dict[str, Span]:
        """Return the spans below one, by their names, each of which is there once."""
        found = [other for other in self.spans if other.parent_span_id == span.span_id]
        by_name = {other.name: other for other in found}
        assert len(by_name) == len(found)
        return by_name


SERVER = Span.SpanKind.SPAN_KIND_SERVER


@contextlib.contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector on a free port until the block ends."""
    collector = Collector()

    class Service(trace_service_pb2_grpc.TraceServiceServicer):
        def Export(  # noqa: N802
            self,
            request: trace_service_pb2.ExportTraceServiceRequest,
            _context: grpc.ServicerContext,
        ) -> trace_service_pb2.ExportTraceServiceResponse:
            for sent in request.resource_spans:
                collector.resources.append(attributes(sent.resource.attributes))
                for scope in sent.scope_spans:
                    collector.spans += scope.spans
            return trace_service_pb2.ExportTraceServiceResponse()

    server = grpc.server(ThreadPoolExecutor(2))
    add_service: Callable[..., None] = trace_service_pb2_grpc.add_TraceServiceServicer_to_server
    add_service(Service(), server)
    collector.url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield collector
    finally:
        server.stop(0).wait()


def attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    """Return OTLP's attributes as plain values."""
    return {pair.key: getattr(pair.value, str(pair.value.WhichOneof("value"))) for pair in pairs}
