"""PredictStream answers each request in order; bad ones and idle streams hurt nobody."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2, status_pb2

from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.calls import BLACK, Idle, predict, retry_seconds, stream_method
from harness.scrape import value
from harness.server_process import start_server
from mlpserve.v1.classifier_pb2 import PredictRequest


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
        found = status_pb2.Status()
        assert response.error.Unpack(found)
        statuses.append(found)
    codes = [grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INVALID_ARGUMENT]
    codes.append(grpc.StatusCode.NOT_FOUND)
    assert [found.code for found in statuses] == [code.value[0] for code in codes]
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


@contextlib.contextmanager
def open_stream(channel: grpc.Channel) -> Iterator[tuple[Idle, Any]]:
    """A stream that the server has taken, until the block ends."""
    requests = Idle()
    call = stream_method(channel)(iter(requests), timeout=100)
    requests.send(PredictRequest(pixels=BLACK))
    assert next(call).response.labels
    yield requests, call
    requests.finish()


def test_idle_streams_leave_room(repository: Path) -> None:
    limit, more = 5, 30
    labels = {"grpc_method": "PredictStream", "grpc_code": "ResourceExhausted"}
    with (
        start_server(repository, "--max-streams", str(limit)) as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        with contextlib.ExitStack() as opened:
            kept = [opened.enter_context(open_stream(channel)) for _ in range(limit)]
            for _ in range(more):
                requests = Idle()
                call = stream_method(channel)(iter(requests), timeout=100)
                # One that was kept would have no answer before its deadline.
                with pytest.raises(grpc.RpcError, match=f"{limit} streams are in pr") as caught:
                    next(call)
                assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
                assert retry_seconds(caught.value)
                requests.finish()
            assert value(server, "grpc_server_handled_total", **labels) == more
            # Nobody else waits for them, and those that are open still work.
            assert predict(channel, PredictRequest(pixels=BLACK)).labels
            for requests, call in kept:
                requests.send(PredictRequest(pixels=BLACK))
                assert next(call).response.labels
        assert [list(call) for _, call in kept] == [[]] * limit
        # Whose place is free again.
        with open_stream(channel) as (_, call):
            pass
        assert list(call) == []


def test_open_stream_does_not_outlast_a_stop(repository: Path) -> None:
    with (
        start_server(repository, "--stop-grace-seconds", "0.5") as server,
        grpc.insecure_channel(server.grpc_address) as channel,
        open_stream(channel) as (_, call),
    ):
        assert server.terminate() == 0
        with pytest.raises(grpc.RpcError) as caught:
            next(call)
        assert caught.value.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
