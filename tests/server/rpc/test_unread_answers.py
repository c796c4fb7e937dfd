"""Large answers that nobody reads are bounded by their bytes, of calls and of streams."""

import contextlib
import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from google.rpc import status_pb2

from harness import http2
from harness.calls import PREDICT, STREAM, predict_method, stream_method
from harness.memory_bound import MIB
from harness.server_process import ServerProcess, mode, start_server
from harness.waiting import wait_for
from mlpserve.v1.classifier_pb2 import PredictRequest

LARGE = PredictRequest(
    pixels=np.zeros(784 * 300, np.float32), canonicalize=True, canonical_pixels=True
)
"""Its answer has almost a MiB, which is far more than gRPC sends to whoever reads nothing."""

COMPRESSED = gzip.compress(LARGE.SerializeToString())
SMALL = b"\1" + len(COMPRESSED).to_bytes(4) + COMPRESSED
"""The same, as it travels in one frame."""

MAX_QUEUED = 8 * MIB
CALLERS = 8
"""Whose answers would take more than half of that."""


@pytest.fixture(scope="module")
def bounded(repository: Path, lane: bool) -> Iterator[ServerProcess]:
    """A server that keeps up to 4 MiB of answers that wait for their callers."""
    limits = ("--max-message-bytes", str(MIB), "--max-queued-bytes", str(MAX_QUEUED))
    with start_server(repository, *limits, *mode(lane)) as running:
        yield running


def refusal_of_call(channel: grpc.Channel) -> str:
    """Make a call with a large answer; returns why it was refused, if it was."""
    call = predict_method(channel).future(LARGE.SerializeToString(), timeout=60)
    assert call.code() in (grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED)
    return str(call.details() or "")


def refusal_in_stream(channel: grpc.Channel) -> str:
    """Ask for a large answer and a small one over a stream; the second one always comes."""
    small = PredictRequest(pixels_u8=bytes(784))
    first, second = stream_method(channel)(iter([LARGE, small]), timeout=60)
    assert second.response.labels
    found = status_pb2.Status()
    first.error.Unpack(found)
    assert found.code in (0, grpc.StatusCode.RESOURCE_EXHAUSTED.value[0])
    return str(found.message)


@pytest.mark.parametrize(
    ("path", "refusal"), [(PREDICT, refusal_of_call), (STREAM, refusal_in_stream)]
)
def test_answers_that_nobody_reads_leave_no_room_for_more(
    bounded: ServerProcess, path: str, refusal: Callable[[grpc.Channel], str]
) -> None:
    with grpc.insecure_channel(bounded.grpc_address) as channel:
        assert not refusal(channel)
        with contextlib.ExitStack() as opened:
            for _ in range(CALLERS):
                deaf = opened.enter_context(http2.connect(bounded.grpc_address))
                deaf.begin(path, 1, (b"grpc-encoding", b"gzip"))
                deaf.send(http2.DATA, SMALL, http2.END_STREAM, stream=1)
            wait_for(lambda: "unread answers fill the server's buffer" in refusal(channel))
        # Once they have left, there is room again.
        wait_for(lambda: not refusal(channel))
