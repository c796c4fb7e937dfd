"""The lines of calls: which there are, what they say, and what they never do."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from harness import http2
from harness.calls import (
    PREDICT,
    STREAM,
    predict,
    predict_method,
    raw_method,
    stream_method,
)
from harness.changes import write_changes
from harness.scrape import value
from harness.server_process import ROOT, ServerProcess, mode, start_server
from harness.waiting import wait_for
from mlpserve.inference import open_inference_pb2 as protocol
from mlpserve.v1.classifier_pb2 import ListModelsRequest, PredictRequest

ONE = PredictRequest(pixels_u8=bytes(784)).SerializeToString()
LIST_MODELS = "/mlpserve.v1.Classifier/ListModels"
HEALTH = "/grpc.health.v1.Health/Check"
INFER = "/inference.GRPCInferenceService/ModelInfer"


@pytest.fixture(scope="module")
def logging(
    models: Path, tmp_path_factory: pytest.TempPathFactory, lane: bool
) -> Iterator[ServerProcess]:
    """A server that logs every call and whatever else it can, however many in a second."""
    folder = tmp_path_factory.mktemp("logging") / "change"
    path = write_changes(
        folder, {"server.telemetry.recording": "ERROR_LINES = 10_000 * ERROR_LINES"}
    )
    arguments = ("--log-calls", "1", "--log-level", "debug", "--default-model", "digits")
    limit = ("--max-batch-size", "100")
    with start_server(models, *arguments, *limit, *mode(lane), PYTHONPATH=path) as running:
        yield running


@pytest.fixture(scope="module")
def connected(logging: ServerProcess) -> Iterator[grpc.Channel]:
    """A connection to it."""
    with grpc.insecure_channel(logging.grpc_address) as opened:
        yield opened


def calls_of(server: ServerProcess) -> list[dict[str, Any]]:
    return [line for line in server.log if line["event"] == "call"]


def line_of(server: ServerProcess, request_id: str) -> dict[str, Any]:
    """Wait for the line of a call."""
    wait_for(lambda: any(line.get("request_id") == request_id for line in list(server.log)))
    (line,) = (line for line in server.log if line.get("request_id") == request_id)
    return line


def named(request_id: str) -> dict[str, Any]:
    return {"metadata": (("x-request-id", request_id),), "timeout": 30}


def name_told(call: Any) -> str | bytes | None:
    return dict(call.trailing_metadata()).get("x-request-id")


def test_a_line_says_what_became_of_a_call(logging: ServerProcess, connected: grpc.Channel) -> None:
    message = PredictRequest(pixels_u8=bytes(784 * 3)).SerializeToString()
    metadata = (
        ("x-request-id", "a 3"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"),
    )
    _, call = predict_method(connected).with_call(message, metadata=metadata, timeout=60)
    line = line_of(logging, "a 3")
    assert 0 < line.pop("seconds") < 30
    assert line.pop("timestamp")
    assert line == {
        "event": "call",
        "level": "info",
        "worker": 0,
        "request_id": "a 3",
        # There are no traces, but its caller may have some.
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "method": "mlpserve.v1.Classifier/Predict",
        "code": "OK",
        "model": "digits",
        "version": 1,
        "images": 3,
    }
    assert name_told(call) == "a 3"


def test_lines_are_as_documented(logging: ServerProcess, connected: grpc.Channel) -> None:
    page = (ROOT / "docs" / "observability.md").read_text()
    fine, failed = (json.loads(line) for line in page.splitlines() if line.startswith("{"))
    predict_method(connected)(ONE, **named("fine"))
    with pytest.raises(grpc.RpcError):
        predict_method(connected)(
            PredictRequest(pixels_u8=b"1").SerializeToString(),
            metadata=(("x-request-id", "failed"), ("traceparent", f"00-{'1' * 32}-{'1' * 16}-00")),
        )
    for example, line in ((fine, line_of(logging, "fine")), (failed, line_of(logging, "failed"))):
        assert example.keys() == line.keys()
        for word in ("event", "level", "method", "code", "reason"):
            assert example.get(word) == line.get(word)


def test_each_kind_of_method_has_lines(logging: ServerProcess, connected: grpc.Channel) -> None:
    infer = protocol.ModelInferRequest(model_name="digits", raw_input_contents=[bytes(1568)])
    infer.inputs.add(name="pixels", datatype="UINT8", shape=[2, 784])
    for path, message, images in (
        (INFER, infer.SerializeToString(), 2),
        (LIST_MODELS, ListModelsRequest().SerializeToString(), None),
        (HEALTH, b"", None),
    ):
        _, call = raw_method(connected, path).with_call(message, **named(f"to {path}"))
        line = line_of(logging, f"to {path}")
        assert (line["method"], line["code"], line.get("images")) == (path[1:], "OK", images)
        assert name_told(call) == f"to {path}"
    requests = [PredictRequest(pixels_u8=bytes(784 * images)) for images in (1, 2, 3)]
    responses = stream_method(connected)(iter(requests), **named("a stream"))
    assert len(list(responses)) == 3
    assert name_told(responses) == "a stream"
    line = line_of(logging, "a stream")
    assert (line["code"], line["images"], line["model"]) == ("OK", 6, "digits")


def test_a_call_without_a_usable_name_gets_one(
    logging: ServerProcess, connected: grpc.Channel
) -> None:
    long = ",".join(["x" * 128] * 32)
    for name in (None, "", "x" * 129, f"{'x' * 129},y", f"{long},y"):
        metadata = () if name is None else (("x-request-id", name),)
        before = len(calls_of(logging))
        _, call = predict_method(connected).with_call(ONE, metadata=metadata, timeout=60)
        wait_for(lambda before=before: len(calls_of(logging)) > before)  # type: ignore[misc]
        assert len(calls_of(logging)[before]["request_id"]) == 32
        # It would cost, and tell the caller nothing to search by.
        assert name_told(call) is None
    # Python's gRPC would not send this, others do.
    for foreign in ("naïve".encode(), b"\xff\xfe"):
        before = len(calls_of(logging))
        with http2.connect(logging.grpc_address) as connection:
            end = connection.call(PREDICT, ONE, (b"x-request-id", foreign))
        assert b"grpc-status\x010" in end
        wait_for(lambda before=before: len(calls_of(logging)) > before)  # type: ignore[misc]
        assert calls_of(logging)[before]["code"] == "OK"
        assert calls_of(logging)[before]["request_id"].isalnum()
    longest = "x" * 128
    predict_method(connected)(ONE, **named(longest))
    assert line_of(logging, longest)["code"] == "OK"


def test_the_names_of_joined_calls_are_logged_and_not_sent_back(
    logging: ServerProcess, connected: grpc.Channel
) -> None:
    names = ",".join([f"{number:02}{'x' * 126}" for number in range(31)])
    _, call = predict_method(connected).with_call(ONE, **named(names))
    assert line_of(logging, names)["code"] == "OK"
    assert name_told(call) is None


BAD = {
    # name: path, message, code, reason, level
    "empty": (PREDICT, b"", "InvalidArgument", "no_pixels", "warning"),
    "unknown": (
        PREDICT,
        PredictRequest(model="none", pixels_u8=bytes(784)).SerializeToString(),
        "NotFound",
        "model_not_found",
        "warning",
    ),
    "infer": (INFER, b"", "InvalidArgument", "inputs", "warning"),
    "method": ("/mlpserve.v1.Classifier/None", b"", "Unimplemented", None, "warning"),
    "plain": (
        "/mlpserve.v1.Classifier/GetNetwork",
        b"\x0a\x04none",
        "NotFound",
        "model_not_found",
        "warning",
    ),
    "health": (HEALTH, b"\x0a\x01x", "NotFound", "unknown_service", "warning"),
}


def test_a_call_that_is_turned_away_has_a_line(repository: Path, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("caller: 0123456789abcdef0123456789abcdef\n")
    with (
        start_server(repository, "--tokens-file", str(tokens)) as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        for path in (PREDICT, LIST_MODELS, STREAM):
            with pytest.raises(grpc.RpcError) as caught:
                raw_method(channel, path)(b"", **named(f"no token {path}"))
            line = line_of(server, f"no token {path}")
            assert (line["code"], line["reason"]) == ("Unauthenticated", "no_token")
            assert name_told(caught.value) == f"no token {path}"


@pytest.mark.parametrize("what", BAD)
def test_an_error_says_its_reason(
    what: str, logging: ServerProcess, connected: grpc.Channel
) -> None:
    path, message, code, reason, level = BAD[what]
    with pytest.raises(grpc.RpcError) as caught:
        raw_method(connected, path)(message, **named(f"bad {what}"))
    line = line_of(logging, f"bad {what}")
    assert (line["code"], line.get("reason"), line["level"]) == (code, reason, level)
    assert line["method"] == path[1:]
    # gRPC itself answers those to no method at all.
    assert name_told(caught.value) == (None if what == "method" else f"bad {what}")


def test_a_share_of_the_calls_is_logged_and_errors_always_are(repository: Path) -> None:
    with (
        start_server(repository, "--log-calls", "0.2") as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        for index in range(300):
            predict(channel, ONE)
            if index % 100 == 0:
                with pytest.raises(grpc.RpcError):
                    predict(channel, b"")
        wait_for(lambda: sum(line["code"] != "OK" for line in calls_of(server)) == 3)
        # Of 300 with the chance 0.2, outside once in 10**9 times.
        assert 20 < sum(line["code"] == "OK" for line in calls_of(server)) < 110


def test_a_crowd_of_errors_has_few_lines_and_their_number(repository: Path) -> None:
    with (
        start_server(repository, "--log-calls", "0", "--log-level", "debug") as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        call = predict_method(channel)
        for _ in range(100):
            call(ONE, timeout=60)
        futures = [call.future(b"", timeout=60) for _ in range(500)]
        assert {future.code() for future in futures} == {grpc.StatusCode.INVALID_ARGUMENT}
        assert value(server, "grpc_server_handled_total", grpc_code="InvalidArgument") == 500
    assert {line["code"] for line in calls_of(server)} == {"InvalidArgument"}
    left_out = [line["calls"] for line in server.log if line["event"].startswith("calls ended")]
    # How many are left out depends on how long the calls took.
    assert len(calls_of(server)) + sum(left_out) == 500


LEVEL, FLOAT = 0x9D, 0.734512
MARKS = ("734512", "734.512")
"""The digits of that pixel, and of others that are too large or negative."""


def marked_requests() -> Iterator[tuple[str, bytes]]:
    """Requests with recognisable pixels, of which only the first two are good."""
    levels, floats = bytes([LEVEL]) * 784, [FLOAT] * 784
    good = PredictRequest(pixels=floats).SerializeToString()
    yield PREDICT, good
    yield PREDICT, PredictRequest(pixels_u8=levels).SerializeToString()
    yield PREDICT, good[:-2]
    yield PREDICT, good[1:]
    yield PREDICT, struct.pack("<784f", *floats)
    yield PREDICT, levels
    for request in (
        PredictRequest(pixels=floats[1:]),
        PredictRequest(pixels=[*floats[1:], 734.512]),
        PredictRequest(pixels=[*floats[1:], -FLOAT]),
        PredictRequest(pixels=[*floats[1:], float("nan")]),
        PredictRequest(pixels=floats, pixels_u8=levels),
        PredictRequest(pixels=floats * 101),
        PredictRequest(pixels=floats, model="small"),
        PredictRequest(pixels=floats, model="0.734512 " * 9),
        PredictRequest(pixels=floats, version=734512),
        PredictRequest(pixels=floats, label="0.734512"),
    ):
        yield PREDICT, request.SerializeToString()
    raw = np.full(784, FLOAT, "<f4").tobytes()
    for name, datatype, shape, content in (
        ("0.734512", "FP32", [1, 784], raw),
        ("pixels", "0.734512", [1, 784], raw),
        ("pixels", "FP32", [734512], raw),
        ("pixels", "FP32", [1, 784], raw[:-4] + struct.pack("<f", 734.512)),
        ("pixels", "UINT8", [1, 784], raw),
    ):
        infer = protocol.ModelInferRequest(model_name="digits", raw_input_contents=[content])
        infer.inputs.add(name=name, datatype=datatype, shape=shape)
        yield INFER, infer.SerializeToString()
    infer = protocol.ModelInferRequest(model_name="digits", model_version="0.734512")
    tensor = infer.inputs.add(name="pixels", datatype="UINT8", shape=[1, 784])
    tensor.contents.uint_contents.extend([734512] * 784)
    yield INFER, infer.SerializeToString()


def test_no_line_holds_pixels(logging: ServerProcess, connected: grpc.Channel) -> None:
    codes = []
    for index, (path, message) in enumerate(marked_requests()):
        try:
            raw_method(connected, path)(message, **named(f"marked {index}"))
            codes.append(grpc.StatusCode.OK)
        except grpc.RpcError as error:
            codes.append(error.code())
        # A whole stream of what is bad, as well.
        if path == PREDICT:
            list(stream_method(connected)(iter([message]), timeout=60))
        assert line_of(logging, f"marked {index}")
    assert codes[:2] == [grpc.StatusCode.OK] * 2
    assert grpc.StatusCode.OK not in codes[2:]
    numbers_of_ours = {"timestamp", "seconds", "request_id"}
    said = str(
        [{k: v for k, v in line.items() if k not in numbers_of_ours} for line in logging.log]
    )
    # As numbers, and as bytes in any of the ways in which Python shows them.
    for shown in (*MARKS, "\\x9d\\x9d", "157, 157", "9d9d", struct.pack("<f", FLOAT).hex()):
        assert shown not in said
