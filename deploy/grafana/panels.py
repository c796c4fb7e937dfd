"""The kinds of panels that the dashboards have."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from string import ascii_uppercase
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
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import heatmap as heatmaps
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from deploy.grafana.colours import AMBER, BLUE, RED
from deploy.grafana.units import BARE, SECONDS, counted

Panel = Builder[models.Panel]

DATASOURCE = models.DataSourceRef(type_val="prometheus", uid="mlpserve-prometheus")
"""Its uid is the one in provisioning/datasources."""

FULL_WIDTH, HALF, THIRD, QUARTER, SIXTH = 24, 12, 8, 6, 4

Queries = Mapping[str, str]
"""The expressions that Prometheus evaluates, by what the legend calls a series of each."""

Steps = Sequence[models.Threshold]
"""Colours for values from a number on, which is None for the first of them."""

EXEMPLIFIED = ("grpc_server_handling_seconds_bucket", "mlpserve_prediction_seconds_bucket")
"""The series that have exemplars."""

NO_STEPS: Steps = (models.Threshold(None, BLUE),)

_NEWEST = common.ReduceDataOptions().calcs(["lastNotNull"])
_BY_NAME = dashboard.FieldColor().mode(models.FieldColorModeId.PALETTE_CLASSIC_BY_NAME)
_BY_STEP = dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS)


def high_is_bad(look: float, bad: float) -> Steps:
    """Return steps that turn amber at `look` and red at `bad`."""
    return models.Threshold(None, BLUE), models.Threshold(look, AMBER), models.Threshold(bad, RED)


def low_is_bad(bad: float, look: float) -> Steps:
    """Return steps that are red below `bad` and amber below `look`."""
    return models.Threshold(None, RED), models.Threshold(bad, AMBER), models.Threshold(look, BLUE)


class _Dressable(Protocol):
    """What the builders of all kinds of panels have, without a common base."""

    def title(self, title: str) -> Self: ...
    def description(self, description: str) -> Self: ...
    def datasource(self, datasource: models.DataSourceRef) -> Self: ...
    def with_target(self, target: Builder[Dataquery]) -> Self: ...
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
    axis: str = "",
    width: int = THIRD,
    steps: Steps = (),
    colours: Mapping[str, str] | None = None,
    stacking: options.StackingMode = options.StackingMode.NONE,
    dashed: Sequence[str] = (),
    is_logarithmic: bool = False,
    are_counts: bool = False,
) -> Panel:
    """Return curves over time; those whose names are in `dashed` are limits.

    `axis` says what a number without a unit is.
    """
    targets = _with_exemplars(_targets(queries)) if unit == SECONDS else _targets(queries)
    panel = _dress(timeseries.Panel(), title, description, targets, unit, width, 8, steps)
    is_stacked = stacking != options.StackingMode.NONE
    panel.line_width(1).fill_opacity(60 if is_stacked else 8).show_points(
        options.VisibilityMode.NEVER
    )
    panel.stacking(common.StackingConfig().mode(stacking).group("A"))
    if axis:
        panel.axis_label(axis)
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
        dashes = options.GraphThresholdsStyleMode.DASHED
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(dashes))
    _colour(panel.color_scheme(_BY_NAME), colours or {})
    style = models.DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [8, 6]})
    for name in dashed:
        panel.override_by_name(name, [style, models.DynamicConfigValue("custom.fillOpacity", 0)])
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
    panel = _dress(stat.Panel(), title, description, _targets(queries), unit, width, height, steps)
    panel.color_mode(options.BigValueColorMode.VALUE).graph_mode(options.BigValueGraphMode.AREA)
    return panel.reduce_options(_NEWEST).color_scheme(_BY_STEP)


def gauges(
    title: str, description: str, queries: Queries, *, unit: str, steps: Steps, maximum: float
) -> Panel:
    """Return a bar for the newest value of each series."""
    targets = (target.instant() for target in _targets(queries))
    panel = _dress(bargauge.Panel(), title, description, targets, unit, HALF, 8, steps)
    panel.orientation(options.VizOrientation.HORIZONTAL)
    panel.display_mode(options.BarGaugeDisplayMode.BASIC).min(0).max(maximum)
    return panel.reduce_options(_NEWEST).color_scheme(_BY_STEP)


def heat(title: str, description: str, query: Queries, *, unit: str) -> Panel:
    """Return a histogram's buckets over time, darker where more fell."""
    targets = (
        target.format(PromQueryFormat.HEATMAP) for target in _with_exemplars(_targets(query))
    )
    panel = _dress(heatmap.Panel(), title, description, targets, unit, HALF)
    panel.color(
        heatmap.HeatmapColorOptions()
        .mode(heatmaps.HeatmapColorMode.SCHEME)
        .scheme("Blues")
        .scale(heatmaps.HeatmapColorScale.EXPONENTIAL)
        .exponent(0.5)
        .steps(64)
    )
    panel.cell_values(heatmap.CellValues().unit(counted("calls")))
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
) -> Panel:
    """Return the newest values side by side, a group of bars for each value of the label `by`."""
    targets = (target.instant().format(PromQueryFormat.TABLE) for target in _targets(queries))
    panel = _dress(barchart.Panel(), title, description, targets, unit, FULL_WIDTH)
    names = {
        f"Value #{letter}": legend for letter, legend in zip(ascii_uppercase, queries, strict=False)
    }
    panel.x_field(by).transformations(
        [
            models.DataTransformerConfig("joinByField", options={"byField": by, "mode": "outer"}),
            _organize(["Time", "Time 1", "Time 2"], names),
            models.DataTransformerConfig("sortBy", options={"sort": [{"field": by}]}),
        ]
    )
    return _colour(panel.color_scheme(_BY_NAME), colours)


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
    targets = (target.instant().format(PromQueryFormat.TABLE) for target in _targets(query))
    panel = _dress(table.Panel(), title, description, targets, BARE, width, height)
    return panel.transformations([_organize(["Time", "__name__", *hidden], {"Value": value})])


