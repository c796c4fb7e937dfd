"""The gRPC channel options of a client: sizes, retries, reconnection, pings and proxies."""

import json
from collections.abc import Mapping

from mlpserve.connection.address import may_have_several, needs_no_proxy
from mlpserve.v1 import classifier_pb2

Options = Mapping[str, int | str]
"""gRPC channel options by name."""

SERVICE = classifier_pb2.DESCRIPTOR.services_by_name["Classifier"].full_name
HEALTH_SERVICE = "grpc.health.v1.Health"
MAX_MESSAGE_BYTES = 64 * 1024 * 1024

MAX_RETRIES = 4
"""How often gRPC tries a call again at most: it takes no more than five attempts."""

_RETRY_POLICY = {
    "initialBackoff": "0.05s",
    "maxBackoff": "1s",
    "backoffMultiplier": 2,
    # A server that stops says CANCELLED to calls that it has not begun. RESOURCE_EXHAUSTED is left
    # to callers: one that is overloaded needs fewer calls, and messages don't get smaller.
    "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
}
# Of a thousand tokens each failure takes one and each success gives one; below half of them nothing
# is tried again. So a server that is gone gets few calls more than without retries, while a burst
# of calls that a restarting one drops is tried again. (gRPC takes a ratio without a point for
# thousandths.)
_RETRY_THROTTLING = {"maxTokens": 1000, "tokenRatio": 1.0}

CHANNEL_OPTIONS: Options = {
    "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
    "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
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
    # A name is looked up again when a connection is lost, but not more often than this. The
    # default, 30 s, is long when all of a name's servers have been replaced.
    "grpc.dns_min_time_between_resolutions_ms": 5_000,
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


def channel_options(
    address: str, options: Options, retries: int, is_token_readable: bool
) -> Options:
    """Return `CHANNEL_OPTIONS` with a caller's own, a service config, and without a proxy for
    addresses on this machine and for a token that is readable on its way.

    Raises ValueError when the caller's options send such a token through a proxy.
    """
    asked = next((name for name in _PROXIES if options.get(name)), None)
    if asked and is_token_readable:
        raise ValueError(
            f"token would be sent unencrypted through the proxy of the option {asked}; give tls=, "
            "or leave the option out"
        )
    is_direct = is_token_readable or (not asked and needs_no_proxy(address))
    config = {"grpc.service_config": service_config(address, retries)}
    return {**CHANNEL_OPTIONS, **config, **(_NO_PROXY if is_direct else {}), **options}


def service_config(address: str, retries: int) -> str:
    """Return gRPC's service config for calls to an address: that they are tried again, and go round
    over its servers if there may be several.
    """
    config: dict[str, object] = {}
    if retries:
        names = [{"service": SERVICE}, {"service": HEALTH_SERVICE}]
        policy = {"maxAttempts": 1 + retries, **_RETRY_POLICY}
        config["methodConfig"] = [{"name": names, "retryPolicy": policy}]
        config["retryThrottling"] = _RETRY_THROTTLING
    if may_have_several(address):
        config["loadBalancingConfig"] = [{"round_robin": {}}]
    return json.dumps(config)
