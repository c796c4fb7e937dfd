"""Families keep what they hold on the way from one process to another, and on the page."""

from dataclasses import replace

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.parser import text_string_to_metric_families as parse
from prometheus_client.samples import Exemplar, Timestamp

from harness.scrape import open_metrics_families
from server.telemetry.families import Buckets, MetricFamily, adapt, exemplar, pack, page, unpack

ODD = 'a "quoted" \\ name\nof two lines ä'
COUNTER = MetricFamily("calls", "counter", ODD, ("name",))
WORKER = ("worker", "0")


def parsed(text: bytes) -> dict[tuple[str, tuple[str, ...]], float]:
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in parse(text.decode())
        for sample in family.samples
    }


def test_what_is_unpacked_is_what_was_packed() -> None:
    families = [
        MetricFamily("calls", "counter", ODD).with_samples([((), 2)], ("worker", ODD)),
        MetricFamily("none", "gauge", "No samples."),
    ]
    assert unpack(b"".join(pack(families))) == families


def test_a_page_joins_the_samples_of_several_processes() -> None:
    families = [COUNTER.with_samples([((ODD,), 1)], ("worker", worker)) for worker in "01"]
    text = page(families, open_metrics=False)
    assert parsed(text) == {("calls_total", (worker, ODD)): 1 for worker in "01"}
    assert text.count(b"# HELP calls_total ") == 1
    (family,) = open_metrics_families(page(families, True).decode())
    assert (family.name, family.type, family.documentation) == ("calls", "counter", ODD)


def test_a_histogram_has_a_line_for_each_bound() -> None:
    family = MetricFamily("seconds", "histogram", "Time.", ("stage",))
    buckets = Buckets(["0.5", "+Inf"], [2, 3], 7.5)
    assert parsed(page([family.with_histograms([(("run",), buckets)], WORKER)], False)) == {
        ("seconds_bucket", ("0", "run", "0.5")): 2,
        ("seconds_bucket", ("0", "run", "+Inf")): 3,
        ("seconds_count", ("0", "run")): 3,
        ("seconds_sum", ("0", "run")): 7.5,
    }


def test_buckets_alone_have_exemplars_and_only_in_open_metrics() -> None:
    looks_like_one = f"name{exemplar(1, 2, 0.25, 3)}"
    buckets = Buckets(["0.5", "+Inf"], [2, 3], 7.5)
    newest = replace(buckets, exemplars=["", exemplar(2**128 - 1, 1, 6.5, 1700000000.1234)])
    plain, exemplified = (
        MetricFamily("seconds", "histogram", "Time.", ("stage",)).with_histograms(
            [((looks_like_one,), each)], WORKER
        )
        for each in (buckets, newest)
    )
    assert page([exemplified], False) == page([plain], False)
    assert page([plain], True) == page([plain], False) + b"# EOF\n"
    (read,) = open_metrics_families(page(unpack(b"".join(pack([exemplified]))), True).decode())
    found = {sample.labels.get("le", sample.name): sample.exemplar for sample in read.samples}
    trace = {"trace_id": "f" * 32, "span_id": "0" * 15 + "1"}
    assert found.pop("+Inf") == Exemplar(trace, 6.5, Timestamp(1700000000, 123000000))
    assert found == dict.fromkeys(("0.5", "seconds_count", "seconds_sum"))
    assert {sample.labels["stage"] for sample in read.samples} == {looks_like_one}


def test_the_library_says_what_it_counts_and_no_more() -> None:
    registry = CollectorRegistry()
    Counter("calls", "Calls.", ("name",), registry=registry).labels(ODD).inc(3)
    Gauge("level", "Level.", registry=registry).set(0.5)
    assert parsed(page(adapt(registry, WORKER), False)) == {
        ("calls_total", ("0", ODD)): 3,
        ("level", ("0",)): 0.5,
    }
