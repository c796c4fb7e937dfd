"""How a client reaches its server, and who may see its token."""

from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from mlpserve import Client, InvalidRequest, Tls, Unauthenticated
from mlpserve.connection import is_local
from mlpserve.v1 import classifier_pb2
from tests.mlpserve.serving import classify, start_serving

TOKEN = "0123456789abcdef"
IMAGE = np.zeros(784, np.float32)


def test_token_is_sent_with_each_call() -> None:
    sent: list[Any] = []

    def answer(request: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> Any:
        sent.append(dict(context.invocation_metadata()).get("authorization"))
        return classify(request)

    with start_serving(answer) as serving:
        with Client(serving.address, token=TOKEN) as client:
            client.predict(IMAGE)
            client.predict(IMAGE)
        with Client(serving.address) as client:
            client.predict(IMAGE)
    assert sent == [f"Bearer {TOKEN}"] * 2 + [None]


@pytest.mark.parametrize("address", ["classifier:50051", "10.0.0.1:50051", "localhost.evil:1"])
def test_token_is_not_sent_unencrypted_unless_allowed(address: str) -> None:
    with pytest.raises(ValueError, match="unencrypted; give tls=, or plaintext") as caught:
        Client(address, token=TOKEN)
    assert TOKEN not in str(caught.value)
    Client(address, token=TOKEN, tls=Tls()).close()
    Client(address, token=TOKEN, plaintext_token=True).close()
    Client(address).close()


@pytest.mark.parametrize("token", ["", "two words", TOKEN + "\n", "ümlaut"])
def test_token_that_is_none(token: str) -> None:
    with pytest.raises(ValueError, match="token is not a bearer token") as caught:
        Client("localhost:50051", token=token)
    assert not token or token not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("localhost:50051", True),
        ("localhost", True),
        ("127.0.0.1:50051", True),
        ("127.8.9.10:1", True),
        ("[::1]:50051", True),
        ("::1", True),
        ("ipv4:127.0.0.1:1,127.0.0.2:2", True),
        ("ipv6:[::1]:50051", True),
        ("dns:localhost:50051", True),
        ("dns:///localhost:50051", True),
        ("unix:/run/mlpserve.sock", True),
        ("unix:///run/mlpserve.sock", True),
        ("unix-abstract:mlpserve", True),
        ("0.0.0.0:50051", False),
        ("[::2]:50051", False),
        ("ipv4:127.0.0.1:1,10.0.0.1:2", False),
        ("dns:///localhost.example:50051", False),
        ("dns://1.1.1.1/localhost:50051", False),
        ("xds:///localhost", False),
        ("xds:localhost", False),
        ("", False),
    ],
)
def test_what_is_on_this_machine(address: str, local: bool) -> None:
    assert is_local(address) == local


def test_half_a_certificate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="tls has a key but no certificate; give both or neither"):
        Tls(key=b"key")
    with pytest.raises(ValueError, match="tls has a certificate but no key"):
        Tls(certificate=tmp_path)
    with pytest.raises(FileNotFoundError):
        Client("localhost:50051", tls=Tls(ca=tmp_path / "none"))


@pytest.mark.parametrize(
    ("code", "details", "error", "words"),
    [
        (
            grpc.StatusCode.UNAUTHENTICATED,
            "the call has no token",
            Unauthenticated,
            "refuses the call: the call has no token; give the client token=",
        ),
        (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "the message has 9 bytes, larger than max_message_bytes, 8; send fewer images",
            InvalidRequest,
            "^the message has 9 bytes, larger than max_message_bytes, 8; send fewer images$",
        ),
    ],
)
def test_refusals_are_explained(
    code: grpc.StatusCode, details: str, error: type[Exception], words: str
) -> None:
    def refuse(_request: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> Any:
        context.abort(code, details)

    with (
        start_serving(refuse) as serving,
        Client(serving.address) as client,
        pytest.raises(error, match=words),
    ):
        client.predict(IMAGE)
