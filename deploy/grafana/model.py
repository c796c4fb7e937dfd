"""The dashboard of the models: what is served, what it sees and what it says."""

from collections.abc import Sequence

from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard as models

from deploy.grafana import colours
from deploy.grafana.boards import LOADED, assemble, chosen, one_of
from deploy.grafana.panels import HALF, QUARTER, Panel, bars, high_is_bad, lines, number, rows
from deploy.grafana.promql import INSTANCES, quantile, rate, rate_of_used
from deploy.grafana.units import BARE, INDEX, PER_SECOND, SECONDS, SHARE, counted

VERSIONS = 'instance=~"$instance", model=~"$model", version=~"$version"'
MODELS = 'instance=~"$instance", model=~"$model"'
VERSION = "{{model}} {{version}}"

DRIFT_STEPS = high_is_bad(0.1, 0.25)
"""A Population Stability Index of 0.1 is worth a look, one of 0.25 is drift."""

KINDS = ("labels", "winning_activation", "margin", "ink")
"""What drift is measured of."""

SPREAD = {"p10": colours.BLUE, "p50": colours.TEAL, "p90": colours.AMBER}
SHARES = {"p10": "0.1", "p50": "0.5", "p90": "0.9"}


def build() -> models.Dashboard:
    """Return the dashboard."""
    return assemble(
        "model",
        "The models that are served, the images that they see and the labels that they give.",
        [
            chosen("instance", "mlpserve_workers"),
            chosen("model", f"mlpserve_model_info{{{INSTANCES}}}", every=".*"),
            chosen("version", f"mlpserve_model_info{{{MODELS}}}", every=".*"),
            one_of("of", "drift of", KINDS),
        ],
        {
            "What is served": _served(),
            "What the models see and say": _said(),
            "Drift": _drift(),
            "Shadow": _shadow(),
        },
        [LOADED],
        since="now-6h",
    )


def _served() -> Sequence[Panel]:
    described = "model, version, layer_sizes, parameters, weights_sha256"
    return [
        rows(
            "Versions loaded",
            "The versions in memory, and how many workers have each. When workers differ for "
            "longer than a roll-out takes: the failures below say why.",
            {VERSION: f"count by ({described}) (mlpserve_model_info{{{VERSIONS}}})"},
            value="workers",
        ),
        lines(
            "Images by version",
            "Images classified per second. With weights for several versions, it shows whether "
            "each gets its part.",
            {VERSION: rate("mlpserve_images_total", VERSIONS, "model, version")},
            unit=PER_SECOND,
        ),
        lines(
            "Time to load",
            "The longest that a worker took to load and check the version. When it is high: the "
            "disk, or too little CPU at the start.",
            {VERSION: f"max by (model, version) (mlpserve_model_load_seconds{{{VERSIONS}}})"},
            unit=SECONDS,
        ),
        lines(
            "Loads and failures",
            "Versions that workers have loaded and could not load, since their start. When a "
            "failure is there: the version before still answers; publish a good file.",
            {
                "{{model}} loaded": f"sum by (model) (mlpserve_model_loads_total{{{MODELS}}})",
                "{{model}} failed: {{reason}}": "sum by (model, reason) "
                f"(mlpserve_model_load_failures_total{{{MODELS}}})",
            },
            unit=counted("versions"),
            are_counts=True,
        ),
    ]


def _said() -> Sequence[Panel]:
    return [
        lines(
            "Labels",
            "How the answers are spread over the labels. When one takes over: callers no "
            "longer send what they did, or send the same image again and again.",
            {"{{label}}": rate_of_used("mlpserve_predicted_labels_total", VERSIONS, "label")},
            unit=PER_SECOND,
            width=HALF,
            stacking=options.StackingMode.PERCENT,
        ),
        _spread(
            "Winning activation",
            "The activation of each answer's label: 1 is sure, and below 0.5 no output is bright. "
            "When p10 falls: more images that the model does not know.",
            "mlpserve_winning_activation",
            axis="activation",
        ),
        _spread(
            "Margin",
            "How far the winner is ahead of the second. When p10 falls towards 0: more images that "
            "could be either of two labels.",
            "mlpserve_margin",
            axis="difference of activations",
        ),
        _spread(
            "Ink",
            "The mean pixel of each image. When it jumps: another scale of pixels, thicker strokes "
            "or inverted images; `canonicalize` mends the last.",
            "mlpserve_ink",
            axis="mean pixel",
        ),
    ]


def _spread(title: str, description: str, histogram: str, *, axis: str) -> Panel:
    return lines(
        title,
        f"{description} The curves are what 10%, 50% and 90% of the images do not exceed.",
        {name: quantile(q, histogram, VERSIONS) for name, q in SHARES.items()},
        unit=BARE,
        axis=axis,
        width=HALF,
        colours=SPREAD,
    )


def _drift() -> Sequence[Panel]:
    index = 'model:mlpserve_drift_psi:1h{model=~"$model", version=~"$version"}'
    seen = f'increase(mlpserve_drift_images_total{{{VERSIONS}, of="$of"}}[1h])'
    return [
        number(
            "Drift now",
            "The highest Population Stability Index of the last hour against the training images: "
            "from 0.1 on it is worth a look, from 0.25 on it is drift.",
            {"{{of}}": f"max by (of) ({index})"},
            unit=INDEX,
            width=QUARTER,
            height=8,
            steps=DRIFT_STEPS,
        ),
        lines(
            "Drift",
            "The Population Stability Index over one hour, of the labels given, the winning "
            "activation, the margin and the ink. When it is above 0.25: look below at which bins "
            "it is, and at what callers send; with few images it says little.",
            {"{{model}} {{version}} {{of}}": index},
            unit=INDEX,
            width=18,
            steps=DRIFT_STEPS,
        ),
        bars(
            "Seen and expected",
            "Share of the last hour's images in each bin, and of the training images. Choose one "
            "model and version, and of what. Where the bars part is where drift is from.",
            {
                "seen": f"sum by (bin) ({seen}) / scalar(sum({seen}))",
                "expected": "avg by (bin) "
                f'(mlpserve_drift_reference_ratio{{{VERSIONS}, of="$of"}})',
            },
            by="bin",
            unit=SHARE,
            colours={"seen": colours.BLUE, "expected": colours.GREY},
        ),
    ]


def _shadow() -> Sequence[Panel]:
    by = "model, version"
    shadowed = rate("mlpserve_shadow_images_total", VERSIONS, by)
    differing = rate("mlpserve_shadow_differing_images_total", VERSIONS, by)
    return [
        lines(
            "Shadowed images",
            "Images per second that others have answered and this version has classified too; "
            "empty without a shadow.",
            {VERSION: shadowed},
            unit=PER_SECOND,
        ),
        lines(
            "Differing labels",
            "Share of the shadowed images to which this version gives another label. When it is "
            "high: do not let it answer before you know which are right.",
            {VERSION: f"{differing} / ({shadowed} > 0)"},
            unit=SHARE,
            steps=high_is_bad(0.02, 0.05),
        ),
        lines(
            "Skipped images",
            "Images per second that the shadow left out, since too many waited for it or it "
            "expects a different number of pixels; empty while there are none. When it is high: "
            "lower its percentage.",
            {VERSION: rate("mlpserve_shadow_skipped_images_total", VERSIONS, by)},
            unit=PER_SECOND,
        ),
    ]
