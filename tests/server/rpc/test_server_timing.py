"""Callers that ask for it learn where the time of their calls went, however these end."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from harness.calls import PREDICT, raw_method, stream_method
from harness.scrape import value
from harness.server_process import ServerProcess, mode, start_server
from harness.waiting import wait_for
from mlpserve.inference import open_inference_pb2 as protocol
from mlpserve.v1.classifier_pb2 import ListModelsRequest, PredictRequest
from tests.server.faults import SLOW, Runs
from tests.server.modes import ON_THE_LANE

STAGES = ["decode", "queue", "run", "encode", "total"]
INFER = "/inference.GRPCInferenceService/ModelInfer"
INFER_STREAM = "/inference.GRPCInferenceService/ModelStreamInfer"
ROUNDING = 0.0005 * len(STAGES)
ASKING = (("x-server-timing", "1"),)


@pytest.fixture(scope="module")
def timed(models: Path, runs: Runs, lane: bool) -> Iterator[ServerProcess]:
    """A server whose slow model can be held."""
    arguments = ("--default-model", "digits", *mode(lane))
    with start_server(models, *arguments, **runs.variables) as running:
        yield running


@pytest.fixture(scope="module")
def connected(timed: ServerProcess) -> Iterator[grpc.Channel]:
    """A connection to it."""
    with grpc.insecure_channel(timed.grpc_address) as opened:
        yield opened


def predict(model: str = "", pixels: int = 784) -> bytes:
    return PredictRequest(model=model, pixels_u8=bytes(pixels)).SerializeToString()


def infer(model: str = "digits", timeout_microseconds: int = 0) -> protocol.ModelInferRequest:
    request = protocol.ModelInferRequest(model_name=model, raw_input_contents=[bytes(784)])
    request.inputs.add(name="pixels", datatype="UINT8", shape=[1, 784])
    if timeout_microseconds:
        request.parameters["timeout"].int64_param = timeout_microseconds
    return request


def timing_of(call: Any) -> dict[str, float]:
    """The milliseconds by stage, in the order told; fails unless each is told once and in form."""
    (text,) = (pair.value for pair in call.trailing_metadata() if pair.key == "server-timing")
    entry = r"[a-z]+;dur=[0-9]+\.[0-9]{3}"
    assert re.fullmatch(rf"{entry}(, {entry})*", text), text
    pairs = [part.split(";dur=") for part in text.split(", ")]
    found = {name: float(milliseconds) for name, milliseconds in pairs}
    assert len(found) == len(pairs)
    return found


def fail(
    channel: grpc.Channel, path: str, message: bytes, code: grpc.StatusCode
) -> dict[str, float]:
    with pytest.raises(grpc.RpcError) as caught:
        raw_method(channel, path)(message, metadata=ASKING, timeout=60)
    assert caught.value.code() is code
    return timing_of(caught.value)


@pytest.mark.parametrize(
    ("path", "message"), [(PREDICT, predict()), (INFER, infer().SerializeToString())]
)
def test_an_answer_says_where_its_time_went(
    connected: grpc.Channel, path: str, message: bytes
) -> None:
    _, call = raw_method(connected, path).with_call(message, metadata=ASKING, timeout=60)
    timing = timing_of(call)
    assert list(timing) == STAGES
    # They follow each other within the call, and each is rounded on its own.
    assert sum(timing.values()) - timing["total"] <= timing["total"] + ROUNDING


def test_nobody_gets_it_who_has_not_asked(connected: grpc.Channel) -> None:
    for metadata in (
        (),
        *[(("x-server-timing", other),) for other in ("0", "", "true", "01", "1,1", "yes")],
        (("x-server-timing-bin", b"1"),),
    ):
        _, call = raw_method(connected, PREDICT).with_call(predict(), metadata=metadata, timeout=60)
        assert call.trailing_metadata() == ()
    for metadata in ((*ASKING, *ASKING), (("x-server-timing", "0"), *ASKING)):
        _, call = raw_method(connected, PREDICT).with_call(predict(), metadata=metadata, timeout=60)
        assert list(timing_of(call)) == STAGES


def test_methods_without_a_model_tell_the_whole_time(connected: grpc.Channel) -> None:
    for path, message in (
        ("/mlpserve.v1.Classifier/ListModels", ListModelsRequest().SerializeToString()),
        ("/inference.GRPCInferenceService/ServerLive", b""),
        ("/grpc.health.v1.Health/Check", b""),
    ):
        _, call = raw_method(connected, path).with_call(message, metadata=ASKING, timeout=60)
        assert list(timing_of(call)) == ["total"]


@ON_THE_LANE
def test_a_call_that_waits_for_a_run_says_so(
    connected: grpc.Channel, timed: ServerProcess, runs: Runs
) -> None:
    call = raw_method(connected, PREDICT)
    with runs.held():
        first = call.future(predict(SLOW), timeout=60)
        runs.wait_until_begun()
        second = call.future(predict(SLOW), metadata=ASKING, timeout=60)
        wait_for(lambda: value(timed, "mlpserve_queued_images") == 1)
    first.result()
    second.result()
    timing = timing_of(second)
    assert list(timing) == STAGES
    assert timing["queue"] > 0


def test_an_error_tells_what_is_known(connected: grpc.Channel) -> None:
    for path, message, code in (
        (PREDICT, b"\xff", grpc.StatusCode.INVALID_ARGUMENT),
        (PREDICT, predict(pixels=1), grpc.StatusCode.INVALID_ARGUMENT),
        (INFER, infer("none").SerializeToString(), grpc.StatusCode.NOT_FOUND),
    ):
        assert list(fail(connected, path, message, code)) == ["total"]
    # The run itself finds pixels that are none.
    message = PredictRequest(pixels=[2.0] * 784).SerializeToString()
    timing = fail(connected, PREDICT, message, grpc.StatusCode.INVALID_ARGUMENT)
    assert list(timing) == STAGES
    # Its time is over when its turn has come.
    message = infer(SLOW, timeout_microseconds=1).SerializeToString()
    timing = fail(connected, INFER, message, grpc.StatusCode.DEADLINE_EXCEEDED)
    assert list(timing) == ["decode", "queue", "total"]


def test_a_stream_tells_the_sums_of_its_messages_at_its_end(connected: grpc.Channel) -> None:
    requests = [predict(), b"\xff", predict()] * 20
    responses = stream_method(connected)(iter(requests), metadata=ASKING, timeout=60)
    assert [response.WhichOneof("result") for response in responses] == [
        "response",
        "error",
        "response",
    ] * 20
    timing = timing_of(responses)
    assert list(timing) == STAGES
    assert sum(timing.values()) - timing["total"] <= timing["total"] + ROUNDING
    infers = connected.stream_stream(
        INFER_STREAM,
        request_serializer=protocol.ModelInferRequest.SerializeToString,
        response_deserializer=protocol.ModelStreamInferResponse.FromString,
    )
    inferred = infers(iter([infer()] * 3), metadata=ASKING, timeout=60)
    assert len(list(inferred)) == 3
    assert list(timing_of(inferred)) == STAGES
