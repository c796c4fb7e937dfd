"""What a dashboard is made of beside its panels: variables, sections, links and marks."""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as models

from deploy.grafana.panels import DATASOURCE, GREY, VIOLET, Panel

Variable = Builder[models.VariableModel]

TAG = "mlpserve"
"""By which the dashboards find each other."""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and the panels below it."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, slots=True)
class Mark:
    """A vertical line through all panels, wherever the expression has a value."""

    name: str
    expression: str
    colour: str


# Grafana asks for marks every minute, and draws those of two minutes in a row as one.
LOADED = Mark(
    "Version loaded", "sum by (model) (changes(mlpserve_model_loads_total[2m])) > 0", VIOLET
)
RESTARTED = Mark(
    "Worker replaced", "sum by (reason) (changes(mlpserve_worker_restarts_total[2m])) > 0", GREY
)


def chosen(name: str, metric: str, *, label: str = "", every: str | None = None) -> Variable:
    """Return a variable with the values that a label has on a metric, any number at a time.

    The label is called `name` unless told otherwise. `every` is the regular expression for all
    values; None lists them.
    """
    variable = (
        dashboard.QueryVariable(name)
        .label(name)
        .query(f"label_values({metric}, {label or name})")
        .datasource(DATASOURCE)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.NATURAL_ASC)
        .multi(True)
        .include_all(True)
        .current(models.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )
    return variable if every is None else variable.all_value(every)


def one_of(name: str, label: str, values: Sequence[str]) -> Variable:
    """Return a variable that has one of these values, at first the first."""
    first = models.VariableOption(selected=True, text=values[0], value=values[0])
    return dashboard.CustomVariable(name).label(label).values(",".join(values)).current(first)


def assemble(
    name: str,
    description: str,
    variables: Sequence[Variable],
    sections: Sequence[Section],
    marks: Sequence[Mark],
    *,
    since: str,
) -> models.Dashboard:
    """Return the dashboard of that name, which shows the time from `since` on at first."""
    board = (
        dashboard.Dashboard(f"mlpserve: {name}")
        .uid(f"mlpserve-{name}")
        .description(description)
        .tags([TAG])
        .readonly()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .time(since, "now")
        .refresh("10s" if since == "now-1h" else "1m")
        .variables(list(variables))
        .link(
            dashboard.DashboardLink("mlpserve")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .keep_time(True)
            .include_vars(True)
        )
    )
    for mark in marks:
        board.annotation(
            dashboard.AnnotationQuery()
            .name(mark.name)
            .datasource(DATASOURCE)
            .enable(True)
            .icon_color(mark.colour)
            .expr(mark.expression)
        )
    for section in sections:
        board.with_row(dashboard.Row(section.title))
        for panel in section.panels:
            board.with_panel(panel)
    built = board.build()
    for number, each in enumerate(built.panels or [], 1):
        each.id_val = number
    return built
