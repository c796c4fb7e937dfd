"""Prints how soon the page follows a knob, with its answer and with the score on test images."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from exporter import network
from exporter.commands.common import WEIGHTS
from exporter.export import graph, publishing
from harness.browser import open_page, start_browser
from harness.load import print_table
from harness.server_process import start_server

TURN = """
async (turns) => {
  const { store } = await import("/static/js/store.js");
  const { alter } = await import("/static/js/knobs/altering.js");
  const until = (condition) => new Promise((done) => {
    store.watch(["network", "readings"], () => condition() && queueMicrotask(done));
  });
  await until(() => store.state.network);
  document.getElementById("knobs").scrollIntoView();
  await until(() => store.state.readings);
  const found = [];
  const network = store.state.network;
  for (let k = 0; k < turns; k += 1) {
    const turn = ({ weights }) => (weights[k % weights.length] += 0.5);
    const altered = alter(network, turn, [k % network.layers.length]);
    const begin = performance.now();
    const scored = until(() => store.state.readings.network === altered);
    store.set({ altered });
    const answered = performance.now();
    await scored;
    found.push([answered - begin, performance.now() - begin]);
  }
  return found;
}
"""
"""Adds to a weight, and waits for the answer and for the score."""


@click.command()
@click.option("--turns", default=200, show_default=True, type=click.IntRange(min=1))
def main(turns: int) -> None:
    """Turn knobs of the network that ships in Chromium, and print the milliseconds until the page
    has its own answer and the score on 1,000 test images.
    """
    with tempfile.TemporaryDirectory() as folder:
        repository = Path(folder)
        publishing.publish(graph.build_saved(network.load(WEIGHTS)), repository, "digits")
        with (
            start_server(repository) as server,
            start_browser() as browser,
            open_page(browser, server.http_address) as opened,
        ):
            milliseconds = np.array(opened.page.evaluate(TURN, turns))
    rows = [
        describe(name, column)
        for name, column in zip(("answer", "score"), milliseconds.T, strict=True)
    ]
    print_table(("after a knob, ms", "median", "p99", "most"), rows)


def describe(name: str, milliseconds: np.ndarray) -> Sequence[str]:
    """Return the cells of a row."""
    figures = (*np.percentile(milliseconds, (50, 99)), milliseconds.max())
    return name, *(f"{figure:.1f}" for figure in figures)


if __name__ == "__main__":
    main()
