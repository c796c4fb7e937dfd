"""Numbers on the pages for those who watch are those of the code."""

import re

import pytest

from harness.server_process import ROOT
from mlpserve.joining.request_ids import MAX_JOINED_CHARACTERS
from server.http.monitoring.metrics import DEFAULT_SCRAPE_SECONDS, MAX_SCRAPES
from server.logs import lines, setup, writer
from server.models.model import MEMORY_FACTOR
from server.rpc.inference.statistics import ANSWER_SECONDS
from server.settings.settings import Settings
from server.supervisor import slot, standard_error
from server.telemetry import predictions, record, recording, tracing, version_stats
from server.telemetry.metrics import STAGES

WATCH = ROOT / "server" / "http" / "static" / "watch"


def constant(file: str, name: str) -> float:
    """Return a number of the page's modules."""
    (found,) = re.findall(rf"const {name} = ([\d_.* ]+);", (WATCH / file).read_text())
    product = 1.0
    for factor in found.split("*"):
        product *= float(factor)
    return product


DEFAULTS = Settings()
OBSERVABILITY: dict[str, float] = {
    "Up to {} lines, or half a megabyte, wait for it": writer.MAX_LINES,
    "A line has {} KiB at most": lines.MAX_LINE_BYTES / 1024,
    "`--log-calls {}` by default": DEFAULTS.log_calls,
    "up to {} printable ASCII characters": recording.MAX_REQUEST_ID,
    "with commas between them, up to {} characters": recording.MAX_REQUEST_IDS,
    "that travel together, up to {} characters": MAX_JOINED_CHARACTERS,
    "A worker logs at most {} failed calls a second": recording.ERROR_LINES,
    "each size up to {}, then powers of two": predictions.MAX_EXACT_SIZE,
    "unless their caller decides; {} |": DEFAULTS.trace_sample_rate,
    "`run` then links to up to {} other traced calls": tracing.MAX_LINKS,
    "with the stages of its first {} messages": record.MAX_STAGES / len(STAGES),
    "when it stops, for {} s at most": tracing.FLUSH_SECONDS,
}
RUNBOOK: dict[str, float] = {
    "allow for {} times the file's size": MEMORY_FACTOR,
}
WATCHING: dict[str, float] = {
    "It needs {} images": constant("data/versions.js", "MIN_DRIFT_IMAGES"),
    "The server writes {} pages at once": MAX_SCRAPES,
}
WORDS = {1: "a", 2: "two", 4: "four", 5: "five", 10: "ten"}
"""How the pages write small numbers."""

IN_WORDS: dict[str, tuple[str, float]] = {
    "A process that ends waits up to {} second for its last lines": (
        "observability",
        setup.FLUSH_SECONDS,
    ),
    "{} texts of 4 KiB a second": ("observability", standard_error.MAX_TEXTS),
    "does not answer within {} seconds": ("observability", ANSWER_SECONDS),
    "within that time, others within {} seconds": ("metrics", DEFAULT_SCRAPE_SECONDS),
    "keeps its series for {} minutes": ("metrics", version_stats.KEPT_SECONDS / 60),
    "exits after {} failed starts in a row": ("runbook", slot.MAX_FAILED_STARTS),
    "Numbers are of the **last {} seconds**": ("watch", constant("parts/view.js", "NOW_SECONDS")),
    "each for {} seconds at most": (
        "watch",
        constant("parts/reading.js", "MAX_MILLISECONDS") / 1000,
    ),
}


def page(name: str) -> str:
    """Return a page as one line."""
    return " ".join((ROOT / "docs" / f"{name}.md").read_text().split())


@pytest.mark.parametrize(
    ("name", "numbers"),
    [("observability", OBSERVABILITY), ("runbook", RUNBOOK), ("watch", WATCHING)],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_numbers(name: str, numbers: dict[str, float]) -> None:
    text = page(name)
    for sentence, number in numbers.items():
        assert sentence.format(f"{number:,g}") in text, sentence


def test_numbers_in_words() -> None:
    for sentence, (name, number) in IN_WORDS.items():
        assert sentence.format(WORDS[int(number)]) in page(name), sentence
    # Those that are written in other units.
    assert (writer.MAX_BYTES, standard_error.MAX_TEXT_BYTES) == (512 * 1024, 4096)
    assert slot.MAX_BACKOFF_SECONDS == 30
    assert "with pauses that grow to half a minute" in page("runbook")
    assert constant("data/history.js", "KEPT_SECONDS") == 15 * 60
    assert "A quarter of an hour is kept" in page("watch")


def test_ranges_of_charts() -> None:
    """Each is as many steps."""
    buttons = re.findall(
        r'<button type="button" value="(\d+)"', (WATCH.parent / "watch.html").read_text()
    )
    points = constant("data/history.js", "MAX_POINTS")
    said = re.findall(r"(\d+) minutes? in steps of (\d+) s", page("watch"))
    assert said == [(f"{int(b) // 60}", f"{int(b) / points:g}") for b in buttons if int(b) >= 60]
    assert page("watch").count("in steps of") == len(said) == 3