def _organize(hidden: Sequence[str], names: Mapping[str, str]) -> models.DataTransformerConfig:
    organized = {"excludeByName": dict.fromkeys(hidden, True), "renameByName": names}
    return models.DataTransformerConfig("organize", options=organized)


def _dress(
    panel: Kind,
    title: str,
    description: str,
    targets: Iterable[prometheus.Dataquery],
    unit: str,
    width: int,
    height: int = 8,
    steps: Steps = (),
) -> Kind:
    """Give a panel what every kind has; `width` in 24ths of the page, `height` in 30 pixels."""
    panel.title(title).description(description).datasource(DATASOURCE)
    panel.unit(unit).span(width).height(height)
    for target in targets:
        panel.with_target(target)
    if steps:
        mode = models.ThresholdsMode.ABSOLUTE
        panel.thresholds(dashboard.ThresholdsConfig().mode(mode).steps(list(steps)))
    return panel


def _targets(queries: Queries) -> list[prometheus.Dataquery]:
    return [
        prometheus.Dataquery().expr(expression).legend_format(legend).ref_id(letter).range()
        for letter, (legend, expression) in zip(ascii_uppercase, queries.items(), strict=False)
    ]


def _with_exemplars(targets: Iterable[prometheus.Dataquery]) -> Iterator[prometheus.Dataquery]:
    """Show traced calls as dots over durations, which lead to their traces."""
    for target in targets:
        expression = target.build().expr
        yield target.exemplar(True) if any(name in expression for name in EXEMPLIFIED) else target


def _colour(panel: Kind, colours: Mapping[str, str]) -> Kind:
    """Give the series of these names colours that stay the same on every panel."""
    for name, colour in colours.items():
        value = {"mode": "fixed", "fixedColor": colour}
        panel.override_by_name(name, [models.DynamicConfigValue("color", value)])
    return panel
