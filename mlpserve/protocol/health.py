"""The messages of grpc.health.v1."""

import functools

from mlpserve.errors import InvalidResponse
from mlpserve.protocol import wire

CHECK = "/grpc.health.v1.Health/Check"

_HEALTH_SERVICE_FIELD = 1
_HEALTH_STATUS_FIELD = 1
_HEALTH_SERVING = 1


@functools.cache
def encode_health_request(service: str) -> bytes:
    """Return a serialized grpc.health.v1.HealthCheckRequest."""
    return b"".join(wire.encode_tagged(_HEALTH_SERVICE_FIELD, service.encode()))


def decode_health_response(message: bytes) -> bool:
    """Return whether a serialized grpc.health.v1.HealthCheckResponse says SERVING."""
    try:
        status = wire.read_integer(wire.read_fields(message), _HEALTH_STATUS_FIELD)
    except wire.WireError as error:
        raise InvalidResponse(f"the answer is not a valid HealthCheckResponse: {error}") from error
    return status == _HEALTH_SERVING
