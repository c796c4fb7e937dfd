"""The page of the documentation that says what each panel tells."""

from collections.abc import Sequence

from deploy.grafana.reading import Dashboard, Panel

_HEAD = """\
# Dashboards

Three dashboards for Grafana, in a folder called mlpserve. `docker compose up` starts a Grafana that
has them, on http://localhost:3000. Elsewhere, import the files in
[deploy/grafana/dashboards](../deploy/grafana/dashboards); they ask the datasource with the uid
`{uid}`, which [provisioning/datasources](../deploy/grafana/provisioning/datasources/prometheus.yml)
sets up.

The pictures are not Grafana's own: `python -m deploy.grafana.pictures` calls a server with two
workers for a quarter of an hour, asks a Prometheus that watches it what the panels ask, and draws
the answers with matplotlib. In that time a second version takes over (3 min), a worker is killed (5
min), callers rush with 1,500 images in a call (7 to 8.5 min), a file appears that is no model (9.5
min), images become brighter (10.5 min), and files are read again (12 min). Dotted lines are the
dashboards' marks: a version was loaded, or a worker replaced. The machine was busy with other
things as well, which the latency shows.

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
            picture = f"dashboards/{picture_of(name, section)}"
            parts.append(f"### {section}\n\n![{_alternative(panels)}]({picture})\n")
            rows = [f"| {panel.title} | {panel.description} |" for panel in panels]
            parts.append("\n".join(["| panel | what it tells |", "|---|---|", *rows]) + "\n")
    return "\n".join(parts)


def picture_of(board: str, section: str) -> str:
    """Return the file name of a section's picture."""
    return f"{board}-{section.lower().replace(' ', '-')}.png"


def _alternative(panels: Sequence[Panel]) -> str:
    """Return what stands in the picture's place."""
    return "Panels: " + ", ".join(panel.title for panel in panels)
