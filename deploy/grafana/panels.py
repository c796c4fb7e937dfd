"""The kinds of panels that the dashboards have, and their colours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

from grafana_foundation_sdk.builders import (
    barchart,
    bargauge,
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import heatmap as heatmaps
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

Panel = Builder[models.Panel]

DATASOURCE = models.DataSourceRef(type_val="prometheus", uid="mlpserve-prometheus")
"""Its uid is the one in provisioning/datasources."""

FULL_WIDTH, HALF, THIRD, QUARTER, SIXTH = 24, 12, 8, 6, 4

GREEN, BLUE, AMBER, RED = "#2f9e44", "#1c7ed6", "#f08c00", "#e03131"
TEAL, VIOLET, PINK, GREY = "#0c8599", "#7048e8", "#d6336c", "#868e96"
"""Legible on light and on dark."""

QUANTILES = {"p50": GREEN, "p90": BLUE, "p99": AMBER, "p99.9": RED}
"""The same on every panel."""


Queries = Mapping[str, str]
"""The expressions that Prometheus evaluates, by what the legend calls a series of each."""


@dataclass(frozen=True, slots=True)
class Step:
    """A colour for values from `start` on; the first step's start is None."""

    start: float | None
    colour: str


Steps = Sequence[Step]
NO_STEPS: Steps = (Step(None, BLUE),)


def high_is_bad(look: float, bad: float) -> Steps:
    """Return steps that turn amber at `look` and red at `bad`."""
    return Step(None, GREEN), Step(look, AMBER), Step(bad, RED)


def low_is_bad(bad: float, look: float) -> Steps:
    """Return steps that are red below `bad` and amber below `look`."""
    return Step(None, RED), Step(bad, AMBER), Step(look, GREEN)


class _Dressable(Protocol):
    """What the builders of all kinds of panels have, without a common base."""

    def title(self, title: str) -> Self: ...
    def description(self, description: str) -> Self: ...
    def datasource(self, datasource: models.DataSourceRef) -> Self: ...
    def unit(self, unit: str) -> Self: ...
    def span(self, w: int) -> Self: ...
    def height(self, h: int) -> Self: ...
    def thresholds(self, thresholds: Builder[models.ThresholdsConfig]) -> Self: ...
    def override_by_name(self, name: str, properties: list[models.DynamicConfigValue]) -> Self: ...


Kind = TypeVar("Kind", bound=_Dressable)


def lines(
    title: str,
    description: str,
    queries: Queries,
    *,
    unit: str,
    width: int = THIRD,
    steps: Steps = (),
    colours: Mapping[str, str] | None = None,
    stacking: options.StackingMode = options.StackingMode.NONE,
    dashed: Sequence[str] = (),
    is_logarithmic: bool = False,
    are_counts: bool = False,
) -> Panel:
    """Return curves over time; those whose names are in `dashed` are limits."""
    panel = _dress(timeseries.Panel(), title, description, unit, width, 8, steps)
    for target in _targets(queries):
        panel.with_target(target)
    is_stacked = stacking != options.StackingMode.NONE
    panel.line_width(1).fill_opacity(60 if is_stacked else 8).show_points(
        options.VisibilityMode.NEVER
    )
    panel.stacking(common.StackingConfig().mode(stacking).group("A"))
    if are_counts:
        panel.decimals(0)
    if is_logarithmic:
        kind = options.ScaleDistribution.LOG
        panel.scale_distribution(common.ScaleDistributionConfig().type(kind).log(10))
    else:
        panel.axis_soft_min(0)
    panel.legend(
        common.VizLegendOptions()
        .show_legend(True)
        .display_mode(options.LegendDisplayMode.TABLE)
        .placement(options.LegendPlacement.BOTTOM)
        .calcs(["lastNotNull", "max"])
    )
    panel.tooltip(
        common.VizTooltipOptions()
        .mode(options.TooltipDisplayMode.MULTI)
        .sort(options.SortOrder.DESCENDING)
    )
    if steps:
        # Without a filled area, so that curves keep their colours.
        panel.thresholds_style(
            common.GraphThresholdsStyleConfig().mode(options.GraphThresholdsStyleMode.DASHED)
        )
    panel.color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
    _colour(panel, colours or {})
    for name in dashed:
        style = {"fill": "dash", "dash": [8, 6]}
        panel.override_by_name(
            name,
            [
                models.DynamicConfigValue("custom.lineStyle", style),
                models.DynamicConfigValue("custom.fillOpacity", 0),
            ],
        )
    return panel


