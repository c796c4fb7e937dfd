"""The gRPC channel options of a client: sizes, retries, reconnection, pings and proxies."""

import json
from collections.abc import Mapping

from mlpserve.connection.address import needs_no_proxy
from mlpserve.v1 import classifier_pb2

Options = Mapping[str, int | str]
"""gRPC channel options by name."""

SERVICE = classifier_pb2.DESCRIPTOR.services_by_name["Classifier"].full_name
MAX_MESSAGE_BYTES = 64 * 1024 * 1024

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
