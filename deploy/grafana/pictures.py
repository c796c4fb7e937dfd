"""`python -m deploy.grafana.pictures` draws the dashboards for docs/dashboards.md.

Without Grafana: it asks a Prometheus what the panels ask, and draws the answers with matplotlib.
"""

import contextlib
import hashlib
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click

from deploy.grafana import writing
from deploy.grafana.page import picture_of
from deploy.grafana.reading import Dashboard, Panel, fill, read
from deploy.grafana.rendering import scene, watching
from deploy.grafana.rendering.answered import Answered
from deploy.grafana.rendering.asking import Prometheus, Series
from deploy.grafana.rendering.drawing import draw

SCRAPE_SECONDS = 5
POINTS = 180
"""Along the time of a picture, as many as a narrow panel of Grafana's asks for."""

INSTANT = ("bargauge", "barchart", "table")
"""Kinds of panels that show the newest value alone."""

BINS_OF = "ink"
"""Of what the picture of drift shows the bins."""


@click.command()
@click.option("--prometheus", "address", help="HOST:PORT of one to query instead.")
@click.option(
    "--minutes", default=float(scene.MINUTES), show_default=True, help="Time that they show."
)
@click.option(
    "--folder", default=writing.PICTURES, type=click.Path(path_type=Path), help="For the pictures."
)
@click.option(
    "--only", multiple=True, metavar="FILE", help="Draw this picture only; may be repeated."
)
def main(address: str | None, minutes: float, folder: Path, only: Sequence[str]) -> None:
    """Draw every section of the dashboards as a PNG.

    Without --prometheus a server and a Prometheus are started, and called for a quarter of an hour.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if address is not None:
        _draw_all(address, minutes, folder, only)
        return
    with tempfile.TemporaryDirectory() as temporary, scene.serve(Path(temporary)) as served:
        config = watching.configure(Path(temporary), served.http, f"{SCRAPE_SECONDS}s")
        with watching.prometheus(config) as own:
            scene.play(served)
            _draw_all(own, minutes, folder, only)


@dataclass(frozen=True, slots=True)
class Span:
    """The time that the pictures show, in seconds since 1970, with a point every `step`."""

    start: float
    end: float
    step: float


def _draw_all(address: str, minutes: float, folder: Path, only: Sequence[str]) -> None:
    end = time.time()
    span = Span(end - 60 * minutes, end, max(SCRAPE_SECONDS, 60 * minutes / POINTS))
    # As Grafana does with the timeInterval of the datasource.
    window = max(4 * SCRAPE_SECONDS, span.step + SCRAPE_SECONDS)
    windows = {"__rate_interval": f"{window:.0f}s", "__range": f"{60 * minutes:.0f}s"}
    with contextlib.closing(Prometheus(address)) as prometheus:
        for file in writing.dashboards():
            board = read(file)
            values = prometheus.choose(board.variables) | windows | {"of": BINS_OF}
            marks = _marks(prometheus, board, span)
            for section in board.sections:
                picture = folder / picture_of(file.stem, section)
                if only and picture.name not in only:
                    continue
                panels = [panel for panel in board.panels if panel.section == section]
                answers = [_answers(prometheus, panel, values, span) for panel in panels]
                answered = [
                    Answered(panel, answer, span.start, end, marks)
                    for panel, answer in zip(panels, answers, strict=True)
                ]
                picture.write_bytes(draw(answered, fingerprint(panels)))
                click.echo(f"{picture.name}: {picture.stat().st_size / 1000:.0f} kB")


def _answers(
    prometheus: Prometheus, panel: Panel, values: Mapping[str, str], span: Span
) -> list[list[Series]]:
    expressions = [fill(target.expression, values) for target in panel.targets]
    if panel.kind in INSTANT:
        return [prometheus.at(expression, span.end) for expression in expressions]
    return [
        prometheus.between(expression, span.start, span.end, span.step)
        for expression in expressions
    ]


def _marks(prometheus: Prometheus, board: Dashboard, span: Span) -> list[float]:
    """Return when the dashboard's marks begin."""
    marks = []
    for expression in board.marks.values():
        for series in prometheus.between(expression, span.start, span.end, span.step):
            before = (float("-inf"), *series.times)
            gaps = zip(before, series.times, strict=False)
            marks += [now for then, now in gaps if now - then > 2 * span.step]
    return marks


def fingerprint(panels: Sequence[Panel]) -> str:
    """Return what a picture of these panels says of itself, so that an old one is known."""
    # Descriptions are not drawn.
    record = [asdict(replace(panel, description="")) for panel in panels]
    return hashlib.sha256(json.dumps(record, default=sorted).encode()).hexdigest()


if __name__ == "__main__":
    main()
