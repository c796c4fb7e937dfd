"""Mounts methods on an ordinary gRPC server, where each call has a thread and runs by itself."""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import structlog
from google.protobuf.message import Message

from mlpserve import wire
from mlpserve.v1 import classifier_pb2
from server.batching import Batcher, note_refusal
from server.errors import RequestError, reason_of
from server.record import CURRENT, Record, note_reason
from server.request import Request
from server.rpc.status import Status, status_of

log = structlog.get_logger()

Read = Callable[[bytes, bool], tuple[Request, memoryview]]
Handlers = dict[str, "grpc.RpcMethodHandler[Any, Any]"]

_STREAMED = classifier_pb2.PredictStreamResponse


@dataclass(slots=True, eq=False)
class Call:
    """A call on an ordinary server's thread, or a message of a stream; see `batching.Call`.

    Once answered, `response` or `status` and `reason` hold how it ends.
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
    status: Status | None = None
    reason: str = ""

    @property
    def metadata(self) -> Iterable[tuple[str, str | bytes]]:
        """The caller's pairs of key and value, which grpc makes when asked."""
        return self.context.invocation_metadata() if self.context else ()

    @property
    def ended(self) -> bool:
        """Whether it is known how the call ends."""
        return self.response is not None or self.status is not None

    def answer(self, response: bytes) -> None:
        """Keep the response."""
        self.response = response

    def refuse(self, error: Exception) -> None:
        """Keep the error's status."""
        self.status = status_of(error)
        self.reason = reason_of(error)


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
        if call.status is not None:
            note_reason(call.reason)
            context.abort_with_status(call.status)
        return call.response or b""

    return grpc.unary_unary_rpc_method_handler(answer)


def stream(batcher: Batcher, read: Read) -> "grpc.RpcMethodHandler[Any, Any]":
    """Return a handler that answers each message of a stream with a PredictStreamResponse."""

    def answer(messages: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        for message in messages:
            call = Call(read, message, context=context)
            batcher.answer_alone(call)
            if call.response is not None:
                field = wire.encode_tagged(_STREAMED.RESPONSE_FIELD_NUMBER, call.response)
                yield b"".join(field)
            elif call.status is not None:
                yield _STREAMED(error=call.status.packed()).SerializeToString()

    return grpc.stream_stream_rpc_method_handler(answer)


def plain(
    kind: type[Message], answer: Callable[[Any], Message | bytes]
) -> "grpc.RpcMethodHandler[Any, Any]":
    """Return a handler of a function from messages of a kind to messages, serialized or not; it may
    raise.
    """

    def guarded(request: Message, context: grpc.ServicerContext) -> Message | bytes:
        try:
            return answer(request)
        except Exception as error:
            if not isinstance(error, RequestError):
                log.exception("call failed")
            note_refusal(error)
            note_reason(reason_of(error))
            context.abort_with_status(status_of(error))

    return grpc.unary_unary_rpc_method_handler(
        guarded,
        request_deserializer=kind.FromString,
        response_serializer=lambda response: (
            response if isinstance(response, bytes) else response.SerializeToString()
        ),
    )
