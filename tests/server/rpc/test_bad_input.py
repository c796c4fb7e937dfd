"""Bad input gets the right status with details, is counted, and hurts nobody else."""

import math

import grpc
import numpy as np
import pytest

from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.calls import BLACK, error_info, predict, predict_method, violation
from harness.scrape import value
from harness.server_process import ServerProcess
from mlpserve.v1.classifier_pb2 import PredictRequest


def with_pixel(level: float, index: int) -> PredictRequest:
    """Two black images but for one pixel."""
    pixels = BLACK * 2
    pixels[index] = level
    return PredictRequest(pixels=pixels)


BAD = {
    # what is wrong: request, reason, field, words of the message
    "nothing": (PredictRequest(), "no_pixels", "pixels", "the batch is empty: send N x 784"),
    "both": (
        PredictRequest(pixels=BLACK, pixels_u8=bytes(784)),
        "both_forms",
        "pixels",
        "are both given; send one of them",
    ),
    "short": (
        PredictRequest(pixels=BLACK[1:]),
        "pixel_count",
        "pixels",
        "send 784 for each image, grey and 28 x 28",
    ),
    "long": (PredictRequest(pixels=[*BLACK, 0]), "pixel_count", "pixels", "has 785 values"),
    "short bytes": (
        PredictRequest(pixels_u8=bytes(783)),
        "pixel_count",
        "pixels_u8",
        "has 783 values",
    ),
    "too many": (
        PredictRequest(pixels_u8=bytes(784 * 1001)),
        "batch_size",
        "pixels_u8",
        "holds 1001 images, and one call may hold 1000; send several calls",
    ),
    "nan": (with_pixel(math.nan, 793), "not_finite", "pixels", "image 1, pixel 9 is nan"),
    "inf": (with_pixel(math.inf, 5), "not_finite", "pixels", "image 0, pixel 5 is inf"),
    "-inf": (with_pixel(-math.inf, 5), "not_finite", "pixels", "image 0, pixel 5 is -inf"),
    "255": (with_pixel(255, 783), "pixel_range", "pixels", "pixel 783 is 255; .*divide by 255"),
    "above": (with_pixel(1.001, 0), "pixel_range", "pixels", "image 0, pixel 0 is 1.001"),
    "below": (with_pixel(-0.5, 784), "pixel_range", "pixels", "image 1, pixel 0 is -0.5"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_named_and_counted(
    what: str, each_server: ServerProcess, each_channel: grpc.Channel
) -> None:
    request, reason, field, words = BAD[what]
    before = value(each_server, "mlpserve_rejected_requests_total", reason=reason)
    with pytest.raises(grpc.RpcError, match=words) as caught:
        predict(each_channel, request)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    found = violation(caught.value)
    assert (found.field, found.reason) == (field, reason.upper())
    assert found.description == caught.value.details()
    assert value(each_server, "mlpserve_rejected_requests_total", reason=reason) == before + 1
    assert predict(each_channel, PredictRequest(pixels=BLACK)).labels


NO_REQUESTS = {
    "truncated": PredictRequest(pixels=BLACK).SerializeToString()[:-100],
    "noise": b"\xff" * 64,
    "endless number": b"\x10" + b"\x80" * 11,
    "pixels of three bytes": b"\x1a\x03abc",
    "field number of 2^29": b"\x80\x80\x80\x80\x10\x01",
    "open group": b"\x4b",
}


@pytest.mark.parametrize("what", NO_REQUESTS)
def test_bytes_that_are_no_request(what: str, each_channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError, match=r"is not a mlpserve\.v1\.PredictRequest") as caught:
        predict(each_channel, NO_REQUESTS[what])
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert violation(caught.value).reason == "NOT_A_REQUEST"


FLOODS = {
    "versions": b"\x10\x01",
    "unknown fields": b"\x78\x01",
    "empty pieces of pixels": b"\x1a\x00",
    "groups": b"\x4b\x4c",
}


@pytest.mark.parametrize("what", FLOODS)
def test_floods_of_fields(what: str, server: ServerProcess, channel: grpc.Channel) -> None:
    reason = {"reason": "too_many_fields"}
    before = value(server, "mlpserve_rejected_requests_total", **reason)
    with pytest.raises(grpc.RpcError, match="more than the limit of 4096 for one call") as caught:
        predict(channel, FLOODS[what] * 30_000_000)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert violation(caught.value).reason == "TOO_MANY_FIELDS"
    assert value(server, "mlpserve_rejected_requests_total", **reason) == before + 1
    assert predict(channel, PredictRequest(pixels=BLACK)).labels


def test_groups_are_passed_over_as_unknown_fields(
    each_channel: grpc.Channel, digits: tuple[Batch, Labels]
) -> None:
    plain = PredictRequest(pixels=digits[0][0]).SerializeToString()
    nested = b"\x4b" * 100 + b"\x4c" * 100
    assert predict(each_channel, nested + plain + nested) == predict(each_channel, plain)


def test_unpacked_pixels_are_answered_like_packed_ones(
    channel: grpc.Channel, digits: tuple[Batch, Labels]
) -> None:
    images = np.ascontiguousarray(digits[0][:1000], "<f4")
    packed = predict(channel, PredictRequest(pixels=images.ravel()))
    unpacked = b"".join(b"\x1d" + pixel.tobytes() for pixel in images.ravel())
    assert predict(channel, unpacked) == packed


def test_long_names_are_not_found(each_channel: grpc.Channel) -> None:
    for request in (
        PredictRequest(model="x" * 100_000, pixels=BLACK),
        PredictRequest(label="x" * 100_000, pixels=BLACK),
    ):
        with pytest.raises(grpc.RpcError, match="xxx") as caught:
            predict(each_channel, request)
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_unknown_model_lists_what_is_loaded(each_channel: grpc.Channel) -> None:
    words = "model 'letters' is not loaded; name one of: digits"
    with pytest.raises(grpc.RpcError, match=words) as caught:
        predict(each_channel, PredictRequest(model="letters", pixels=BLACK))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    info = error_info(caught.value)
    assert (info.reason, info.domain) == ("MODEL_NOT_FOUND", "mlpserve")
    assert info.metadata == {"models": "digits"}


@pytest.mark.parametrize("version", [2, -1])
def test_unknown_version_lists_what_is_loaded(version: int, each_channel: grpc.Channel) -> None:
    words = f"has no version {version} loaded; ask for 1"
    with pytest.raises(grpc.RpcError, match=words) as caught:
        predict(each_channel, PredictRequest(version=version, pixels=BLACK))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    info = error_info(caught.value)
    assert info.reason == "VERSION_NOT_FOUND"
    assert info.metadata == {"model": "digits", "versions": "1"}


def test_message_beyond_the_limit_costs_only_its_call(each_channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError, match="larger than max") as caught:
        predict(each_channel, PredictRequest(pixels_u8=bytes(65 * 1024 * 1024)))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert predict(each_channel, PredictRequest(pixels=BLACK)).labels


def test_unknown_method_is_counted_under_one_name(
    each_server: ServerProcess, each_channel: grpc.Channel
) -> None:
    def count() -> float:
        labels = {"grpc_method": "other", "grpc_code": "Unimplemented"}
        return value(each_server, "grpc_server_handled_total", **labels)

    before = count()
    nonsense: grpc.UnaryUnaryMultiCallable[bytes, bytes]
    nonsense = each_channel.unary_unary("/mlpserve.v1.Classifier/Nonsense")
    with pytest.raises(grpc.RpcError) as caught:
        nonsense(b"", timeout=60)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert count() == before + 1


def test_neighbours_of_a_bad_call_are_unhurt(
    each_channel: grpc.Channel, digits: tuple[Batch, Labels]
) -> None:
    good = PredictRequest(pixels=digits[0][0]).SerializeToString()
    bad = PredictRequest(pixels=BLACK[1:]).SerializeToString()
    call = predict_method(each_channel)
    for future in [call.future(bad, timeout=60) for _ in range(100)]:
        neighbour = call.future(good, timeout=60)
        assert future.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert list(neighbour.result().labels) == [7]
