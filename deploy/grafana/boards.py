"""What a dashboard is made of beside its panels: variables, links and marks."""

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as models

from deploy.grafana.colours import GREY, VIOLET
from deploy.grafana.panels import DATASOURCE, Panel

Variable = Builder[models.VariableModel]

TAG = "mlpserve"
"""By which the dashboards find each other."""


def mark(name: str, expression: str, colour: str) -> Builder[models.AnnotationQuery]:
    """Return a vertical line through all panels, wherever the expression has a value."""
    query = dashboard.AnnotationQuery().name(name).datasource(DATASOURCE).enable(True)
    return query.icon_color(colour).expr(expression)


# Grafana asks for marks every minute, and draws those of two minutes in a row as one.
LOADED = mark(
    "Version loaded", "sum by (model) (changes(mlpserve_model_loads_total[2m])) > 0", VIOLET
)
RESTARTED = mark(
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
    sections: Mapping[str, Sequence[Panel]],
    marks: Sequence[Builder[models.AnnotationQuery]],
    *,
    since: str,
) -> models.Dashboard:
    """Return the dashboard of that name, which shows the time from `since` on at first.

    `sections` are panels by the heading above them.
    """
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
        .annotations(list(marks))
        .link(
            dashboard.DashboardLink("mlpserve")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .keep_time(True)
            .include_vars(True)
        )
    )
    for heading, panels in sections.items():
        board.with_row(dashboard.Row(heading))
        for panel in panels:
            board.with_panel(panel)
    built = board.build()
    for number, each in enumerate(built.panels or [], 1):
        each.id_val = number
    return built
