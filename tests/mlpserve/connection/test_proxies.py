"""With a proxy in the environment: which calls go through it, and that no readable token does."""

import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest

from harness import certificate
from harness.server_process import ROOT, environment
from mlpserve import Client, Tls, Unavailable
from tests.mlpserve.connection.proxy import Proxy, start_proxy
from tests.mlpserve.serving import Serving, start_serving

IMAGE = np.zeros(784, np.uint8)
TOKEN = "0123456789abcdef"
VARIABLES = ("grpc_proxy", "https_proxy", "http_proxy")
AWAY = "classifier.invalid:50051"
"""A name that has no address, so that only a proxy can reach it."""


@pytest.fixture
def proxy(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy that all variables name, and none excludes anything from."""
    with start_proxy(serving.address) as running:
        for name in (*VARIABLES, "all_proxy"):
            monkeypatch.setenv(name, running.url)
            monkeypatch.setenv(name.upper(), running.url)
        for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
            monkeypatch.delenv(name, raising=False)
        yield running


def port_of(serving: Serving) -> str:
    return serving.address.rpartition(":")[2]


@pytest.mark.parametrize(
    "target",
    [
        *("localhost:{}", "LOCALHOST:{}", "127.0.0.1:{}", "0.0.0.0:{}", "[::ffff:127.0.0.1]:{}"),
        *("dns:localhost:{}", "dns:///localhost:{}", "dns:/localhost:{}", "dns:///127.0.0.1:{}"),
        *("ipv4:127.0.0.1:{}", "ipv4:///127.0.0.1:{}", "ipv4:127.0.0.1:{},127.0.0.1:{}"),
    ],
)
def test_this_machine_is_reached_without_it(target: str, serving: Serving, proxy: Proxy) -> None:
    with Client(target.replace("{}", port_of(serving))) as client:
        assert len(client.predict(IMAGE)) == 1
    assert proxy.targets == []


def test_a_socket_is_reached_without_it(tmp_path: Path, proxy: Proxy) -> None:
    for address in (f"unix:{tmp_path}/s", f"unix-abstract:mlpserve-{secrets.token_hex(8)}"):
        with start_serving(address=address), Client(address, token=TOKEN) as client:
            assert len(client.predict(IMAGE)) == 1
    assert proxy.targets == []


@pytest.mark.parametrize("name", VARIABLES)
def test_each_variable_counts_for_other_machines(
    name: str, proxy: Proxy, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in VARIABLES:
        if other != name:
            monkeypatch.delenv(other)
    with Client(AWAY) as client:
        assert len(client.predict(IMAGE)) == 1
    assert proxy.targets == [AWAY]
    with Client(serving.address, token=TOKEN) as client:
        client.predict(IMAGE)
    assert proxy.targets == [AWAY]


def test_the_proxy_of_addresses(
    serving: Serving, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GRPC_ADDRESS_HTTP_PROXY", proxy.url.removeprefix("http://"))
    monkeypatch.setenv("GRPC_ADDRESS_HTTP_PROXY_ENABLED_ADDRESSES", "127.0.0.0/8")
    with Client(serving.address, token=TOKEN) as client:
        client.predict(IMAGE)
    assert proxy.targets == []


def test_a_readable_token_goes_through_no_proxy(proxy: Proxy) -> None:
    with (
        Client(AWAY, token=TOKEN, plaintext_token=True) as client,
        pytest.raises(Unavailable, match=r"classifier\.invalid"),
    ):
        client.predict(IMAGE)
    assert not proxy.targets
    assert not proxy.sent


@pytest.mark.parametrize(
    "option",
    [
        {"grpc.enable_http_proxy": 1},
        {"grpc.http_proxy": "http://127.0.0.1:1"},
        {"grpc.address_http_proxy": "127.0.0.1:1"},
    ],
)
@pytest.mark.parametrize("address", ["localhost:50051", "unix:/s", AWAY])
def test_a_readable_token_is_refused_with_a_proxy_of_its_own(
    address: str, option: dict[str, int | str]
) -> None:
    with pytest.raises(ValueError, match=r"the proxy of the option .*; give tls=") as caught:
        Client(address, token=TOKEN, plaintext_token=True, options=option)
    assert TOKEN not in str(caught.value)
    Client(address, token=TOKEN, tls=Tls(), options=option).close()


def test_a_proxy_can_be_asked_for(serving: Serving, proxy: Proxy) -> None:
    with Client(serving.address, options={"grpc.enable_http_proxy": 1}) as client:
        client.predict(IMAGE)
    assert proxy.targets == [serving.address]


def test_an_encrypted_token_goes_through_a_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = certificate.make(tmp_path)
    credentials = grpc.ssl_server_credentials([(identity.key, identity.certificate)])
    tls, options = Tls(ca=identity.certificate), {"grpc.ssl_target_name_override": "localhost"}
    with start_serving(credentials=credentials) as serving, start_proxy(serving.address) as proxy:
        for name in ("no_proxy", "no_grpc_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("grpc_proxy", proxy.url)
        with Client(AWAY, token=TOKEN, tls=tls, options=options) as client:
            assert len(client.predict(IMAGE)) == 1
        assert proxy.targets == [AWAY]
        # What a TLS handshake begins with.
        assert proxy.sent[:1] == b"\x16"
        with Client(serving.address, token=TOKEN, tls=tls) as client:
            assert len(client.predict(IMAGE)) == 1
        assert proxy.targets == [AWAY]


def test_what_harness_starts_reaches_this_machine_without_it(
    serving: Serving, proxy: Proxy
) -> None:
    code = (
        "import sys, grpc, harness\n"
        "with grpc.insecure_channel(sys.argv[1]) as channel:\n"
        "    channel.unary_unary('/mlpserve.v1.Classifier/Predict')(b'', timeout=60)\n"
    )
    for excluded in ({}, {"no_proxy": "a.example"}, {"no_grpc_proxy": "a.example"}):
        command = [sys.executable, "-c", code, serving.address]
        subprocess.run(command, cwd=ROOT, env=environment(**excluded), timeout=60, check=False)
    assert proxy.targets == []
    assert len(serving.requests) == 3
