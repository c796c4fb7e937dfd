"""The messages of health checks, beside the generated classes."""

import pytest
from grpc_health.v1 import health_pb2

from mlpserve import InvalidResponse
from mlpserve.protocol import health


def test_health() -> None:
    request = health_pb2.HealthCheckRequest.FromString(health.encode_health_request("a.b.C"))
    assert request.service == "a.b.C"
    status = health_pb2.HealthCheckResponse
    answers = {
        name: health.decode_health_response(status(status=name).SerializeToString())
        for name in dict(status.ServingStatus.items())
    }
    assert answers.pop("SERVING") is True
    assert len(answers) == 3
    assert not any(answers.values())
    with pytest.raises(InvalidResponse, match="not a valid HealthCheckResponse"):
        health.decode_health_response(b"\xff")
