"""Texts of others: cut, cleaned and listed; statuses fit into trailers whatever they say."""

import random
import shutil
from collections.abc import Iterator
from urllib.parse import quote

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.export import graph, publishing
from harness.calls import PREDICT, raw_method, status, stream_method
from harness.networks import random_network
from harness.server_process import start_server
from mlpserve.inference import open_inference_pb2 as protocol
from mlpserve.v1 import classifier_pb2
from server.errors import (
    Cancelled,
    Expired,
    InvalidField,
    NotLoaded,
    NotReady,
    Overloaded,
    RequestError,
    TooLarge,
    Unauthenticated,
)
from server.rpc.status import MESSAGE_BYTES, Status, status_of
from server.texts import listed, shorten

MAX_SIZE = 4096
"""What a status may take of the 8 KiB that clients take as trailers."""

ODD = [
    "a" * 100_000,
    "é" * 100_000,
    "%" * 100_000,
    "𝄞" * 100_000,
    "\udcff" * 100_000,
    "a\0b\n\r\x1b[31m" * 10_000,
    "",
    "\ud800",
]
TEXTS = st.one_of(st.sampled_from(ODD), st.text(st.characters(), max_size=3000))


def wire_size(status: Status) -> int:
    """Return the bytes of a status as HTTP/2 counts headers: 32 for each, beside both texts."""
    ((key, content),) = status.trailing_metadata
    message = len(quote(status.details, safe="".join(map(chr, range(0x20, 0x7F))).replace("%", "")))
    return message + len("grpc-message") + 32 + len(content) * 4 // 3 + len(key) + 32


@settings(deadline=None)
@given(TEXTS, st.integers(4, 2000))
def test_what_is_shortened_fits_and_can_be_printed(text: str, size: int) -> None:
    shown = shorten(text, size)
    assert shown.isprintable()
    assert len(quote(shown, safe=" ")) <= max(size, 12) * 3
    assert len(shown.encode()) <= size
    if text.isascii() and text.isprintable() and "%" not in text and len(text) <= size:
        assert shown == text


def test_the_middle_is_left_out() -> None:
    text = f"model {'x' * 5000} is not loaded; name one of: digits"
    shown = shorten(text, 900)
    assert len(shown) == 900
    assert shown.startswith("model xxx")
    assert "x...x" in shown
    assert shown.endswith("name one of: digits")


ERRORS = [
    lambda text: InvalidField("shape", text, text),
    lambda text: NotLoaded("model_not_found", text, {"models": text, "versions": text}),
    lambda text: NotReady("not_ready", text),
    lambda text: Overloaded("queue_full", text),
    lambda text: TooLarge("message_bytes", text),
    lambda text: Unauthenticated("no_token", text),
    lambda text: Expired("deadline", text),
    lambda text: Cancelled("cancelled", text),
]


@pytest.mark.parametrize("make", ERRORS)
@settings(deadline=None, max_examples=30)
@given(TEXTS)
def test_every_status_fits_into_the_trailers(make: object, text: str) -> None:
    assert callable(make)
    error: RequestError = make(text)
    status = status_of(error)
    assert wire_size(status) < MAX_SIZE
    assert status.details.isprintable()
    found = status_pb2.Status.FromString(status.trailing_metadata[0][1])
    assert found.message == status.details
    assert (found.code, status.details != "") == (status.code.value[0], text != "")
    # In a stream it is part of a message.
    assert status.packed().value == status.trailing_metadata[0][1]


def test_a_status_that_can_not_be_made_is_internal() -> None:
    broken = Overloaded("queue_full", "retry later", retry_seconds=float("nan"))
    assert status_of(broken).code is grpc.StatusCode.INTERNAL
    assert status_of(RuntimeError("\ud800")).code is grpc.StatusCode.INTERNAL


