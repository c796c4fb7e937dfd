"""Calls as spans, at a real collector: what is in them, who decides on them, what they cost."""

import contextlib
import math
import secrets
import socket
import sys
from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from harness.calls import PREDICT, predict_method, raw_method, stream_method
from harness.scrape import Exemplified, by_worker, exemplars, value
from harness.server_process import ServerProcess, mode, start_server
from harness.waiting import wait_for
from mlpserve.inference import open_inference_pb2 as protocol
from mlpserve.v1.classifier_pb2 import ListModelsRequest, PredictRequest
from modelfile.hints import command
from server.errors import StartupError
from server.settings.settings import Settings
from server.telemetry.metrics import LATENCY_BUCKETS
from server.telemetry.recording import make_recording
from tests.mlpserve.connection.proxy import start_proxy
from tests.server.faults import SLOW, Runs
from tests.server.telemetry.collector import SERVER, SOON, Collector, attributes, collecting

ONE = PredictRequest(pixels_u8=bytes(784)).SerializeToString()
STAGES = ["decode", "queue", "run", "encode"]


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """A collector of its own for the servers of this module."""
    with collecting() as running:
        yield running


@pytest.fixture(scope="module")
def traced(models: Path, runs: Runs, collector: Collector, lane: bool) -> Iterator[ServerProcess]:
    """A server that traces what its callers want traced, and nothing else."""
    arguments = ("--otlp-endpoint", collector.url, "--trace-sample-rate", "0", "--log-calls", "1")
    variables = {**SOON, **runs.variables}
    with start_server(
        models, "--default-model", "digits", *arguments, *mode(lane), **variables
    ) as running:
        yield running


@pytest.fixture(scope="module")
def connected(traced: ServerProcess) -> Iterator[grpc.Channel]:
    """A connection to it."""
    with grpc.insecure_channel(traced.grpc_address) as opened:
        yield opened


def new_trace() -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """A trace and a span of its own, and the metadata that names them as recorded."""
    trace_id, span_id = secrets.token_hex(16), secrets.token_hex(8)
    return trace_id, span_id, (("traceparent", f"00-{trace_id}-{span_id}-01"),)


def line_of(server: ServerProcess, trace_id: str) -> dict[str, Any]:
    """Wait for the line of a call, which is written after its answer."""
    wait_for(lambda: any(line.get("trace_id") == trace_id for line in list(server.log)))
    (line,) = (line for line in server.log if line.get("trace_id") == trace_id)
    return line


def test_a_call_is_a_span_with_its_stages_below(
    connected: grpc.Channel, collector: Collector, traced: ServerProcess
) -> None:
    trace_id, span_id, metadata = new_trace()
    metadata += (("tracestate", "vendor=value"), ("x-request-id", "its name"))
    message = PredictRequest(pixels_u8=bytes(784 * 3)).SerializeToString()
    _, call = predict_method(connected).with_call(message, metadata=metadata, timeout=60)
    span = collector.of_trace(trace_id)
    assert (span.name, span.parent_span_id.hex()) == ("mlpserve.v1.Classifier/Predict", span_id)
    assert (span.trace_state, span.status.code) == ("vendor=value", Status.STATUS_CODE_UNSET)
    assert attributes(span.attributes) == {
        "rpc.system": "grpc",
        "rpc.service": "mlpserve.v1.Classifier",
        "rpc.method": "Predict",
        "rpc.grpc.status_code": 0,
        "mlpserve.request_id": "its name",
        "mlpserve.model": "digits",
        "mlpserve.version": 1,
        "mlpserve.images": 3,
    }
    below = collector.below(span)
    assert list(below) == STAGES
    run = attributes(below["run"].attributes)
    assert run == {"mlpserve.run.calls": 1, "mlpserve.run.images": 3}
    # One after the other, within the call.
    times = [span.start_time_unix_nano]
    for name in STAGES:
        times += [below[name].start_time_unix_nano, below[name].end_time_unix_nano]
    times.append(span.end_time_unix_nano)
    assert all(earlier <= later for earlier, later in pairwise(times)), times
    # What the caller can find it by.
    assert (
        dict(call.trailing_metadata())["traceresponse"] == f"00-{trace_id}-{span.span_id.hex()}-01"
    )
    assert line_of(traced, trace_id)["request_id"] == "its name"


