"""How a client reaches its server: with TLS or without, through a proxy or not, with which token
and for how long.
"""

import contextlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from os import PathLike
from pathlib import Path

import grpc

from mlpserve.address import is_local, needs_no_proxy
from mlpserve.v1 import classifier_pb2

Pem = str | PathLike[str] | bytes
"""A PEM file's path, or its content as bytes."""

Options = Mapping[str, int | str]
"""gRPC channel options by name."""

SERVICE = classifier_pb2.DESCRIPTOR.services_by_name["Classifier"].full_name
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
MAX_SECONDS = 365 * 24 * 3600
"""How long anything may take. Far more overflows in gRPC, and is over at once."""

_RETRY_POLICY = {
    "maxAttempts": 4,
    "initialBackoff": "0.05s",
    "maxBackoff": "1s",
    "backoffMultiplier": 2,
    # A server that stops says CANCELLED to calls that it has not begun.
    "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
}
_SERVICE_CONFIG = {"methodConfig": [{"name": [{"service": SERVICE}], "retryPolicy": _RETRY_POLICY}]}

CHANNEL_OPTIONS: Options = {
    "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
    "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
    "grpc.service_config": json.dumps(_SERVICE_CONFIG),
    # gRPC gives up retrying a call whose message does not fit: the default holds 83 images.
    "grpc.per_rpc_retry_buffer_size": 2 * MAX_MESSAGE_BYTES,
    # Otherwise all clients of a process share one connection, which has one worker behind it.
    "grpc.use_local_subchannel_pool": 1,
    # A restarted server is found again within a second; the default waits up to two minutes.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1_000,
    # What a connection may take to be made. The default, 20 s, outlasts a call's time when a server
    # that stops accepts a connection and never greets it.
    "grpc.min_reconnect_backoff_ms": 3_000,
    # By default servers hang up on who pings more than once in 300 s, or without a call.
    "grpc.keepalive_time_ms": 330_000,
    "grpc.keepalive_timeout_ms": 20_000,
    "grpc.keepalive_permit_without_calls": 0,
}
"""The gRPC channel options that every client starts from."""

_NO_PROXY: Options = {
    # Whatever grpc_proxy, https_proxy and http_proxy say.
    "grpc.enable_http_proxy": 0,
    # Whatever GRPC_ADDRESS_HTTP_PROXY says.
    "grpc.address_http_proxy_enabled_addresses": "",
}
_PROXIES = ("grpc.enable_http_proxy", "grpc.http_proxy", "grpc.address_http_proxy")

# What RFC 6750 lets a bearer token be.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")


@dataclass(frozen=True, slots=True)
class Tls:
    """Whom to trust and how to identify; each is a PEM file's path, or its content as bytes.

    Parameters
    ----------
    ca
        The authorities to trust; None for those that gRPC ships with.
    certificate, key
        The client certificate, for servers that ask for one; both or neither.
    """

    ca: Pem | None = None
    certificate: Pem | None = None
    key: Pem | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            given, missing = ("certificate", "key") if self.key is None else ("key", "certificate")
            raise ValueError(f"tls has a {given} but no {missing}; give both or neither")

    def credentials(self) -> grpc.ChannelCredentials:
        """Return them as gRPC takes them; raises OSError when a file can't be read."""
        return grpc.ssl_channel_credentials(
            _read(self.ca), _read(self.key), _read(self.certificate)
        )


def open_channel(address: str, tls: Tls | None, options: Options) -> grpc.Channel:
    """Return a connection to the address, which is made with the first call."""
    pairs = list(options.items())
    if tls is None:
        return grpc.insecure_channel(address, options=pairs)
    return grpc.secure_channel(address, tls.credentials(), options=pairs)


def channel_options(address: str, options: Options, is_token_readable: bool) -> Options:
    """Return `CHANNEL_OPTIONS` with a caller's own, and without a proxy for addresses on this
    machine and for a token that is readable on its way.

    Raises ValueError when the caller's options send such a token through a proxy.
    """
    asked = next((name for name in _PROXIES if options.get(name)), None)
    if asked and is_token_readable:
        raise ValueError(
            f"token would be sent unencrypted through the proxy of the option {asked}; give tls=, "
            "or leave the option out"
        )
    is_direct = is_token_readable or (not asked and needs_no_proxy(address))
    return {**CHANNEL_OPTIONS, **(_NO_PROXY if is_direct else {}), **options}


def token_metadata(token: str, address: str, is_safe: bool) -> tuple[tuple[str, str], ...]:
    """Return the call metadata that carries a token.

    Raises ValueError when it is malformed, or would be sent unencrypted: when the connection is not
    `is_safe` and leaves this machine.
    """
    if not _TOKEN.fullmatch(token):
        raise ValueError(
            "token is not a bearer token: it may hold letters, digits and . _ ~ + / -, and = at "
            "its end; is there a line end in it?"
        )
    if not is_safe and not is_local(address):
        raise ValueError(
            f"token would be sent to {address} unencrypted; give tls=, or plaintext_token=True if "
            "the network is safe"
        )
    return (("authorization", f"Bearer {token}"),)


def check_seconds(name: str, seconds: object, min_seconds: float = 0.0) -> float:
    """Return how long something may take, as a float.

    Raises TypeError when it is no number, and ValueError unless it is above 0, at least
    `min_seconds` and at most `MAX_SECONDS`.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, Real):
        raise TypeError(f"{name} is {seconds!r:.100}; give seconds as a number, such as 10.0")
    value = math.inf
    # An int may be too large for a float.
    with contextlib.suppress(OverflowError):
        value = float(seconds)
    # NaN fails each comparison.
    if 0 < value <= MAX_SECONDS and value >= min_seconds:
        return value
    least = f"from {min_seconds:g}" if min_seconds else "above 0 and"
    raise ValueError(
        f"{name} is {seconds!s:.20}; give seconds {least} up to {MAX_SECONDS}, which is a year"
    )


def _read(pem: Pem | None) -> bytes | None:
    return pem if pem is None or isinstance(pem, bytes) else Path(pem).read_bytes()
