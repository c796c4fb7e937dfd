"""The server's stages are those of the calls between two pages of metrics."""

import re

import pytest

from mlpserve.bench.result import Protocol
from mlpserve.bench.stages import measure_stages, scrape
from mlpserve.metrics.exposition import Samples, parse

PREDICT = 'grpc_service="mlpserve.v1.Classifier",grpc_method="Predict"'
INFER = 'grpc_service="inference.GRPCInferenceService",grpc_method="ModelInfer"'


def histogram(name: str, labels: str, buckets: dict[str, int], total_seconds: float) -> str:
    """A histogram of worker 0 as a page has it, with counts up to each bound."""
    series = f'{{worker="0",{labels}'
    lines = [f'{name}_bucket{series},le="{bound}"}} {n}' for bound, n in buckets.items()]
    count = max(buckets.values())
    lines += [f"{name}_sum{series}}} {total_seconds}", f"{name}_count{series}}} {count}"]
    return "\n".join(lines) + "\n"


def page(calls: int, infer_calls: int = 0) -> Samples:
    """Calls of 1 to 2 ms each, half of whose time is the run's, and none of it encoding."""
    text = 'process_start_time_seconds{worker="0"} 1\n'
    for method, n in ((PREDICT, calls), (INFER, infer_calls)):
        buckets = {"0.001": 0, "0.002": n, "+Inf": n}
        text += histogram("grpc_server_handling_seconds", method, buckets, 0.0015 * n)
    n = calls + infer_calls
    text += histogram(
        "mlpserve_stage_seconds", 'stage="run"', {"0.001": n, "0.002": n, "+Inf": n}, 0.00075 * n
    )
    text += histogram("mlpserve_stage_seconds", 'stage="encode"', {"0.001": 0, "+Inf": 0}, 0)
    return parse(text)


def test_what_was_counted_before_is_left_out() -> None:
    handling, run = measure_stages(page(1000), page(1100), Protocol.PREDICT)
    assert (handling.name, handling.count) == ("handling", 100)
    assert handling.mean_seconds == pytest.approx(0.0015)
    assert handling.p50_seconds == pytest.approx(0.0015)
    assert handling.p99_seconds == pytest.approx(0.00199)
    assert (run.name, run.count) == ("run", 100)
    assert run.mean_seconds == pytest.approx(0.00075)


def test_quantiles_in_the_first_bucket_can_be_told() -> None:
    handling, run = measure_stages(page(0), page(100), Protocol.PREDICT)
    assert run.p50_seconds == pytest.approx(0.0005)
    assert run.p50_seconds is not None
    assert run.p50_seconds <= run.first_bound_seconds == 0.001
    assert handling.p50_seconds is not None
    assert handling.p50_seconds > handling.first_bound_seconds


def test_handling_is_that_of_the_protocol() -> None:
    stages = measure_stages(page(0, 0), page(5, 7), Protocol.INFER)
    assert [(stage.name, stage.count) for stage in stages] == [("handling", 7), ("run", 12)]


def test_without_calls_there_are_no_stages() -> None:
    assert measure_stages(page(5), page(5), Protocol.PREDICT) == ()


@pytest.mark.parametrize("address", ["localhost:1", "localhost", "http://"])
def test_without_a_page_a_line_says_why(address: str) -> None:
    line = scrape(address)
    assert isinstance(line, str)
    assert re.match("the server's stages are not shown: .*localhost", line)
    assert "\n" not in line