def test_every_kind_of_method_is_traced(
    connected: grpc.Channel, collector: Collector, traced: ServerProcess
) -> None:
    infer = protocol.ModelInferRequest(model_name="digits", raw_input_contents=[bytes(784)])
    infer.inputs.add(name="pixels", datatype="UINT8", shape=[1, 784])
    for path, message in (
        ("/inference.GRPCInferenceService/ModelInfer", infer.SerializeToString()),
        ("/mlpserve.v1.Classifier/ListModels", ListModelsRequest().SerializeToString()),
        ("/grpc.health.v1.Health/Check", b""),
    ):
        trace_id, _, metadata = new_trace()
        raw_method(connected, path)(message, metadata=metadata, timeout=60)
        span = collector.of_trace(trace_id)
        assert span.name == path[1:]
        assert list(collector.below(span)) == (STAGES if "Infer" in path else [])


def test_a_stream_is_one_span(connected: grpc.Channel, collector: Collector) -> None:
    trace_id, _, metadata = new_trace()
    requests = [PredictRequest(pixels_u8=bytes(784 * images)) for images in (1, 2, 3)] * 20
    responses = stream_method(connected)(iter(requests), metadata=metadata, timeout=60)
    assert len(list(responses)) == 60
    span = collector.of_trace(trace_id)
    assert attributes(span.attributes)["mlpserve.images"] == 120
    stages = [other for other in collector.spans if other.parent_span_id == span.span_id]
    # However many messages there are.
    assert len(stages) == 64
    assert {stage.name for stage in stages} == set(STAGES)
    assert "traceresponse" in dict(responses.trailing_metadata())


def test_errors_say_their_code_and_whose_fault_it_is(
    connected: grpc.Channel, collector: Collector
) -> None:
    for message, path, code, is_ours in (
        (b"", PREDICT, 3, False),
        (PredictRequest(model="none", pixels_u8=b"1").SerializeToString(), PREDICT, 5, False),
        (b"", "/mlpserve.v1.Classifier/Nothing", 12, True),
        (b"", "/of/no/form", 12, True),
    ):
        trace_id, _, metadata = new_trace()
        with pytest.raises(grpc.RpcError):
            raw_method(connected, path)(message, metadata=metadata, timeout=60)
        span = collector.of_trace(trace_id)
        assert attributes(span.attributes)["rpc.grpc.status_code"] == code
        assert (span.status.code == Status.STATUS_CODE_ERROR) == is_ours


def test_the_caller_decides(
    connected: grpc.Channel, collector: Collector, traced: ServerProcess
) -> None:
    trace_id, span_id, _ = new_trace()
    for parent in (f"00-{trace_id}-{span_id}-00", "", "00-nonsense-01", f"ff-{trace_id}-01"):
        predict_method(connected)(ONE, metadata=(("traceparent", parent),), timeout=60)
    # Spans come in the order of their calls.
    marker, _, marked = new_trace()
    predict_method(connected)(ONE, metadata=marked, timeout=60)
    collector.of_trace(marker)
    assert trace_id not in {span.trace_id.hex() for span in collector.spans}
    assert line_of(traced, trace_id)["code"] == "OK"


def test_each_worker_traces_at_the_rate_and_sends_all_spans_before_it_ends(
    repository: Path, collector: Collector
) -> None:
    arguments = ("--otlp-endpoint", collector.url, "--trace-sample-rate", "0.5", "--workers", "2")
    before = len(collector.resources)
    traces: list[str] = []
    with start_server(repository, *arguments, OTEL_SERVICE_NAME="its name") as server:
        workers = set(server.workers)

        def make_calls() -> bool:
            """Make 50 calls on a new connection; returns whether each worker has had some."""
            with grpc.insecure_channel(
                server.grpc_address, options=[("grpc.use_local_subchannel_pool", 1)]
            ) as channel:
                call = predict_method(channel)
                answers = [call.with_call(ONE, timeout=60)[1] for _ in range(50)]
            told = [dict(answer.trailing_metadata()) for answer in answers]
            found = [str(its["traceresponse"]).split("-")[1] for its in told if its]
            # All the same: once in 10**15 times.
            assert 0 < len(found) < 50
            traces.extend(found)
            started = by_worker(server, "grpc_server_started_total", grpc_method="Predict")
            return len([calls for calls in started.values() if calls]) == 2

        wait_for(make_calls)
    spans = {span.trace_id.hex(): span for span in collector.spans if span.kind == SERVER}
    assert spans.keys() >= set(traces)
    assert not any(spans[trace_id].parent_span_id for trace_id in traces)
    resources = collector.resources[before:]
    assert {its["process.pid"] for its in resources} == workers
    assert {its["service.name"] for its in resources} == {"its name"}


