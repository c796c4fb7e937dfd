"""What the dashboard of the service shows of single versions, and of the canary beside stable."""

from collections.abc import Sequence

from deploy.grafana.panels import Panel, high_is_bad, lines
from deploy.grafana.promql import INSTANCES, WORKERS, mean, quantile, rate, rate_of_used
from deploy.grafana.units import BARE, PER_SECOND, SECONDS, SHARE

MODELS = f'{WORKERS}, model=~"$model"'
VERSIONS = f'{MODELS}, version=~"$version"'
"""Which series the variables choose; canary and stable are beside each other whatever is chosen."""

BY_VERSION, VERSION = "model, version", "{{model}} {{version}}"

PREDICTIONS, DURATIONS = "mlpserve_predictions_total", "mlpserve_prediction_seconds"
FAILED = 'grpc_code!~"OK|Canceled"'
"""Who cancels does not wait for the answer: that says nothing of the version."""

LABELLED_VERSION = "{{model}} {{version_label}} {{version}}"


def by_version() -> Sequence[Panel]:
    """Return what tells the chosen versions apart."""
    return [
        lines(
            "Predictions by version",
            "Calls, and messages of streams, that each version answers or fails per second. With "
            "weights for several versions, it shows whether each gets its part.",
            {VERSION: rate(PREDICTIONS, VERSIONS, BY_VERSION)},
            unit=PER_SECOND,
        ),
        lines(
            "Errors by version",
            "Share of each version's predictions that end with a code other than OK; those that "
            "callers cancel are left out. When one version alone is high: take it out of the "
            "traffic. When all are: see the callers, and the errors by code.",
            {VERSION: _error_share(VERSIONS)},
            unit=SHARE,
            steps=high_is_bad(0.001, 0.01),
        ),
        lines(
            "Errors by version and code",
            "Predictions per second that end with a code other than OK. Internal and Unknown are "
            "the version's or the server's: see the log. InvalidArgument: it may expect a "
            "different size of images than the one before.",
            {
                f"{VERSION} {{{{grpc_code}}}}": rate_of_used(
                    PREDICTIONS, f'{VERSIONS}, grpc_code!="OK"', f"{BY_VERSION}, grpc_code"
                )
            },
            unit=PER_SECOND,
        ),
        lines(
            "Duration by version (p50)",
            "Half of each version's predictions take no longer, from their arrival at the server "
            "to the answer. When one version is high: its network is larger, or its batches are.",
            {VERSION: quantile("0.5", DURATIONS, VERSIONS, BY_VERSION)},
            unit=SECONDS,
            is_logarithmic=True,
        ),
        lines(
            "Duration by version (p99)",
            "99% of each version's predictions take no longer. When one version alone is high: "
            "choose it above, and see where a call's time goes.",
            {VERSION: quantile("0.99", DURATIONS, VERSIONS, BY_VERSION)},
            unit=SECONDS,
            is_logarithmic=True,
        ),
        lines(
            "Time queued by version",
            "Mean time that an answered call of each version waited for its run. Models take "
            "turns: when one waits longer than others, more arrives for it than it can run.",
            {VERSION: mean("mlpserve_stage_seconds", f'{VERSIONS}, stage="queue"', BY_VERSION)},
            unit=SECONDS,
        ),
    ]


def canary() -> Sequence[Panel]:
    """Return what compares the versions that the labels canary and stable point to."""
    shadowed, differing = (
        rate(f"mlpserve_shadow_{what}images_total", MODELS, BY_VERSION)
        for what in ("", "differing_")
    )
    return [
        lines(
            "Canary against stable: p50",
            "Half of the predictions of the versions with these labels take no longer; empty "
            "without such labels. A canary with little traffic runs fewer calls together, and may "
            "be the faster one.",
            {LABELLED_VERSION: _labelled(quantile("0.5", DURATIONS, MODELS, BY_VERSION))},
            unit=SECONDS,
        ),
        lines(
            "Canary against stable: p99",
            "99% of the predictions take no longer. When the canary's is higher for long: see "
            "below whether it is chance, then take it out of the traffic, as the runbook says at "
            "CanaryLatency.",
            {LABELLED_VERSION: _labelled(quantile("0.99", DURATIONS, MODELS, BY_VERSION))},
            unit=SECONDS,
        ),
        lines(
            "Canary against stable: errors",
            "Share of the predictions that end with a code other than OK, without those that "
            "callers cancel. When the canary's is higher for long: take it out of the traffic, as "
            "the runbook says at CanaryErrors.",
            {LABELLED_VERSION: _labelled(_error_share(MODELS))},
            unit=SHARE,
        ),
        lines(
            "More than chance",
            "How sure it is that the canary is worse, by half an hour's predictions: G, which "
            "chance hardly ever makes more than 20, of its errors, and of durations if its p99 is "
            "higher. When it stays above: take the canary out of the traffic. Below 0 it fails "
            "less often than stable.",
            {
                "{{model}} errors": _of_models("canary:predictions:g30m", ', of="errors"'),
                "{{model}} p99": _of_models("canary:slower_predictions:g30m"),
            },
            unit=BARE,
            axis="G",
            steps=high_is_bad(10, 20),
        ),
        lines(
            "Differing labels: same images",
            "From the shadow: share of the images that others have answered, and to which the "
            "canary gives another label. Empty unless the canary shadows. When it is high: do not "
            "let it answer before you know which are right.",
            {LABELLED_VERSION: _labelled(f"{differing} / ({shadowed} > 0)", "canary")},
            unit=SHARE,
            steps=high_is_bad(0.02, 0.05),
        ),
        lines(
            "Differing labels: shares of each",
            "Without a shadow: half the sum of the differences between the shares of each label, "
            "canary against stable, of an hour's answers. It sees no errors that cancel out. Of a "
            "thousand images of ten labels chance alone makes 4%. When it is higher: see the "
            "labels of both on the dashboard of the model.",
            {"{{model}}": _of_models("canary:label_distance:ratio_increase1h")},
            unit=SHARE,
        ),
    ]


def _of_models(recorded: str, more: str = "") -> str:
    return f'max by (model) ({recorded}{{model=~"$model"{more}}})'


def _error_share(selector: str) -> str:
    failed = rate(PREDICTIONS, f"{selector}, {FAILED}", BY_VERSION)
    waited_for = rate(PREDICTIONS, f'{selector}, grpc_code!="Canceled"', BY_VERSION)
    return f"{failed} / ({waited_for} > 0)"


def _labelled(by_version: str, labels: str = "stable|canary") -> str:
    """Return the values by version of those versions that have one of these labels."""
    label_of = f'mlpserve_version_label_info{{{INSTANCES}, version_label=~"{labels}"}}'
    # Of all workers and servers, which agree, and one for each label: a version may have both.
    each = f"max by ({BY_VERSION}, version_label) ({label_of})"
    return f"{by_version} * on ({BY_VERSION}) group_right () {each}"
