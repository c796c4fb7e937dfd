"""Every panel's query, asked of a real Prometheus that watched a real server under a known load."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from exporter.network.network import Batch
from exporter.training.mnist import Labels
from server.telemetry.metrics import LATENCY_BUCKETS
from tests.deploy import asking, known_load
from tests.deploy.watched import CANARY, DASHBOARDS, PANELS, STABLE, Watched, watch
from tests.programs import need


@pytest.fixture(scope="module")
def images(digits: tuple[Batch, Labels]) -> Batch:
    return digits[0][:64]


@pytest.fixture(scope="module")
def watched(images: Batch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    need("openssl", "openssl")
    with watch(tmp_path_factory.mktemp("watched"), images) as watched:
        yield watched


@pytest.mark.parametrize("title", PANELS)
def test_panel_has_data(watched: Watched, title: str) -> None:
    board, panel = PANELS[title]
    names = []
    for target in panel.targets:
        answer = watched.ask(board, target.expression)
        assert answer, target.expression
        names += [target.name(series.labels) for series in answer]
    # A legend that calls two curves by one name, or one by none, tells nothing.
    if panel.kind not in ("heatmap", "table", "barchart"):
        assert all(names)
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_variables_have_values(watched: Watched, name: str) -> None:
    board = DASHBOARDS[name]
    for variable in board.variables:
        chosen = watched.chosen[board.uid]
        assert asking.options(watched.prometheus, variable, chosen), variable


@pytest.mark.parametrize("name", DASHBOARDS)
def test_marks_have_been_seen(watched: Watched, name: str) -> None:
    for expression in DASHBOARDS[name].marks.values():
        assert asking.ask(watched.prometheus, f"max_over_time(({expression})[1h:1s])"), expression


def test_each_call_is_counted_once(watched: Watched) -> None:
    by_method = Counter[str]()
    for (method, _), calls in watched.load.calls.items():
        by_method["other/other" if method.endswith("Nothing") else method] += calls
    assert watched.counted("service: Calls by method") == by_method
    assert watched.counted("service: Calls") == {"calls": by_method.total()}


def test_each_error_is_counted_once(watched: Watched) -> None:
    codes = Counter[str]()
    for (_, code), calls in watched.load.calls.items():
        codes[code] += calls
    answered = codes.pop("OK")
    assert watched.counted("service: Errors by code") == codes
    assert set(codes) >= {"InvalidArgument", "NotFound", "ResourceExhausted", "Unauthenticated"}
    assert watched.counted("slo: Server errors by code") == {"ResourceExhausted": 1}
    good = watched.measured("service: No server error")["answered"]
    assert good == pytest.approx(1 - 1 / (answered + codes.total()))


def test_each_image_is_counted_once(watched: Watched) -> None:
    by_version = watched.counted("model: Images by version")
    assert sum(by_version.values()) == watched.load.images
    assert all(by_version[name] for name in ("digits 1", "digits 2", "small 1"))
    assert by_version["digits 3"] == by_version["small 2"] == 0
    assert sum(watched.counted("model: Labels").values()) == watched.load.images


def test_quantiles_are_those_of_the_calls(watched: Watched) -> None:
    assert len(watched.seconds) == watched.load.calls[known_load.INFER, "OK"]
    shown = watched.measured("service: Duration", method="ModelInfer")
    assert set(shown) == {"p50", "p90", "p99", "p99.9"}
    for name, seconds in shown.items():
        exact = float(np.percentile(watched.seconds, float(name[1:]), method="inverted_cdf"))
        lower, upper = _bucket(exact)
        assert lower <= seconds <= upper, name


def test_the_heatmap_has_every_call(watched: Watched) -> None:
    board, panel = PANELS["service: Durations"]
    (target,) = panel.targets
    answer = watched.ask(board, target.expression, method="ModelInfer")
    buckets = {float(series.labels["le"]): series.value for series in answer}
    assert sorted(buckets) == [*LATENCY_BUCKETS, float("inf")]
    for bound, count in buckets.items():
        # The log has whole microseconds.
        least, most = (
            sum(seconds <= bound + error for seconds in watched.seconds) for error in (-1e-6, 1e-6)
        )
        assert least <= round(count) <= most


def test_each_prediction_is_counted_once(watched: Watched) -> None:
    answered, failed = Counter[str](), Counter[str]()
    for (model, version, _), calls in watched.load.answers.items():
        answered[f"{model} {version}"] += calls
    for (model, version, _), calls in watched.load.failures.items():
        failed[f"{model} {version}"] += calls
    assert set(answered) == {"digits 1", "digits 2", "small 1"}
    unused = {"digits 3": 0, "small 2": 0}
    assert watched.counted("service: Predictions by version") == answered + failed | unused
    assert watched.counted("service: Errors by version and code") == {
        f"{name} InvalidArgument": calls for name, calls in failed.items()
    }
    assert watched.measured("service: Errors by version") == pytest.approx(
        {name: failed[name] / (failed[name] + calls) for name, calls in answered.items()}
    )


@pytest.mark.parametrize("share", [0.5, 0.99])
def test_quantiles_of_versions_are_those_of_the_page(watched: Watched, share: float) -> None:
    shown = watched.measured(f"service: Duration by version (p{100 * share:.0f})")
    assert set(shown) == {"digits 1", "digits 2", "small 1"}
    for name, seconds in shown.items():
        model, version = name.split()
        exact = _quantile(watched, share, model=model, version=version)
        assert seconds == pytest.approx(exact, rel=1e-6), name


@pytest.mark.parametrize("version", ["1", "2"])
def test_stages_are_those_of_the_chosen_version(watched: Watched, version: str) -> None:
    means = {}
    for stage in ("decode", "queue", "run", "encode"):
        labels = {"model": "digits", "version": version, "stage": stage}
        seconds = watched.grown("mlpserve_stage_seconds_sum", **labels)
        means[stage] = seconds / watched.grown("mlpserve_stage_seconds_count", **labels)
    chosen = {"model": "digits", "version": version}
    shown = watched.measured("service: Where a call's time goes", **chosen)
    assert shown == pytest.approx(means, rel=1e-6)
    queued = watched.measured("service: Time queued by version")[f"digits {version}"]
    assert queued == pytest.approx(means["queue"], rel=1e-6)


@pytest.mark.parametrize(
    ("panel", "by_version"),
    [
        ("p50", "Duration by version (p50)"),
        ("p99", "Duration by version (p99)"),
        ("errors", "Errors by version"),
    ],
)
def test_canary_and_stable_are_what_their_versions_are(
    watched: Watched, panel: str, by_version: str
) -> None:
    exact = watched.measured(f"service: {by_version}")
    labelled = {"digits stable 1": "digits 1", "digits canary 2": "digits 2"}
    assert watched.measured(f"service: Canary against stable: {panel}") == {
        "small stable 1": exact["small 1"],
        **{label: exact[version] for label, version in labelled.items()},
    }


def test_more_than_chance_is_what_the_counts_say(watched: Watched) -> None:
    every = watched.earlier + watched.load
    table = []
    for label, version in (("stable", "1"), ("canary", "2")):
        which = f'model="digits", of="errors", version_label="{label}"'
        recorded = f"version_label:predictions:increase30m{{{which}}}"
        series = asking.ask(watched.prometheus, recorded, watched.settled)
        counts = {each.labels["outcome"]: each.value for each in series}
        table.append([counts["good"], counts["bad"]])
        answered = sum(n for (*its, _), n in every.answers.items() if its == ["digits", version])
        failed = every.failures["digits", version, "InvalidArgument"]
        # Prometheus takes counts to have grown until a moment after the last scrape, all alike.
        assert counts["bad"] / counts["good"] == pytest.approx(failed / answered, rel=0.02)
    exact = chi2_contingency(table, correction=False, lambda_="log-likelihood").statistic
    assert watched.measured("service: More than chance")["digits errors"] == pytest.approx(exact)
    firing = 'ALERTS{alertname="CanaryErrors", alertstate="firing"}'
    alerts = asking.ask(watched.prometheus, firing, watched.settled)
    assert [alert.labels["model"] for alert in alerts] == ["digits"]


def test_distance_of_labels_is_that_of_the_answers(watched: Watched, images: Batch) -> None:
    networks = {"1": STABLE, "2": CANARY}
    counts = {version: np.zeros(10) for version in networks}
    for (model, version, n), calls in (watched.earlier + watched.load).answers.items():
        if model == "digits":
            labels = networks[version].forward(images[:n])[-1].argmax(axis=1)
            counts[version] += calls * np.bincount(labels, minlength=10)
    stable, canary = (each / each.sum() for each in counts.values())
    exact = float(np.abs(stable - canary).sum()) / 2
    assert exact > 0.1
    shown = watched.measured("service: Differing labels: shares of each")
    assert shown == pytest.approx({"digits": exact}, rel=0.02)


def test_differing_labels_are_those_of_the_shadow(watched: Watched) -> None:
    shadowed, differing = (
        watched.grown(f"mlpserve_shadow_{what}images_total", model="digits", version="2")
        for what in ("", "differing_")
    )
    shown = watched.measured("service: Differing labels: same images")
    assert shown == pytest.approx({"digits canary 2": differing / shadowed})


def test_no_version_burns_the_budget_by_mistakes_of_callers(watched: Watched) -> None:
    names = {"digits 1", "digits 2", "small 1"}
    assert watched.measured("slo: Burn rate by version: availability") == dict.fromkeys(names, 0)
    latency = watched.measured("slo: Burn rate by version: latency")
    assert set(latency) == names
    assert all(0 <= burn <= 100 for burn in latency.values())


def _quantile(watched: Watched, share: float, **labels: str) -> float:
    """Read a quantile from the page's buckets, as Prometheus does."""
    lower, below = 0.0, 0.0
    name = "mlpserve_prediction_seconds"
    rank = share * watched.grown(f"{name}_count", **labels)
    for bound in LATENCY_BUCKETS:
        count = watched.grown(f"{name}_bucket", le=str(bound), **labels)
        if count >= rank:
            return lower + (bound - lower) * (rank - below) / (count - below)
        lower, below = bound, count
    return lower


def _bucket(seconds: float) -> tuple[float, float]:
    """Return the bounds of the bucket that counts it."""
    bounds = [0.0, *LATENCY_BUCKETS, float("inf")]
    return next(pair for pair in pairwise(bounds) if pair[0] < seconds <= pair[1])
