"""The numbers that are shown of each model and version.

server/http/static/watch/data/versions.js has the same for the page /watch.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlpserve.metrics.figures import Images, by_number
from mlpserve.metrics.looks import Look, quantile, total, totals

MIN_DRIFT_IMAGES = 200
"""Fewer images than this would be far from what was expected by chance alone."""

_MIN_SHARE = 0.0001
"""As the recording rules have it: an empty bin must not make the logarithm infinite."""

_PREDICTIONS, _IMAGES = "mlpserve_predictions_total", "mlpserve_images_total"


@dataclass(frozen=True, slots=True)
class LabelShare:
    """How much of a version's images were given a label."""

    label: str
    share: float


@dataclass(frozen=True, slots=True)
class Confidence:
    """What the winning activations of 10%, 50% and 90% of the images do not exceed."""

    p10: float
    p50: float
    p90: float


@dataclass(frozen=True, slots=True)
class Version:
    """A version, and what it predicted; a prediction is a call, or a message of a stream.

    `version_labels` are those that point to it, `share` is that of its model's predictions,
    `queue_p99` of the time queued, and `labels` has the most frequent first. An error is another
    code than OK; who cancels waits for no answer, which counts neither way. `drift` is the
    Population Stability Index by what it is of, such as "labels". `shadow_differing` is the share
    of shadowed images to which the version gave another label.
    """

    model: str
    version: str
    version_labels: Sequence[str]
    share: float
    total: float
    per_second: float
    errors_per_second: float
    error_share: float
    p50: float
    p90: float
    p99: float
    queue_p99: float
    images: Images
    labels: Sequence[LabelShare]
    confidence: Confidence
    drift: Mapping[str, float]
    shadow_differing: float


def versions(look: Look) -> Sequence[Version]:
    """Return each version that is loaded or has answered in the Look's time, by its number."""
    named = [dict(series) for series in look.page.get("mlpserve_model_info", ())]
    for name in (_PREDICTIONS, _IMAGES):
        named += [dict(series) for series, count in look.increases.get(name, {}).items() if count]
    keys = {(labels["model"], labels["version"]) for labels in named}
    return [
        _version(look, model, version)
        for model, version in sorted(keys, key=lambda key: (key[0], by_number(key[1])))
    ]


def _version(look: Look, model: str, version: str) -> Version:
    selector = {"model": model, "version": version}
    codes = totals(look.increases, _PREDICTIONS, "grpc_code", **selector)
    ended = sum(count for code, count in codes.items() if code != "Canceled")
    failed = ended - codes.get("OK", 0.0)
    of_model = total(look.increases, _PREDICTIONS, model=model)
    shadowed = total(look.increases, "mlpserve_shadow_images_total", **selector)
    differing = total(look.increases, "mlpserve_shadow_differing_images_total", **selector)
    version_labels = totals(look.page, "mlpserve_version_label_info", "version_label", **selector)
    seconds = look.buckets("mlpserve_prediction_seconds", **selector)
    activations = look.buckets("mlpserve_winning_activation", **selector)
    # Zero where nothing was counted, unknown where nothing counts.
    known = 1.0 if _PREDICTIONS in look.totals else math.nan
    return Version(
        model,
        version,
        version_labels=sorted(version_labels),
        share=total(look.increases, _PREDICTIONS, **selector) / of_model if of_model else math.nan,
        total=total(look.totals, _PREDICTIONS, **selector) * known,
        per_second=look.rate(_PREDICTIONS, **selector) * known,
        errors_per_second=failed / look.seconds * known,
        error_share=failed / ended if ended else math.nan,
        p50=quantile(seconds, 0.5),
        p90=quantile(seconds, 0.9),
        p99=quantile(seconds, 0.99),
        queue_p99=look.quantile(0.99, "mlpserve_stage_seconds", **selector, stage="queue"),
        images=Images(total(look.totals, _IMAGES, **selector), look.rate(_IMAGES, **selector)),
        labels=_label_shares(look, selector),
        confidence=Confidence(*(quantile(activations, share) for share in (0.1, 0.5, 0.9))),
        drift=_drift(look, selector),
        shadow_differing=differing / shadowed if shadowed else math.nan,
    )


def _label_shares(look: Look, selector: Mapping[str, str]) -> Sequence[LabelShare]:
    counts = totals(look.increases, "mlpserve_predicted_labels_total", "label", **selector)
    images = sum(counts.values())
    often = sorted(counts, key=lambda label: (-counts[label], label))
    return [LabelShare(label, counts[label] / images) for label in often if counts[label]]


def _drift(look: Look, selector: Mapping[str, str]) -> Mapping[str, float]:
    """Return how far what was seen is from the training images, by what it is of."""
    expected: dict[str, dict[str, float]] = defaultdict(dict)
    for series, share in look.page.get("mlpserve_drift_reference_ratio", {}).items():
        if selector.items() <= series:
            labels = dict(series)
            shares, name = expected[labels["of"]], labels["bin"]
            # The same in all workers.
            shares[name] = max(share, shares.get(name, share))
    return {of: _drift_of(look, selector, of, shares) for of, shares in expected.items()}


def _drift_of(
    look: Look, selector: Mapping[str, str], of: str, expected: Mapping[str, float]
) -> float:
    """Return the sum over bins of (p - q) * ln(p / q), p the share seen and q that expected."""
    seen = totals(look.increases, "mlpserve_drift_images_total", "bin", **selector, of=of)
    images = sum(seen.values())
    if images < MIN_DRIFT_IMAGES:
        return math.nan
    index = 0.0
    for name, share in expected.items():
        p, q = max(seen.get(name, 0.0) / images, _MIN_SHARE), max(share, _MIN_SHARE)
        index += (p - q) * math.log(p / q)
    return index
