"""The page of the documentation that says what each panel tells."""

from collections.abc import Sequence

from deploy.grafana.reading import Dashboard

_HEAD = """\
# Dashboards

Three dashboards for Grafana, in a folder called mlpserve. `docker compose up` starts a Grafana that
has them, on http://localhost:3000. Elsewhere, import the files in
[deploy/grafana/dashboards](../deploy/grafana/dashboards); they ask the datasource with the uid
`{uid}`, which [provisioning/datasources](../deploy/grafana/provisioning/datasources/prometheus.yml)
sets up. [The page /watch](watch.md) shows the same numbers live, of one server and with nothing
installed: here it compares two versions, as the dashboard of models does.

![Two versions side by side on the page /watch, in numbers and over time](watch/versions.png)

The dashboards are written as code. To change one, change its module in
[deploy/grafana](../deploy/grafana), then `make dashboards`, which writes the files and this page.
The tests run every query against a real Prometheus that has watched a real server, and compare what
the panels show with what the callers have counted.
"""


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
            rows = [f"| {panel.title} | {panel.description} |" for panel in panels]
            parts.append("\n".join(["| panel | what it tells |", "|---|---|", *rows]) + "\n")
    return "\n".join(parts)