def exemplar_of(server: ServerProcess, trace_id: str, name: str) -> Exemplified:
    """Wait for the bucket of a histogram that has a call as its exemplar, which it may get after
    the answer; the exemplar's value must be one of that bucket.
    """
    found: list[Exemplified] = []

    def is_there() -> bool:
        found[:] = [
            its
            for its in exemplars(server)
            if its.name.startswith(name) and its.exemplar.labels["trace_id"] == trace_id
        ]
        return bool(found)

    wait_for(is_there)
    (only,) = found
    assert only.name == f"{name}_bucket"
    bound = bisect_left(LATENCY_BUCKETS, only.exemplar.value)
    assert float(only.labels["le"]) == (*LATENCY_BUCKETS, math.inf)[bound]
    return only


def test_a_traced_call_is_the_exemplar_of_its_bucket(
    connected: grpc.Channel, collector: Collector, traced: ServerProcess
) -> None:
    for path, message, method in (
        (PREDICT, ONE, "Predict"),
        # A failure takes its time, too.
        (PREDICT, b"", "Predict"),
        ("/grpc.health.v1.Health/Check", b"", "Check"),
        ("/of/no/form", b"", "other"),
    ):
        trace_id, _, metadata = new_trace()
        with contextlib.suppress(grpc.RpcError):
            raw_method(connected, path)(message, metadata=metadata, timeout=60)
        its = exemplar_of(traced, trace_id, "grpc_server_handling_seconds")
        assert its.labels["grpc_method"] == method
        assert round(its.exemplar.value, 6) == line_of(traced, trace_id)["seconds"]
        span_id = collector.of_trace(trace_id).span_id.hex()
        assert its.exemplar.labels == {"trace_id": trace_id, "span_id": span_id}


def test_a_traced_prediction_is_an_exemplar_of_its_version(
    connected: grpc.Channel, collector: Collector, traced: ServerProcess
) -> None:
    small = PredictRequest(model="small", pixels=[0.5] * 4)
    wrong = PredictRequest(model="small", pixels=[0.5] * 5)
    for send in (
        lambda its: predict_method(connected)(small.SerializeToString(), metadata=its, timeout=60),
        lambda its: predict_method(connected)(wrong.SerializeToString(), metadata=its, timeout=60),
        lambda its: list(stream_method(connected)(iter([small]), metadata=its, timeout=60)),
    ):
        trace_id, _, metadata = new_trace()
        with contextlib.suppress(grpc.RpcError):
            send(metadata)
        its = exemplar_of(traced, trace_id, "mlpserve_prediction_seconds")
        assert (its.labels["model"], its.labels["version"]) == ("small", "2")
        assert (
            its.exemplar.value
            <= exemplar_of(traced, trace_id, "grpc_server_handling_seconds").exemplar.value
        )
        assert its.exemplar.labels["span_id"] == collector.of_trace(trace_id).span_id.hex()


def test_only_open_metrics_has_exemplars(connected: grpc.Channel, traced: ServerProcess) -> None:
    trace_id, _, metadata = new_trace()
    predict_method(connected)(ONE, metadata=metadata, timeout=60)
    exemplar_of(traced, trace_id, "grpc_server_handling_seconds")
    assert {its.name.rpartition("_")[2] for its in exemplars(traced)} == {"bucket"}
    text = httpx.get(f"http://{traced.http_address}/metrics", timeout=60).text
    assert "trace_id" not in text
    assert value(traced, "grpc_server_handling_seconds_count", grpc_method="Predict") > 0


