"""What is shown where nothing or much has happened, and how wide it is."""

import re

from rich.console import Console

from mlpserve.command.overview import draw
from mlpserve.metrics.exposition import parse
from mlpserve.metrics.looks import RecentWatch
from tests.mlpserve.metrics.simulated import Simulated


def show(*pages: str) -> str:
    """Return what a terminal of 100 columns shows of pages a second apart."""
    watch = RecentWatch(10)
    look = [watch.look(parse(text), time) for time, text in enumerate(pages)][-1]
    console = Console(width=100, highlight=False, markup=False, emoji=False)
    with console.capture() as capture:
        console.print(draw("localhost:8080", look))
    return capture.get()


def test_nothing_has_happened() -> None:
    server = Simulated(0, names=("digits",))
    shown = show(server.page(), server.page())
    assert "no calls counted" in shown
    assert re.search(r"^rejected requests by reason +none", shown, re.MULTILINE)
    assert re.search(r"^digits 1 \(v1\) +- +0 +0 ", shown, re.MULTILINE)


def test_once_after_calls_shows_them() -> None:
    server = Simulated(0, names=("digits",))
    server.work(30)
    shown = show(server.page(), server.page())
    assert "no calls" not in shown
    assert re.search(r"^Predict +0 +[1-9]", shown, re.MULTILINE)
    assert re.search(r"^calls by code +OK \d+ \(0/s\)", shown, re.MULTILINE)


def test_it_fits_a_terminal_of_100_columns() -> None:
    server = Simulated(0, names=("digits",))
    server.work(1)
    first = server.page()
    server.work(2000)
    shown = show(first, server.page())
    # Labels may be of any length.
    assert "…" not in shown.partition("labels")[0]
    assert re.search(r"^Predict +[\d,]{5,} ", shown, re.MULTILINE)


def test_each_number_has_its_unit() -> None:
    server = Simulated(0, names=("digits",))
    server.work(1)
    first = server.page()
    server.work(200)
    shown = show(first, server.page())
    heads = "method", "version", "worker "
    for line in (line for line in shown.splitlines() if line.startswith(heads)):
        assert re.search(r"calls/s|images/s", line), line
    for name in ("images", "calls by code"):
        assert re.search(rf"^{name} .*\d/s", shown, re.MULTILINE), name
    for name in ("where a call's time goes", r"stages \(p99\)"):
        assert re.search(rf"^{name} ( +\w+ [\d.]+ (us|ms|s)){{4}} *$", shown, re.MULTILINE), name
    assert re.search(r"^bytes queued +\S+ B of \S+ B ", shown, re.MULTILINE)
    assert re.search(r"winning activation .*\n.* p10 p50 p90 +\(PSI\)", shown)


def test_a_silent_worker_is_told_of() -> None:
    server = Simulated(0, names=("digits",))
    server.silent = {"1"}
    shown = show(server.page(), server.page())
    assert re.search(r"^1( +-){6} +does not answer", shown, re.MULTILINE)


def test_what_a_server_does_not_tell_is_left_open() -> None:
    server = Simulated(0, names=("digits",), tells_predictions=False)
    server.work(30)
    shown = show(server.page(), server.page())
    assert re.search(r"^digits 1 \(v1\)( +-){8}", shown, re.MULTILINE)
