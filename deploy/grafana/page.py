"""The page of the documentation that says what each panel tells."""

from collections.abc import Sequence

from deploy.grafana.reading import Dashboard, Panel
from deploy.grafana.units import in_words

_HEAD = """\
# Dashboards

Three dashboards for Grafana, in a folder called mlpserve. `make up` starts a Grafana that has them,
on http://localhost:3000. Any other Grafana gets the files in
[deploy/grafana/dashboards](../deploy/grafana/dashboards), and the data source that they ask, whose
uid is `{uid}`, by [a few commands](observability.md#grafana-without-compose).
[The page /watch](watch.md) shows the same numbers live, of one server and with nothing installed:
here it compares two versions, as the dashboard of models does.

![Two versions side by side on the page /watch, in numbers and over time](watch/versions.png)

The dashboards are written as code. To change one, change its module in
[deploy/grafana](../deploy/grafana), then `make dashboards`, which writes the files and this page.
The tests run every query against a real Prometheus that has watched a real server, and compare what
the panels show with what the callers have counted.
"""

_COLUMNS = ("| panel | unit | what it tells |", "|---|---|---|")


def write(boards: Sequence[tuple[str, Dashboard]]) -> str:
    """Return the page in Markdown, of dashboards and the names of their files without ending."""
    (uid,) = set().union(*(board.datasources for _, board in boards))
    parts = [_HEAD.format(uid=uid)]
    for name, board in boards:
        parts.append(f"## {name.capitalize() if name != 'slo' else 'SLO'}\n\n{board.description}\n")
        if board.variables:
            names = ", ".join(f"`{variable.name}`" for variable in board.variables)
            parts.append(f"Variables: {names}.\n")
        for section in board.sections:
            panels = [panel for panel in board.panels if panel.section == section]
            parts.append(f"### {section}\n")
            parts.append("\n".join([*_COLUMNS, *map(_row, panels)]) + "\n")
    return "\n".join(parts)


def _row(panel: Panel) -> str:
    return f"| {panel.title} | {in_words(panel.unit) or panel.axis} | {panel.description} |"
