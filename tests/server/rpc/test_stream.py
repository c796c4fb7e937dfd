"""PredictStream answers each request in order; bad ones and idle streams hurt nobody."""

import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2, status_pb2

from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.calls import BLACK, predict
from harness.scrape import value
from harness.server_process import start_server
from mlpserve.v1.classifier_pb2 import PredictRequest, PredictStreamResponse

pytestmark = pytest.mark.both_modes

STREAM = "/mlpserve.v1.Classifier/PredictStream"
Stream: TypeAlias = "grpc.StreamStreamMultiCallable[PredictRequest | bytes, PredictStreamResponse]"


def stream_method(channel: grpc.Channel) -> Stream:
    def serialize(request: PredictRequest | bytes) -> bytes:
        return request if isinstance(request, bytes) else request.SerializeToString()

    return channel.stream_stream(
        STREAM,
        request_serializer=serialize,
        response_deserializer=PredictStreamResponse.FromString,
    )


class Idle:
    """Requests of a stream whose caller has nothing more to say until `finish`."""

    def __init__(self) -> None:
        self._requests: queue.SimpleQueue[PredictRequest | None] = queue.SimpleQueue()

    def __iter__(self) -> Iterator[PredictRequest]:
        while (request := self._requests.get()) is not None:
            yield request

    def send(self, request: PredictRequest) -> None:
        self._requests.put(request)

    def finish(self) -> None:
        self._requests.put(None)


def test_each_request_is_answered_in_order(
    channel: grpc.Channel, digits: tuple[Batch, Labels]
) -> None:
    sizes = [1, 3, 2, 40, 1]
    starts = np.cumsum([0, *sizes[:-1]])
    batches = [digits[0][start : start + size] for start, size in zip(starts, sizes, strict=True)]
    requests = [PredictRequest(pixels=batch.ravel()) for batch in batches]
    responses = list(stream_method(channel)(iter(requests), timeout=60))
    assert [len(one.response.labels) for one in responses] == sizes
    for request, response in zip(requests, responses, strict=True):
        assert response.response == predict(channel, request)


def test_bad_message_ends_neither_stream_nor_neighbours(channel: grpc.Channel) -> None:
    good = PredictRequest(pixels=BLACK)
    bad: list[PredictRequest | bytes] = [PredictRequest(pixels=BLACK[1:]), b"\xff" * 9]
    bad.append(PredictRequest(model="x", pixels=BLACK))
    responses = list(stream_method(channel)(iter([good, *bad, good]), timeout=60))
    assert [one.WhichOneof("result") for one in responses] == [
        *("response", "error", "error", "error", "response")
    ]
    assert responses[0] == responses[-1]
    statuses = []
    for response in responses[1:4]:
        status = status_pb2.Status()
        assert response.error.Unpack(status)
        statuses.append(status)
    codes = [grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INVALID_ARGUMENT]
    codes.append(grpc.StatusCode.NOT_FOUND)
    assert [status.code for status in statuses] == [code.value[0] for code in codes]
    assert "783 values" in statuses[0].message
    detail = error_details_pb2.BadRequest()
    assert statuses[0].details[0].Unpack(detail)
    assert detail.field_violations[0].field == "pixels"


def test_answers_come_while_the_stream_is_open(channel: grpc.Channel) -> None:
    requests = Idle()
    call = stream_method(channel)(iter(requests), timeout=60)
    for images in (1, 2, 3):
        requests.send(PredictRequest(pixels_u8=bytes(784 * images)))
        assert len(next(call).response.labels) == images
    requests.finish()
    assert list(call) == []
    assert call.code() is grpc.StatusCode.OK


def test_a_thousand_idle_streams_leave_room(repository: Path) -> None:
    limit = 20
    with (
        start_server(repository, "--max-streams", str(limit)) as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        open_streams = []
        for _ in range(1000):
            requests = Idle()
            open_streams.append((requests, stream_method(channel)(iter(requests), timeout=100)))
        refused = [call for _, call in open_streams if wait_for_refusal(call)]
        assert len(refused) == 1000 - limit
        assert "20 streams are in progress" in refused[0].details()
        detail = error_details_pb2.RetryInfo()
        (packed,) = (v for k, v in refused[0].trailing_metadata() if k.endswith("-bin"))
        assert status_pb2.Status.FromString(packed).details[0].Unpack(detail)
        labels = {"grpc_method": "PredictStream", "grpc_code": "ResourceExhausted"}
        assert value(server, "grpc_server_handled_total", **labels) == 1000 - limit
        # Nobody else waits for them, and those that are open still work.
        assert predict(channel, PredictRequest(pixels=BLACK)).labels
        kept = [(requests, call) for requests, call in open_streams if call not in refused]
        for requests, call in kept:
            requests.send(PredictRequest(pixels=BLACK))
            assert next(call).response.labels
        for requests, _ in open_streams:
            requests.finish()
        assert [list(call) for _, call in kept] == [[]] * limit
        # Whose place is free again.
        again = stream_method(channel)(iter([PredictRequest(pixels=BLACK)]), timeout=60)
        assert next(again).response.labels


def wait_for_refusal(call: grpc.Call) -> bool:
    """Whether the server ends the call within a while; one that it keeps stays open."""
    ended = threading.Event()
    if not call.add_callback(ended.set):
        return True
    return ended.wait(0.5)


def test_open_stream_does_not_outlast_a_stop(repository: Path) -> None:
    with (
        start_server(repository, "--stop-grace-seconds", "0.5") as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        requests = Idle()
        call = stream_method(channel)(iter(requests), timeout=60)
        requests.send(PredictRequest(pixels=BLACK))
        assert next(call).response.labels
        assert server.terminate() == 0
        with pytest.raises(grpc.RpcError) as caught:
            next(call)
        assert caught.value.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
        requests.finish()