def test_known_names_stay_whole_in_the_details() -> None:
    error = NotLoaded("model_not_found", "no", {"models": "digits, small"})
    found = status_pb2.Status.FromString(status_of(error).trailing_metadata[0][1])
    info = error_details_pb2.ErrorInfo()
    assert found.details[0].Unpack(info)
    assert dict(info.metadata) == {"models": "digits, small"}


def test_few_names_are_listed_as_they_are() -> None:
    assert listed(["digits", "small"], "digit") == "digits, small"
    assert listed([]) == ""
    assert len(shorten(listed(["x" * 255] * 10), MESSAGE_BYTES)) < MESSAGE_BYTES


@pytest.mark.parametrize("asked", ["modle-150", "Model-150", "model_150", "mode-150", "model-1500"])
def test_of_many_names_those_most_alike_come_first(asked: str) -> None:
    names = [f"model-{number:03d}" for number in range(300)]
    random.Random(0).shuffle(names)
    text = listed(names, asked)
    assert text.endswith(" and 290 more")
    assert "model-150" in text.split(", ")[:4]


@pytest.mark.parametrize("asked", ["", "x" * 100_000, "\ud800", "0"])
@pytest.mark.parametrize("count", [11, 300, 20_000])
def test_any_number_of_names_can_be_listed(asked: str, count: int) -> None:
    assert listed(map(str, range(count)), asked).endswith(f" and {count - 10} more")


MODELS = 100


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[grpc.Channel]:
    """A connection to a server of many models with long names."""
    folder = tmp_path_factory.mktemp("crowded")
    publishing.publish(graph.build(random_network((4, 3), seed=1)), folder, long_name(0), 1)
    for number in range(1, MODELS):
        shutil.copytree(folder / long_name(0), folder / long_name(number))
    with (
        start_server(folder, "--log-calls", "1") as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        yield channel


def long_name(number: int) -> str:
    return f"a-model-whose-name-is-long-enough-to-fill-trailers-soon-{number:03d}"


@pytest.mark.parametrize(
    "name",
    [long_name(7).replace("whose", "whoes"), "x" * 100_000, "\u00e9" * 50_000, "a\0\n" * 999],
)
def test_callers_are_told_that_a_model_is_not_there_whatever_its_name(
    crowded: grpc.Channel, name: str
) -> None:
    infer = protocol.ModelInferRequest(model_name=name, raw_input_contents=[bytes(4)])
    infer.inputs.add(name="pixels", datatype="UINT8", shape=[1, 4])
    request = classifier_pb2.PredictRequest(model=name, pixels_u8=bytes(4))
    calls: dict[str, Message] = {
        PREDICT: request,
        "/inference.GRPCInferenceService/ModelInfer": infer,
        "/inference.GRPCInferenceService/ModelMetadata": protocol.ModelMetadataRequest(name=name),
        "/mlpserve.v1.Classifier/GetNetwork": classifier_pb2.GetNetworkRequest(model=name),
    }
    for path, message in calls.items():
        with pytest.raises(grpc.RpcError) as caught:
            raw_method(crowded, path)(
                message.SerializeToString(),
                timeout=60,
                metadata=(("x-request-id", "i" * 128), ("x-server-timing", "1")),
            )
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        assert status(caught.value).message == caught.value.details()
        if name.startswith("a-model"):
            assert long_name(7) in (caught.value.details() or "")
        assert f"and {MODELS - 10} more" in (caught.value.details() or "")
    (response,) = stream_method(crowded)(iter([request]), timeout=60)
    found = status_pb2.Status.FromString(response.error.value)
    assert found.code == grpc.StatusCode.NOT_FOUND.value[0]
    assert len(response.SerializeToString()) < MAX_SIZE


def test_health_of_a_service_with_any_name_is_not_found(crowded: grpc.Channel) -> None:
    for name in ("x" * 100_000, "\u00e9" * 50_000):
        request = health_pb2.HealthCheckRequest(service=name)
        with pytest.raises(grpc.RpcError) as caught:
            health_pb2_grpc.HealthStub(crowded).Check(request, timeout=60)
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
