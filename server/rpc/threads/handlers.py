"""Mounts methods on an ordinary gRPC server, where each call has a thread and runs by itself."""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.message import Message

from mlpserve import wire
from mlpserve.v1 import classifier_pb2
from server.rpc.lane.desk import responder
from server.rpc.lane.lane import too_large
from server.rpc.status import status_of
from server.rpc.threads.behaviors import Refused
from server.running.batcher import Batcher, note_refusal
from server.running.request import Request
from server.telemetry.record import CURRENT, Record

Read = Callable[[bytes, bool], tuple[Request, memoryview]]
Handlers = dict[str, "grpc.RpcMethodHandler[Any, Any]"]

_STREAMED = classifier_pb2.PredictStreamResponse


@dataclass(slots=True, eq=False)
class Call:
    """A call on an ordinary server's thread, or a message of a stream; see `batching.Call`.

    Once answered, `response` or `error` holds how it ends.
    """

    read: Read
    message: bytes
    deadline: float = math.inf
    cancelled: bool = False
    context: grpc.ServicerContext | None = None
    begin: float = field(default_factory=time.perf_counter)
    request: Request = field(init=False)
    pixels: memoryview = field(init=False)
    size: int = field(init=False)
    held_bytes: int = 0
    waiting_since: float = field(init=False)
    record: Record | None = field(default_factory=CURRENT.get)
    response: bytes | None = None
    error: Exception | None = None

    @property
    def metadata(self) -> Iterable[tuple[str, str | bytes]]:
        """The caller's pairs of key and value, which grpc makes when asked."""
        return self.context.invocation_metadata() if self.context else ()

    @property
    def ended(self) -> bool:
        """Whether it is known how the call ends."""
        return self.response is not None or self.error is not None

    def answer(self, response: bytes) -> None:
        """Keep the response."""
        self.response = response

    def refuse(self, error: Exception) -> None:
        """Keep the error, without the frames in which it came about: these hold the call, and with
        it a message that may be large, which would be there until the next collection.
        """
        self.error = error.with_traceback(None)


def mount(server: grpc.Server, service: str, handlers: Handlers) -> None:
    """Add methods to a server, by their names; several mounts may share a service."""
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))


def unary(batcher: Batcher, read: Read) -> "grpc.RpcMethodHandler[Any, Any]":
    """Return a handler that answers each call by a run of its own."""

    def answer(message: bytes, context: grpc.ServicerContext) -> bytes:
        remaining = context.time_remaining()
        deadline = math.inf if remaining is None else time.perf_counter() + remaining
        call = Call(read, message, deadline, not context.is_active(), context)
        batcher.answer_alone(call)
        if call.error is not None:
            raise Refused(call.error)
        return call.response or b""

    return grpc.unary_unary_rpc_method_handler(answer)


def stream(batcher: Batcher, read: Read, response_bytes: int) -> "grpc.RpcMethodHandler[Any, Any]":
    """Return a handler that answers each message of a stream with a PredictStreamResponse of up to
    so many bytes.
    """

    def answer(messages: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        for message in messages:
            call = Call(read, message, context=context)
            batcher.answer_alone(call)
            if call.response is not None:
                field = wire.encode_tagged(_STREAMED.RESPONSE_FIELD_NUMBER, call.response)
                response = b"".join(field)
                if len(response) <= response_bytes:
                    yield response
                    continue
                call.error = too_large(len(response), response_bytes)
                note_refusal(call.error)
            if call.error is not None:
                yield _STREAMED(error=status_of(call.error).packed()).SerializeToString()

    return grpc.stream_stream_rpc_method_handler(answer)


def plain(
    kind: type[Message], answer: Callable[[Any], Message | bytes]
) -> "grpc.RpcMethodHandler[Any, Any]":
    """Return a handler of a function from messages of a kind to messages, serialized or not; it may
    raise.
    """
    respond = responder(kind, answer)
    return grpc.unary_unary_rpc_method_handler(lambda message, _: respond(message))
