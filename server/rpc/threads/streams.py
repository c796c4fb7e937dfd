"""Streams of requests to models: each message gets a run of its own, and its answer in its turn."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import grpc

from mlpserve.inference import open_inference_pb2 as protocol
from mlpserve.protocol import wire
from mlpserve.v1 import classifier_pb2
from server.rpc import classifier
from server.rpc.admission import UNREAD_ANSWERS, too_large
from server.rpc.inference import requests
from server.rpc.lane.outbox import LARGE_RESPONSE_BYTES, Outbox
from server.rpc.status import status_of
from server.rpc.threads.call import ThreadCall, ThreadMessage
from server.rpc.threads.service import RespondEach
from server.running.batcher import Batcher
from server.running.calls import Read, count_refusal

_PREDICTED, _INFERRED = classifier_pb2.PredictStreamResponse, protocol.ModelStreamInferResponse


@dataclass(frozen=True, slots=True)
class Stream:
    """A method whose messages are those of a unary one, which `read` reads.

    A response becomes the field `number` of the stream's, and `write_error` makes that of an error
    to a message.
    """

    read: Read
    number: int
    write_error: Callable[[Exception, bytes], bytes]


def _write_predict_error(error: Exception, _message: bytes) -> bytes:
    return _PREDICTED(error=status_of(error).packed()).SerializeToString()


def _write_infer_error(error: Exception, message: bytes) -> bytes:
    response = _INFERRED(error_message=status_of(error).details)
    # By its id callers know which request has failed.
    response.infer_response.MergeFromString(requests.read_id(message))
    return response.SerializeToString()


PREDICT = Stream(classifier.read_request, _PREDICTED.RESPONSE_FIELD_NUMBER, _write_predict_error)
INFER = Stream(requests.read_request, _INFERRED.INFER_RESPONSE_FIELD_NUMBER, _write_infer_error)


def respond_each_alone(batcher: Batcher, stream: Stream, outbox: Outbox) -> RespondEach:
    """Return a function that answers each message of a stream with a response that fits."""

    # grpcio asks for the next response once the one before has left.
    def respond(
        call: ThreadCall, messages: Iterator[bytes], _context: grpc.ServicerContext
    ) -> Iterator[bytes]:
        for message in messages:
            waiting = ThreadMessage(stream.read, message, call.metadata, call.record)
            batcher.answer_alone(waiting)
            if waiting.response is not None:
                response = b"".join(wire.encode_tagged(stream.number, waiting.response))
                # It may be long until the caller has read it.
                waiting.response = None
                size = len(response)
                held = size if size > LARGE_RESPONSE_BYTES else 0
                error: Exception | None = None
                if size > outbox.max_bytes:
                    error = too_large(size, outbox.max_bytes)
                elif held and not outbox.hold(held):
                    error = UNREAD_ANSWERS
                if error is None:
                    try:
                        yield response
                    finally:
                        outbox.release(held)
                    continue
                count_refusal(error)
                waiting.error = error
            if waiting.error is not None:
                yield stream.write_error(waiting.error, message)

    return respond