def number(
    title: str,
    description: str,
    queries: Queries,
    *,
    unit: str,
    width: int = SIXTH,
    steps: Steps = NO_STEPS,
    height: int = 4,
) -> Panel:
    """Return the newest value in large type, over its curve."""
    panel = _dress(stat.Panel(), title, description, unit, width, height, steps)
    for target in _targets(queries):
        panel.with_target(target)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    panel.color_mode(options.BigValueColorMode.VALUE).graph_mode(options.BigValueGraphMode.AREA)
    return panel.color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))


def gauges(
    title: str,
    description: str,
    queries: Queries,
    *,
    unit: str,
    steps: Steps,
    width: int = HALF,
    maximum: float,
) -> Panel:
    """Return a bar for the newest value of each series."""
    panel = _dress(bargauge.Panel(), title, description, unit, width, 8, steps)
    for target in _targets(queries):
        panel.with_target(target.instant())
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    panel.orientation(options.VizOrientation.HORIZONTAL)
    panel.display_mode(options.BarGaugeDisplayMode.BASIC).min(0).max(maximum)
    return panel.color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))


def heat(title: str, description: str, query: Queries, *, unit: str, width: int = HALF) -> Panel:
    """Return a histogram's buckets over time, darker where more fell."""
    panel = _dress(heatmap.Panel(), title, description, unit, width, 8, ())
    (target,) = _targets(query)
    panel.with_target(target.format(PromQueryFormat.HEATMAP))
    panel.color(
        heatmap.HeatmapColorOptions()
        .mode(heatmaps.HeatmapColorMode.SCHEME)
        .scheme("Blues")
        .scale(heatmaps.HeatmapColorScale.EXPONENTIAL)
        .exponent(0.5)
        .steps(64)
    )
    panel.y_axis(heatmap.YAxisConfig().unit(unit)).cell_gap(0).show_y_histogram()
    return panel.filter_values(heatmap.FilterValueRange().le(1e-9))


def bars(
    title: str,
    description: str,
    queries: Queries,
    *,
    by: str,
    unit: str,
    colours: Mapping[str, str],
    width: int = FULL_WIDTH,
) -> Panel:
    """Return the newest values side by side, a group of bars for each value of the label `by`."""
    panel = _dress(barchart.Panel(), title, description, unit, width, 8, ())
    names: dict[str, str] = {}
    for target, legend in zip(_targets(queries), queries, strict=True):
        panel.with_target(target.instant().format(PromQueryFormat.TABLE))
        names[f"Value #{chr(ord('A') + len(names))}"] = legend
    panel.x_field(by).transformations(
        [
            models.DataTransformerConfig("joinByField", options={"byField": by, "mode": "outer"}),
            models.DataTransformerConfig(
                "organize",
                options={
                    "excludeByName": {"Time": True, "Time 1": True, "Time 2": True},
                    "renameByName": names,
                },
            ),
            models.DataTransformerConfig("sortBy", options={"sort": [{"field": by}]}),
        ]
    )
    panel.color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
    return _colour(panel, colours)


def rows(
    title: str,
    description: str,
    query: Queries,
    *,
    value: str,
    hidden: Sequence[str] = (),
    width: int = FULL_WIDTH,
    height: int = 6,
) -> Panel:
    """Return a table with a row for each series: its labels, and its value under that name."""
    panel = _dress(table.Panel(), title, description, "short", width, height, ())
    (target,) = _targets(query)
    panel.with_target(target.instant().format(PromQueryFormat.TABLE))
    excluded = dict.fromkeys(["Time", "__name__", *hidden], True)
    organize = {"excludeByName": excluded, "renameByName": {"Value": value}}
    return panel.transformations([models.DataTransformerConfig("organize", options=organize)])


def _dress(
    panel: Kind, title: str, description: str, unit: str, width: int, height: int, steps: Steps
) -> Kind:
    """Give a panel what every kind has; `width` in 24ths of the page, `height` in 30 pixels."""
    panel.title(title).description(description).datasource(DATASOURCE)
    panel.unit(unit).span(width).height(height)
    if steps:
        thresholds = [models.Threshold(step.start, step.colour) for step in steps]
        mode = models.ThresholdsMode.ABSOLUTE
        panel.thresholds(dashboard.ThresholdsConfig().mode(mode).steps(thresholds))
    return panel


def _targets(queries: Queries) -> list[prometheus.Dataquery]:
    return [
        prometheus.Dataquery()
        .expr(expression)
        .legend_format(legend)
        .ref_id(chr(ord("A") + index))
        .range()
        for index, (legend, expression) in enumerate(queries.items())
    ]


def _colour(panel: Kind, colours: Mapping[str, str]) -> Kind:
    """Give the series of these names colours that stay the same on every panel."""
    for name, colour in colours.items():
        value = {"mode": "fixed", "fixedColor": colour}
        panel.override_by_name(name, [models.DynamicConfigValue("color", value)])
    return panel
