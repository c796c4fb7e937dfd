"""The gRPC server's options: sizes, bounds for connections, pings, and their age."""

import math

from server.settings.settings import Settings

STREAMS_PER_CONNECTION = 128
"""Calls that a connection may have at once; a client that follows HTTP/2 holds back further ones.

gRPC's default is unlimited: calls that are begun and reset, or begun and abandoned, then fill the
memory and delay everybody else's. 128 are enough for one connection to keep a worker busy.
"""

ENDED_STREAMS, ENDED_STREAMS_OF_THREADS = 128, 1000
"""Calls of a connection, beside these, that have ended for their caller but that the server has not
yet released: with the lane, and without it, where releasing takes longer.

gRPC refuses calls beyond this, which bounds calls that are reset at once. Its default is none: it
would silently refuse calls of a caller that stays within its limit.
"""

PENDING_CALLS = 10_000
"""Calls of a method that have arrived but not been accepted, over all connections.

By default gRPC silently cancels some once there are more than 1,000, uncounted; excess calls are to
be refused with a reason instead. Only a flood of connections has this many, and it would fill the
memory.
"""

KEEPALIVE_SECONDS, KEEPALIVE_TIMEOUT_SECONDS = 60.0, 20.0
"""Silence after which a connection is pinged, and how long the answer may take."""

MIN_CLIENT_PING_SECONDS = 10.0
"""Callers that ping more often are disconnected (GOAWAY too_many_pings)."""

_MAX_INTEGER = 2**31 - 1


def options(settings: Settings, has_lane: bool) -> tuple[tuple[str, int], ...]:
    """Return the gRPC server's options."""
    ended = ENDED_STREAMS if has_lane else ENDED_STREAMS_OF_THREADS
    age = settings.max_connection_age_seconds
    return (
        # The parent keeps everybody but its workers away from the port.
        ("grpc.so_reuseport", 1),
        # It would let every call send megabytes before they are asked for.
        ("grpc.http2.bdp_probe", 0),
        # Moderately oversized messages come through, to be refused with a remedy.
        (
            "grpc.max_receive_message_length",
            min(2 * settings.max_message_bytes, _MAX_INTEGER),
        ),
        ("grpc.max_send_message_length", settings.max_message_bytes),
        ("grpc.max_concurrent_streams", STREAMS_PER_CONNECTION),
        ("grpc.http2.max_deallocating_streams", ended),
        ("grpc.server.max_pending_requests", PENDING_CALLS),
        ("grpc.server.max_pending_requests_hard_limit", PENDING_CALLS),
        ("grpc.keepalive_time_ms", _milliseconds(KEEPALIVE_SECONDS)),
        # The second is the one that closes the connection; by default it is a minute.
        ("grpc.keepalive_timeout_ms", _milliseconds(KEEPALIVE_TIMEOUT_SECONDS)),
        ("grpc.http2.ping_timeout_ms", _milliseconds(KEEPALIVE_TIMEOUT_SECONDS)),
        # Without it, idle connections are not pinged, and a caller's pings on them count as abuse.
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        (
            "grpc.http2.min_ping_interval_without_data_ms",
            _milliseconds(MIN_CLIENT_PING_SECONDS),
        ),
        *((("grpc.max_connection_age_ms", _milliseconds(age)),) if age else ()),
    )


def _milliseconds(seconds: float) -> int:
    # Upwards, since 0 has a meaning of its own.
    return min(math.ceil(1000 * seconds), _MAX_INTEGER)
