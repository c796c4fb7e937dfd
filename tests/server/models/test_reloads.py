"""A server that reloads under load fails no call and gives no wrong answer."""

from pathlib import Path

from harness.reloads import publish, reload_under_load
from harness.scrape import value
from harness.server_process import start_server

RELOADS = 8


def test_reloads_under_load(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    with start_server(tmp_path) as server:
        counts, _ = reload_under_load(server.grpc_address, tmp_path, RELOADS)
        counts.check()
        assert value(server, "mlpserve_model_loads_total") == RELOADS + 1
        for _ in range(RELOADS):
            server.wait_for("model released")
        assert value(server, "mlpserve_model_info") == 1