def test_a_call_that_is_not_traced_leaves_no_exemplar(
    connected: grpc.Channel, traced: ServerProcess
) -> None:
    trace_id, span_id, _ = new_trace()
    odd = (
        "",
        f"00-{trace_id}-{span_id}-00",
        f"00-{trace_id.upper()}ABCD-{span_id}-01",
        f'00-{trace_id}-{span_id}-01"}} 1',
        f'00-{trace_id}" # {{trace_id="{trace_id}"}} 1 1',
        "x" * 4096,
    )
    before = exemplars(traced)
    for number, traceparent in enumerate(odd):
        metadata = (("traceparent", traceparent), ("x-request-id", f"{trace_id} {number}"))
        predict_method(connected)(ONE, metadata=metadata, timeout=60)
    names = {f"{trace_id} {number}" for number in range(len(odd))}
    # The line of a call is written last.
    wait_for(lambda: names <= {line.get("request_id") for line in list(traced.log)})
    assert exemplars(traced) == before


def test_calls_that_share_a_run_name_each_other(
    connected: grpc.Channel, collector: Collector, traced: ServerProcess, runs: Runs, lane: bool
) -> None:
    message = PredictRequest(model=SLOW, pixels_u8=bytes(784)).SerializeToString()
    names = [new_trace() for _ in range(3)]
    call = predict_method(connected)
    with runs.held():
        first = call.future(message, timeout=60)
        runs.wait_until_begun()
        calls = [call.future(message, metadata=metadata, timeout=60) for _, _, metadata in names]
        if lane:
            wait_for(lambda: value(traced, "mlpserve_queued_images") == 3)
    for answered in (first, *calls):
        answered.result()
    spans = [collector.of_trace(trace_id) for trace_id, _, _ in names]
    for span in spans:
        run = collector.below(span)["run"]
        others = {other.span_id for other in spans if other is not span}
        assert {link.span_id for link in run.links} == (others if lane else set())
        size = 3 if lane else 1
        assert attributes(run.attributes) == {
            "mlpserve.run.calls": size,
            "mlpserve.run.images": size,
        }


def test_a_collector_that_is_down_costs_nothing(repository: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        arguments = ("--otlp-endpoint", endpoint, "--trace-sample-rate", "1")
        small = {**SOON, "OTEL_BSP_MAX_QUEUE_SIZE": "128"}
        with (
            start_server(repository, *arguments, **small) as server,
            grpc.insecure_channel(server.grpc_address) as channel,
        ):
            call = predict_method(channel)
            for _ in range(300):
                call(ONE, timeout=60)
            wait_for(lambda: any(line.get("logger") for line in server.log))
            lines = [line for line in server.log if line.get("logger")]
            assert {line["logger"].split(".")[0] for line in lines} == {"opentelemetry"}
            assert len(lines) < 10
    # It ended in order nevertheless.
    assert server.process.returncode == 0


def test_a_collector_on_this_machine_is_reached_without_a_proxy(
    repository: Path, collector: Collector
) -> None:
    with start_proxy(collector.url.removeprefix("http://")) as proxy:
        variables = {**SOON, "grpc_proxy": proxy.url, "no_proxy": "a.example"}
        arguments = ("--otlp-endpoint", collector.url, "--trace-sample-rate", "0")
        with (
            start_server(repository, *arguments, **variables) as server,
            grpc.insecure_channel(server.grpc_address) as channel,
        ):
            trace_id, _, metadata = new_trace()
            predict_method(channel)(ONE, metadata=metadata, timeout=60)
            collector.of_trace(trace_id)
        assert proxy.targets == []


def test_the_packages_are_needed_for_traces_alone(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It hides the real one, as if that were not installed.
    (tmp_path / "opentelemetry").mkdir()
    (tmp_path / "opentelemetry" / "__init__.py").touch()
    with (
        start_server(repository, PYTHONPATH=str(tmp_path)) as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        _, _, metadata = new_trace()
        predict_method(channel)(ONE, metadata=metadata, timeout=60)
    for name in [name for name in sys.modules if name.startswith("opentelemetry")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.delitem(sys.modules, "server.telemetry.tracing", raising=False)
    with pytest.raises(StartupError) as caught:
        make_recording(Settings(otlp_endpoint="http://127.0.0.1:4317"), "1.0")
    message = str(caught.value)
    assert message.startswith("otlp_endpoint is 'http://127.0.0.1:4317', but opentelemetry")
    install = command("pip install -r requirements/tracing.txt")
    assert f"{install}, or leave --otlp-endpoint out" in message
