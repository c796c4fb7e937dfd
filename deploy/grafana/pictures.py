"""`python -m deploy.grafana.pictures` draws the dashboards for docs/dashboards.md.

Without Grafana: it asks a Prometheus what the panels ask, and draws the answers with matplotlib.
"""

import contextlib
import hashlib
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import click

from deploy.grafana import writing
from deploy.grafana.page import picture_of
from deploy.grafana.reading import Panel, fill, read
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


def _draw_all(address: str, minutes: float, folder: Path, only: Sequence[str]) -> None:
    end = time.time()
    start, step = end - 60 * minutes, max(SCRAPE_SECONDS, 60 * minutes / POINTS)
    # As Grafana does with the timeInterval of the datasource.
    window = max(4 * SCRAPE_SECONDS, step + SCRAPE_SECONDS)
    windows = {"__rate_interval": f"{window:.0f}s", "__range": f"{60 * minutes:.0f}s"}
    with contextlib.closing(Prometheus(address)) as prometheus:
        over_time = partial(prometheus.between, start=start, end=end, step=step)
        newest = partial(prometheus.at, time=end)
        for file in writing.dashboards():
            board = read(file)
            values = prometheus.choose(board.variables) | windows | {"of": BINS_OF}
            marked = [series for mark in board.marks.values() for series in over_time(mark)]
            marks = [begin for series in marked for begin in _begins(series, step)]
            for section in board.sections:
                picture = folder / picture_of(file.stem, section)
                if only and picture.name not in only:
                    continue
                panels = [panel for panel in board.panels if panel.section == section]
                answered = []
                for panel in panels:
                    ask = newest if panel.kind in INSTANT else over_time
                    answers = [ask(fill(target.expression, values)) for target in panel.targets]
                    answered.append(Answered(panel, answers, start, end, marks))
                picture.write_bytes(draw(answered, fingerprint(panels)))
                click.echo(f"{picture.name}: {picture.stat().st_size / 1000:.0f} kB")


def _begins(series: Series, step: float) -> list[float]:
    """Return the times at which a series begins, or goes on after a pause."""
    before = (float("-inf"), *series.times)
    pairs = zip(before, series.times, strict=False)
    return [now for then, now in pairs if now - then > 2 * step]


def fingerprint(panels: Sequence[Panel]) -> str:
    """Return what a picture of these panels says of itself, so that an old one is known."""
    # Descriptions are not drawn.
    record = [asdict(replace(panel, description="")) for panel in panels]
    return hashlib.sha256(json.dumps(record, default=sorted).encode()).hexdigest()


if __name__ == "__main__":
    main()
