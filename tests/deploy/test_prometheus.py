"""A real Prometheus with the shipped rules reads a real server, and says what was sent."""

import math
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from harness import certificate, scrape
from harness.calls import predict, predict_method
from harness.server_process import ServerProcess, start_server
from harness.waiting import PATIENCE_SECONDS, wait_for
from mlpserve.inference import open_inference_pb2
from mlpserve.v1 import classifier_pb2
from mlpserve.v1.classifier_pb2 import PredictRequest
from server.telemetry.codes import code_name
from tests.deploy import rules
from tests.deploy.alertmanager import Alertmanager, start_alertmanager
from tests.deploy.models import with_reference
from tests.deploy.prometheus import Prometheus, start_prometheus
from tests.server.telemetry.collector import SOON, Collector, collecting

ROUNDS = 50
IMAGES = 8
PREDICT = 'grpc_service="mlpserve.v1.Classifier", grpc_method="Predict"'
QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}
FLOOR = 1e-4
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}
SCRAPED = {"up"}
"""What Prometheus itself adds."""

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TRACED = (("traceparent", f"00-{TRACE_ID}-b7ad6b7169203331-01"),)


@dataclass(frozen=True, slots=True)
class Watched:
    """A server after known calls, of which one is traced, and who watches it."""

    server: ServerProcess
    collector: Collector
    prometheus: Prometheus
    alertmanager: Alertmanager


