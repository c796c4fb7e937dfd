"""A server that reloads under load fails no call, gives no wrong answer and keeps its size."""

from pathlib import Path

from benchmarks.reloads import publish, reload_under_load
from harness.scrape import value
from harness.server_process import start_server

RELOADS = 40


def test_reloads_under_load(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    with start_server(tmp_path) as server:
        pid = server.process.pid
        outcome = reload_under_load(server.grpc_address, pid, tmp_path, RELOADS)
        assert (outcome.failed, outcome.lost, outcome.wrong) == ([], 0, 0)
        assert outcome.answered == outcome.sent > RELOADS
        assert len(outcome.versions) > RELOADS // 2
        assert outcome.growth < 0.1, outcome.memory
        assert value(server, "mlpserve_model_loads_total") == RELOADS + 1
        for _ in range(RELOADS):
            server.wait_for("model released")
        assert value(server, "mlpserve_model_info") == 1
