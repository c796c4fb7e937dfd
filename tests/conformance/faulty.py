"""The reference behind a socket, with a fault that can be switched on in one of its methods."""

import contextlib
import re
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any

import grpc

from tests.conformance.calls import SERVICE
from tests.conformance.reference import Reference, Refused, parse

Honest = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong: `answer` stands for the named method, and gets the correct one and the
    request; it may raise Refused.
    """

    method: str
    answer: Callable[[Honest, Any], Any]


@dataclass
class Faulty:
    """A server whose reference and faults are changed between tests."""

    address: str = ""
    reference: Reference = field(default_factory=Reference)
    faults: tuple[Fault, ...] = ()

    def answer(self, name: str, request: Any) -> Any:
        """Answer one call of a method, as its fault has it."""
        method = getattr(self.reference, re.sub("(?<!^)(?=[A-Z])", "_", name).lower())
        for fault in self.faults:
            if fault.method == name:
                return fault.answer(method, request)
        return method(request)


class _Handlers(grpc.GenericRpcHandler):
    """Hands every call of the service to the server."""

    def __init__(self, faulty: Faulty) -> None:
        self._faulty = faulty

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Return what answers a method."""
        service, _, name = handler_call_details.method.lstrip("/").partition("/")
        if service != SERVICE:
            return None
        if name == "ModelStreamInfer":
            return grpc.stream_stream_rpc_method_handler(self._stream)

        def unary(message: bytes, context: grpc.ServicerContext) -> bytes:
            try:
                # A fault may answer bytes that are not a request, so it gets them unchanged.
                request = self._parse(name, message)
                answer: bytes = self._faulty.answer(name, request).SerializeToString()
            except Refused as error:
                context.abort(error.code, error.message)
            return answer

        return grpc.unary_unary_rpc_method_handler(unary)

    def _parse(self, name: str, message: bytes) -> Any:
        try:
            return parse(name, message)
        except Refused as error:
            for fault in self._faulty.faults:
                if fault.method == "unreadable":
                    return fault.answer(lambda _: None, message)
            raise error

    def _stream(self, messages: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        requests = (parse("ModelStreamInfer", message) for message in messages)
        try:
            for answer in self._faulty.answer("ModelStreamInfer", requests):
                yield answer.SerializeToString()
        except Refused as error:
            context.abort(error.code, error.message)


@contextlib.contextmanager
def serve() -> Iterator[Faulty]:
    """Run a server on a free port until the block ends."""
    faulty = Faulty()
    server = grpc.server(futures.ThreadPoolExecutor(8), handlers=[_Handlers(faulty)])
    port = server.add_insecure_port("127.0.0.1:0")
    faulty.address = f"127.0.0.1:{port}"
    server.start()
    try:
        yield faulty
    finally:
        server.stop(None).wait()
