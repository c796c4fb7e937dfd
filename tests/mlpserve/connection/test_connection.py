"""How a client reaches its server, and who may see its token."""

import contextlib
import re
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from mlpserve import Client, InvalidRequest, Tls, Unauthenticated
from mlpserve.connection.seconds import MAX_SECONDS
from mlpserve.protocol import wire
from mlpserve.v1 import classifier_pb2
from tests.mlpserve.serving import classify, start_serving

TOKEN = "0123456789abcdef"
IMAGE = np.zeros(784, np.float32)


def test_token_is_sent_with_each_call(connect: type[Client]) -> None:
    sent: list[Any] = []

    def answer(request: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> Any:
        sent.append(dict(context.invocation_metadata()).get("authorization"))
        return classify(request)

    with start_serving(answer) as serving:
        with connect(serving.address, token=TOKEN) as client:
            client.predict(IMAGE)
            client.predict(IMAGE)
        with connect(serving.address) as client:
            client.predict(IMAGE)
    assert sent == [f"Bearer {TOKEN}"] * 2 + [None]


@pytest.mark.parametrize("address", ["classifier:50051", "10.0.0.1:50051", "localhost.evil:1"])
def test_token_is_not_sent_unencrypted_unless_allowed(connect: type[Client], address: str) -> None:
    with pytest.raises(ValueError, match="unencrypted; give tls=, or plaintext") as caught:
        connect(address, token=TOKEN)
    assert TOKEN not in str(caught.value)
    connect(address, token=TOKEN, tls=Tls()).close()
    connect(address, token=TOKEN, plaintext_token=True).close()
    connect(address).close()


@pytest.mark.parametrize(
    ("token", "remedy"),
    [
        ("", "it is empty"),
        ("two words", "it may hold letters, digits"),
        ("ümlaut", "it may hold letters, digits"),
        (TOKEN + "\n", "leave these out, such as by .strip()"),
        (f"Bearer {TOKEN}", "leave out the word Bearer"),
        (f"ann: {TOKEN}", "what follows the colon alone"),
    ],
)
def test_token_that_is_none(connect: type[Client], token: str, remedy: str) -> None:
    with pytest.raises(ValueError, match="token is not a bearer token") as caught:
        connect("localhost:50051", token=token)
    assert remedy in str(caught.value)
    assert not token or token not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        ({"token": TOKEN.encode()}, "token is of the type bytes; give text"),
        ({"tls": True}, r"tls is True; give mlpserve.Tls\(\)"),
        ({"tls": "ca.pem"}, r"tls is 'ca.pem'; give mlpserve.Tls\(\), or mlpserve.Tls\(ca=FILE\)"),
    ],
)
def test_what_is_of_another_type(connect: type[Client], given: Any, remedy: str) -> None:
    with pytest.raises(TypeError, match=remedy):
        connect("localhost:50051", **given)


def test_files_of_tls_that_are_none(connect: type[Client], tmp_path: Path) -> None:
    file = tmp_path / "mine.pem"
    with pytest.raises(FileNotFoundError, match=f"ca can't be read: No such file.*{file}"):
        connect("localhost:50051", tls=Tls(ca=file))
    file.write_text("-----BEGIN PRIVATE KEY-----")
    with pytest.raises(ValueError, match=f"ca {file} has no certificate in it; give a PEM file"):
        connect("localhost:50051", tls=Tls(ca=file))
    with pytest.raises(ValueError, match="key has no private key in it; give a PEM file"):
        connect("localhost:50051", tls=Tls(certificate=b"-----BEGIN CERTIFICATE-----", key=b"k"))


def test_clients_share_no_connection(connect: type[Client]) -> None:
    peers: list[str] = []

    def answer(request: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> Any:
        peers.append(context.peer())
        return classify(request)

    with start_serving(answer) as serving, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(serving.address)) for _ in range(8)]
        for client in [*clients, *clients]:
            client.predict(IMAGE)
    assert len(set(peers)) == 8
    assert peers[:8] == peers[8:]