@pytest.fixture(scope="module")
def watched(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A server after some rounds of calls, watched from before the first.

    Some series are there only with TLS, a reference, and a version that can't be loaded.
    """
    folder = tmp_path_factory.mktemp("watched")
    its = certificate.make(folder)
    tls = ["--tls-certificate", str(its.certificate_file), "--tls-key", str(its.key_file)]
    labelled = ["--labels", "digits: stable 1"]
    models = with_reference(repository, folder / "repository")
    damaged = models / "digits" / "2" / "model.onnx"
    damaged.parent.mkdir()
    damaged.write_bytes(b"damaged")
    with (
        start_alertmanager(folder / "alertmanager") as alertmanager,
        collecting() as collector,
        start_server(
            models,
            *(*tls, *labelled, "--max-message-bytes", "8192"),
            *("--otlp-endpoint", collector.url, "--trace-sample-rate", "0"),
            **SOON,
        ) as server,
        start_prometheus(
            folder / "prometheus", server.http_address, alertmanager.address
        ) as prometheus,
        grpc.secure_channel(
            server.grpc_address, grpc.ssl_channel_credentials(its.certificate)
        ) as channel,
    ):
        # From what was there at first, nothing is known to have increased.
        prometheus.wait_for('up{job="mlpserve"} == 1')
        for _ in range(ROUNDS - 1):
            send_a_round(channel)
        send_a_round(channel, TRACED)
        # Until the rules, too, have seen all of it.
        count = f"sum(grpc_server_handled_total{{{PREDICT}}})"
        prometheus.wait_for(f"{count} == {3 * ROUNDS}")
        prometheus.wait_for(
            f"timestamp(slo:calls:rate5m) > {prometheus.value('vector(time())') + 1}"
        )
        yield Watched(server, collector, prometheus, alertmanager)


def send_a_round(channel: grpc.Channel, metadata: tuple[tuple[str, str], ...] = ()) -> None:
    """Send a call that is answered, one that is too large, and one that is the caller's mistake."""
    answered = PredictRequest(pixels_u8=bytes(784 * IMAGES)).SerializeToString()
    predict_method(channel)(answered, metadata=metadata, timeout=60)
    with pytest.raises(grpc.RpcError) as refused:
        predict(channel, PredictRequest(pixels_u8=bytes(784 * 12)))
    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    with pytest.raises(grpc.RpcError):
        predict(channel, PredictRequest())


def test_calls_are_counted_exactly(watched: Watched) -> None:
    codes = watched.prometheus.query(
        f"sum by (grpc_code) (grpc_server_handled_total{{{PREDICT}}}) > 0"
    )
    assert codes == {
        frozenset({("grpc_code", code)}): ROUNDS
        for code in ("OK", "ResourceExhausted", "InvalidArgument")
    }


@pytest.mark.parametrize("window", ["5m", "30m", "1h", "2h", "6h", "1d", "3d"])
def test_shares_of_bad_calls_are_those_sent(watched: Watched, window: str) -> None:
    """Longer windows are sums of what was recorded, of which some was in the middle of a round, and
    some when a cold server was slower.
    """
    ratio, tolerance = f"slo:sli_error:ratio_rate{window}", 1e-6 if window == "5m" else 0.1
    share = watched.prometheus.value(f'{ratio}{{job="mlpserve", slo="availability"}}')
    assert share == pytest.approx(1 / 3, rel=tolerance)
    calls = scrape.value(watched.server, "grpc_server_handling_seconds_count")
    fast = scrape.value(watched.server, "grpc_server_handling_seconds_bucket", le="0.005")
    share = watched.prometheus.value(f'{ratio}{{job="mlpserve", slo="latency"}}')
    if window == "5m":
        assert share == pytest.approx((calls - fast) / calls, rel=tolerance, abs=1e-9)
    assert 0 <= share <= 1


@pytest.mark.parametrize("name", QUANTILES)
def test_quantiles_are_those_of_the_page(watched: Watched, name: str) -> None:
    record = f"method:grpc_server_handling_seconds:{name}_rate5m"
    buckets = scrape.buckets(watched.server, "grpc_server_handling_seconds", grpc_method="Predict")
    recorded = watched.prometheus.value(f"{record}{{{PREDICT}}}")
    assert recorded == pytest.approx(quantile(buckets, QUANTILES[name]))


def quantile(buckets: dict[float, float], share: float) -> float:
    """Read a quantile from cumulative counts by their bounds, as Prometheus does."""
    rank = share * buckets[math.inf]
    lower, below = 0.0, 0.0
    for bound, count in sorted(buckets.items()):
        if count >= rank:
            return lower + (bound - lower) * (rank - below) / (count - below)
        lower, below = bound, count
    raise AssertionError("no bucket has as many")


@pytest.mark.parametrize("name", ["grpc_server_handling_seconds", "mlpserve_prediction_seconds"])
def test_a_bucket_leads_to_the_trace_of_a_call_in_it(watched: Watched, name: str) -> None:
    """The page shows it at every scrape: Prometheus stores it once, and refuses nothing."""
    prometheus, bucket = watched.prometheus, f"{name}_bucket"
    wait_for(lambda: bool(stored_exemplars(prometheus, bucket)))
    (shown,) = (its for its in scrape.exemplars(watched.server) if its.name == bucket)
    prometheus.wait_for(f"timestamp(up) > {prometheus.value('vector(time())') + 1}")
    ((le, exemplar),) = stored_exemplars(prometheus, bucket)
    assert le == float(shown.labels["le"])
    assert float(exemplar["value"]) == shown.exemplar.value
    assert exemplar["labels"] == shown.exemplar.labels
    span_id = watched.collector.of_trace(TRACE_ID).span_id.hex()
    assert exemplar["labels"] == {"trace_id": TRACE_ID, "span_id": span_id}
    own = prometheus.own_metrics()
    assert "\nprometheus_target_scrapes_exemplar_out_of_order_total 0\n" in own


def stored_exemplars(prometheus: Prometheus, bucket: str) -> list[tuple[float, dict[str, Any]]]:
    """Return the exemplars of a histogram that Prometheus has, and the bounds of their buckets:
    those that it has for the query of a panel.
    """
    now = prometheus.value("vector(time())")
    query = f"histogram_quantile(0.99, sum by (le) (rate({bucket}[5m])))"
    found = prometheus.get("query_exemplars", query=query, start=str(now - 3600), end=str(now + 60))
    return [
        (float(series["seriesLabels"]["le"]), exemplar)
        for series in found
        for exemplar in series["exemplars"]
    ]


def test_drift_is_that_of_the_images_sent(watched: Watched) -> None:
    seen, reference = (
        {
            (sample.labels["of"], sample.labels["bin"]): sample.value
            for family in scrape.families(watched.server)
            for sample in family.samples
            if sample.name == name
        }
        for name in ("mlpserve_drift_images_total", "mlpserve_drift_reference_ratio")
    )
    index: dict[str, float] = {}
    for (of, part), q in reference.items():
        q = max(q, FLOOR)
        p = max(seen[of, part] / (ROUNDS * IMAGES), FLOOR)
        index[of] = index.get(of, 0.0) + (p - q) * math.log(p / q)
    assert set(index) == {"labels", "winning_activation", "margin", "ink"}
    for of, expected in index.items():
        recorded = f'model:mlpserve_drift_psi:1h{{model="digits", version="1", of="{of}"}}'
        assert watched.prometheus.value(recorded) == pytest.approx(expected)


def test_what_rules_and_runbook_read_is_there(watched: Watched) -> None:
    families = scrape.families(watched.server)
    known = {family.name + end for family in families for end in SUFFIXES.get(family.type, ())}
    everything = rules.read_rules()
    known |= SCRAPED | {rule.record for rule in everything}
    read = {name for rule in everything for name in rules.metrics_in(rule.expression)}
    assert len(read) > 20
    assert read <= known
    assert {name for query in rules.queries() for name in rules.metrics_in(query)} <= known


def test_what_rules_select_is_spelt_as_the_server_spells_it(watched: Watched) -> None:
    """A misspelt code or method would select nothing, and say nothing."""
    families = scrape.families(watched.server)
    samples = [sample for family in families for sample in family.samples]
    bounds, shown = (
        {sample.labels[label] for sample in samples if label in sample.labels}
        for label in ("le", "grpc_code")
    )
    codes = {code_name(code) for code in grpc.StatusCode}
    assert len(codes & shown) > 5
    services = [
        *classifier_pb2.DESCRIPTOR.services_by_name.values(),
        *open_inference_pb2.DESCRIPTOR.services_by_name.values(),
    ]
    methods = {method.name for service in services for method in service.methods}
    assert selected("le") <= bounds
    assert selected("grpc_code") <= codes
    assert selected("grpc_service") == {service.full_name for service in services}
    assert selected("grpc_method") <= methods


def selected(label: str) -> set[str]:
    """Return the values of a label that rules select, or leave out."""
    matcher = re.compile(rf'{label}[!=]~?"(.+?)"')
    found = [values for rule in rules.read_rules() for values in matcher.findall(rule.expression)]
    assert found
    return {value for values in found for value in values.split("|")}


def test_rules_are_evaluated_without_errors(watched: Watched) -> None:
    groups = watched.prometheus.get("rules")["groups"]
    found = [rule for group in groups for rule in group["rules"]]
    assert len(found) > 40
    assert not [rule for rule in found if rule["health"] != "ok"]


@pytest.mark.parametrize("query", rules.queries())
def test_queries_of_the_runbook_can_be_asked(watched: Watched, query: str) -> None:
    watched.prometheus.query(query)


def test_nothing_is_wrong_but_what_is(watched: Watched) -> None:
    """A third of the calls was refused; how long the others took is the machine's matter.

    One version is damaged, so models are not what is on disk, and the certificate is for a day.
    """
    for name in ("AvailabilityBudgetBurn", "ReloadFailed"):
        watched.prometheus.wait_for(f'ALERTS{{alertname="{name}", alertstate="firing"}}')
    alerts = watched.prometheus.query('count by (alertname) (ALERTS{alertstate="firing"})')
    names = {name for labels in alerts for _, name in labels}
    assert names - {"LatencyBudgetBurn"} == {
        "AvailabilityBudgetBurn",
        "CertificateExpiring",
        "ModelLoadFailed",
        "ReloadFailed",
    }
    message = watched.alertmanager.wait_for("AvailabilityBudgetBurn", "firing")
    assert opens_runbook(watched, message["commonAnnotations"]["runbook_url"])


def opens_runbook(watched: Watched, url: str) -> bool:
    """Whether the URL that an alert names is that of a section, which this Prometheus serves."""
    page, _, anchor = url.partition("#")
    assert page == f"http://{watched.prometheus.address}/user/runbook.html"
    answer = httpx.get(page, timeout=PATIENCE_SECONDS).raise_for_status()
    return f'<h2 id="{anchor}">' in answer.text


def test_a_killed_server_is_told_of(watched: Watched) -> None:
    """The last test of this server."""
    watched.server.process.send_signal(signal.SIGKILL)
    watched.prometheus.wait_for('ALERTS{alertname="ServerDown", alertstate="firing"}')
    message = watched.alertmanager.wait_for("ServerDown", "firing")
    assert message["receiver"] == "page"
    (alert,) = message["alerts"]
    assert opens_runbook(watched, alert["annotations"]["runbook_url"])
    assert alert["annotations"]["description"].startswith("0 servers of job mlpserve")
