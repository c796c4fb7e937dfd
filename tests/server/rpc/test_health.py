"""Health, asked by its standard client."""

from pathlib import Path

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from harness.server_process import ServerProcess, start_server

SERVICE = "mlpserve.v1.Classifier"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def test_alive_and_ready(channel: grpc.Channel) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    for service in ("", SERVICE):
        request = health_pb2.HealthCheckRequest(service=service)
        assert stub.Check(request, timeout=60).status == SERVING


def test_ready_over_http(server: ServerProcess) -> None:
    for path, status in (("healthz", 200), ("readyz", 200), ("nothing", 404)):
        assert httpx.get(f"http://{server.http_address}/{path}", timeout=60).status_code == status


def test_watch_sees_readiness_end_before_the_port_closes(repository: Path) -> None:
    with start_server(repository, "--drain-delay-seconds", "600") as server:
        with grpc.insecure_channel(server.grpc_address) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            watch = stub.Watch(health_pb2.HealthCheckRequest(service=SERVICE))
            assert next(watch).status == SERVING
            server.process.terminate()
            assert next(watch).status == NOT_SERVING
            alive = stub.Check(health_pb2.HealthCheckRequest(service=""), timeout=60)
            assert alive.status == SERVING
            assert httpx.get(f"http://{server.http_address}/readyz", timeout=60).status_code == 503
            watch.cancel()
        # A second signal cuts the ten minutes of draining short.
        assert server.terminate() == 0


def test_idle_watchers_keep_no_thread(channel: grpc.Channel) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    request = health_pb2.HealthCheckRequest(service=SERVICE)
    # Far more than there are threads.
    watches = [stub.Watch(request) for _ in range(60)]
    assert [next(watch).status for watch in watches] == [SERVING] * 60
    assert stub.Check(health_pb2.HealthCheckRequest(), timeout=60).status == SERVING
    for watch in watches:
        watch.cancel()


def test_watchers_do_not_hold_up_a_stop(repository: Path) -> None:
    with (
        start_server(repository, "--stop-grace-seconds", "600") as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        stub = health_pb2_grpc.HealthStub(channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest(service=SERVICE))
        assert next(watch).status == SERVING
        assert server.terminate() == 0
        assert [response.status for response in watch] == [NOT_SERVING]


@pytest.mark.parametrize("attempt", range(2))
def test_watchers_that_leave_during_a_change_hang_nothing(repository: Path, attempt: int) -> None:
    with (
        start_server(repository) as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        stub = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest(service=SERVICE)
        watches = [stub.Watch(request) for _ in range(100)]
        assert {next(watch).status for watch in watches} == {SERVING}
        server.process.terminate()
        for watch in watches:
            watch.cancel()
        assert server.process.wait(60) == 0


def test_unknown_service(channel: grpc.Channel) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    request = health_pb2.HealthCheckRequest(service="nonsense")
    with pytest.raises(grpc.RpcError, match="'nonsense' is unknown; ask for mlpserve") as caught:
        stub.Check(request, timeout=60)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    watch = stub.Watch(request)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    watch.cancel()