def test_clients_may_share_a_connection_when_told_to(connect: type[Client]) -> None:
    peers: set[str] = set()

    def answer(request: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> Any:
        peers.add(context.peer())
        return classify(request)

    options = {"grpc.use_local_subchannel_pool": 0}
    with (
        start_serving(answer) as serving,
        connect(serving.address, options=options) as first,
        connect(serving.address, options=options) as second,
    ):
        first.predict(IMAGE)
        second.predict(IMAGE)
    assert len(peers) == 1


NO_TIMES = [
    *(0, 0.0, -1, -1e-9, -np.inf, np.inf, np.nan, np.float32("nan"), 1e300, 10**400),
    *(MAX_SECONDS + 1, Fraction(-1, 3)),
]


@pytest.mark.parametrize("seconds", NO_TIMES, ids=lambda seconds: f"{seconds!s:.9}")
def test_times_that_no_call_can_take(connect: type[Client], seconds: float, client: Client) -> None:
    words = r"^timeout_seconds is .*; give seconds above 0 and up to 31536000, which is a year$"
    for take in (
        lambda: connect("localhost:1", timeout_seconds=seconds),
        lambda: client.predict(IMAGE, timeout_seconds=seconds),
        lambda: client.list_models(timeout_seconds=seconds),
        lambda: client.get_network(timeout_seconds=seconds),
        lambda: client.is_ready(timeout_seconds=seconds),
        lambda: client.wait_until_ready(seconds),
    ):
        with pytest.raises(ValueError, match=words):
            take()


@pytest.mark.parametrize("seconds", ["10", b"1", True, False, np.True_, [1], 1j, timedelta(1)])
def test_times_that_are_no_numbers(connect: type[Client], seconds: Any, client: Client) -> None:
    words = r"^timeout_seconds is .*; give seconds as a number, such as 10\.0$"
    for take in (
        lambda: connect("localhost:1", timeout_seconds=seconds),
        lambda: client.predict(IMAGE, timeout_seconds=seconds),
        lambda: client.wait_until_ready(seconds),
    ):
        with pytest.raises(TypeError, match=words):
            take()


@pytest.mark.parametrize("seconds", [30, 30.0, np.float32(30), np.int64(30), MAX_SECONDS])
def test_times_that_calls_can_take(connect: type[Client], seconds: float, client: Client) -> None:
    assert len(client.predict(IMAGE, timeout_seconds=seconds)) == 1
    with connect(client.address, timeout_seconds=seconds) as patient:
        assert len(patient.predict(IMAGE)) == 1


def test_no_limit_is_no_time(connect: type[Client]) -> None:
    with pytest.raises(TypeError, match="timeout_seconds is None; give seconds as a number"):
        connect("localhost:1", timeout_seconds=None)  # type: ignore[arg-type]


def test_half_a_certificate_is_refused(connect: type[Client], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="tls has a key but no certificate; give both or neither"):
        Tls(key=b"key")
    with pytest.raises(ValueError, match="tls has a certificate but no key"):
        Tls(certificate=tmp_path)
    with pytest.raises(FileNotFoundError):
        connect("localhost:50051", tls=Tls(ca=tmp_path / "none"))


@pytest.mark.parametrize(
    ("code", "details", "error", "words"),
    [
        (
            grpc.StatusCode.UNAUTHENTICATED,
            "the call has no token",
            Unauthenticated,
            "refuses the call: the call has no token; give Client\\(..., token=TOKEN\\)",
        ),
        (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "Received message larger than max",
            InvalidRequest,
            r"^the request or its answer is too large for 127\.0\.0\.1:\d+: Received message",
        ),
    ],
)
def test_refusals_are_explained(
    connect: type[Client], code: grpc.StatusCode, details: str, error: type[Exception], words: str
) -> None:
    def refuse(_request: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> Any:
        context.abort(code, details)

    with (
        start_serving(refuse) as serving,
        connect(serving.address) as client,
        pytest.raises(error, match=words),
    ):
        client.predict(IMAGE)


def large_network(_context: grpc.ServicerContext) -> bytes:
    """A network of 80 MB, as a server with a larger limit sends it."""
    neurons, inputs = 20_000, 1_000
    message = classifier_pb2.Layer(neurons=neurons, inputs=inputs, activation="relu")
    content = b"".join(
        [
            message.SerializeToString(),
            *wire.encode_tagged(classifier_pb2.Layer.WEIGHTS_FIELD_NUMBER, bytes(80_000_000)),
            *wire.encode_tagged(classifier_pb2.Layer.BIASES_FIELD_NUMBER, bytes(80_000)),
        ]
    )
    number = classifier_pb2.GetNetworkResponse.LAYERS_FIELD_NUMBER
    return b"".join(wire.encode_tagged(number, content))


def test_a_network_larger_than_a_message_says_how_to_get_it(connect: type[Client]) -> None:
    with start_serving(network=large_network) as serving:
        with connect(serving.address) as client, pytest.raises(InvalidRequest) as caught:
            client.get_network()
        found = re.fullmatch(
            r"the answer has (\d+) bytes, and this client takes at most 67108864; "
            r"give Client options=\{'grpc\.max_receive_message_length': (\d+)\}",
            str(caught.value),
        )
        assert found is not None
        size, limit = map(int, found.groups())
        assert limit == size > 80_000_000
        # What it says helps.
        with connect(serving.address, options={"grpc.max_receive_message_length": limit}) as client:
            (layer,) = client.get_network(timeout_seconds=60).layers
        assert layer.weights.shape == (20_000, 1_000)


def test_advice_on_predictions_stays_with_them(connect: type[Client]) -> None:
    options = {"grpc.max_send_message_length": 500, "grpc.max_receive_message_length": 40}
    with start_serving() as serving, connect(serving.address, options=options) as client:
        words = (
            r"^the request has 78\d bytes, and this client sends at most 500; send fewer images in "
            r"one call, or floats as uint8, or give Client options=\{'grpc\.max_send_"
        )
        with pytest.raises(InvalidRequest, match=words):
            client.predict(np.zeros(784, np.uint8))
    with (
        start_serving() as serving,
        connect(serving.address, options={"grpc.max_receive_message_length": 40}) as client,
        pytest.raises(
            InvalidRequest,
            match=r"^the answer has \d+ bytes, and this client takes at most 40; send",
        ),
    ):
        client.predict(IMAGE)
    with (
        start_serving(max_message_bytes=500) as serving,
        connect(serving.address) as client,
        pytest.raises(
            InvalidRequest, match=r"the server takes at most 500; .*--max-message-bytes$"
        ),
    ):
        client.predict(IMAGE)
