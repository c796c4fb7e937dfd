"""Waiting for the server, compression, and pings that servers allow."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import pytest

from harness.calls import error_info
from harness.calls import predict as predict_raw
from harness.server_process import ServerProcess, start_server
from harness.waiting import PATIENCE_SECONDS
from mlpserve import Client, DeadlineExceeded, Unavailable, aio
from mlpserve.connection.options import CHANNEL_OPTIONS
from mlpserve.v1.classifier_pb2 import PredictRequest
from server.rpc.listening import options as listening
from tests.mlpserve.connection.proxy import start_proxy
from tests.mlpserve.serving import Serving, start_serving

IMAGE = np.zeros(784, np.uint8)


def predict(address: str, is_aio: bool, **options: Any) -> int:
    """Return how many predictions one image gets from a client of one kind."""
    if not is_aio:
        with Client(address, **options) as client:
            return len(client.predict(IMAGE))

    async def ask() -> int:
        async with aio.Client(address, **options) as client:
            return len(await client.predict(IMAGE))

    return asyncio.run(ask())


KINDS = pytest.mark.parametrize("is_aio", [False, True], ids=["threads", "asyncio"])


@KINDS
def test_a_call_waits_for_the_server(silent_address: str, is_aio: bool) -> None:
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(
            predict, silent_address, is_aio, wait_for_ready=True, timeout_seconds=PATIENCE_SECONDS
        )
        # Whoever doesn't wait has failed meanwhile.
        with pytest.raises(Unavailable):
            predict(silent_address, is_aio)
        assert not waiting.done()
        with start_serving(address=silent_address):
            assert waiting.result(PATIENCE_SECONDS) == 1


@KINDS
def test_a_call_waits_no_longer_than_it_may(silent_address: str, is_aio: bool) -> None:
    with pytest.raises(DeadlineExceeded):
        predict(silent_address, is_aio, wait_for_ready=True, timeout_seconds=0.3)


def test_readiness_is_told_at_once(silent_address: str) -> None:
    with Client(
        silent_address, wait_for_ready=True, timeout_seconds=10 * PATIENCE_SECONDS
    ) as client:
        assert not client.is_ready()


@KINDS
@pytest.mark.parametrize("compression", [None, "gzip"])
def test_requests_are_compressed(
    is_aio: bool, compression: str | None, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    with start_proxy(serving.address) as proxy:
        monkeypatch.setenv("grpc_proxy", proxy.url)
        options = {"grpc.enable_http_proxy": 1}
        assert predict(serving.address, is_aio, compression=compression, options=options) == 1
        assert proxy.targets == [serving.address]
        # Black pixels go over the line as they are, or as a few bytes.
        assert (bytes(784) in proxy.sent) is (compression is None)


def test_the_server_takes_compressed_requests_within_its_bounds(servers: Any, lane: bool) -> None:
    server: ServerProcess = servers(lane)
    images = np.zeros((1000, 784), np.float32)
    with Client(server.grpc_address, compression="gzip") as client:
        assert len(client.predict(images)) == 1000
        assert client.list_models()


@pytest.mark.parametrize("is_on", [True, False], ids=["lane", "threads"])
def test_the_bound_is_of_what_messages_unpack_to(repository: Any, is_on: bool) -> None:
    arguments = ("--max-message-bytes", "100000", "--lane", "on" if is_on else "off")
    with (
        start_server(repository, *arguments) as server,
        grpc.insecure_channel(server.grpc_address, compression=grpc.Compression.Gzip) as channel,
    ):
        predict_raw(channel, PredictRequest(pixels_u8=bytes(100 * 784)))
        # A few hundred bytes on the line; beyond twice the bound gRPC itself refuses them.
        for n_images, reason in ((200, "MESSAGE_BYTES"), (10_000, "")):
            with pytest.raises(grpc.RpcError) as caught:
                predict_raw(channel, PredictRequest(pixels_u8=bytes(n_images * 784)))
            assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            if reason:
                assert error_info(caught.value).reason == reason
        predict_raw(channel, PredictRequest(pixels_u8=bytes(784)))


def test_pings_are_rarer_than_servers_allow() -> None:
    ping_seconds = int(CHANNEL_OPTIONS["grpc.keepalive_time_ms"]) / 1000
    assert ping_seconds >= listening.MIN_CLIENT_PING_SECONDS
    # What gRPC's servers allow if nobody says otherwise.
    assert ping_seconds > 300
    assert not CHANNEL_OPTIONS["grpc.keepalive_permit_without_calls"]
