"""Differences are shown with their intervals, and told in sentences."""

import io

from rich.console import Console

from mlpserve.bench.comparing.differences import RATE, Difference
from mlpserve.bench.comparing.report import describe_differences, draw_differences

SAME = Difference(RATE, 1000.0, 1000.2, 0.99, 1.01)
SLOWER = Difference("p99", 0.001, 0.00132, 1.2, 1.45)
RARE = Difference("p99.9", 0.002, 0.001)


def test_sentences() -> None:
    assert list(describe_differences([SAME, SLOWER, RARE])) == [
        "B's p99 is 1.32x A's (95% interval 1.20 to 1.45)."
    ]
    assert list(describe_differences([SAME, RARE])) == ["No difference beyond chance."]


def test_the_table() -> None:
    console = Console(file=io.StringIO(), width=80)
    with console.capture() as capture:
        console.print(draw_differences([SAME, SLOWER, RARE]))
    lines = [" ".join(line.split()) for line in capture.get().splitlines()]
    assert lines == [
        "from intended A B B / A 95% interval",
        "calls/s OK 1,000 1,000.2 1.00x 0.99 to 1.01",
        "p99 1 ms 1.32 ms 1.32x 1.20 to 1.45 differs",
        "p99.9 2 ms 1 ms 0.50x too few calls",
        "",
        "B's p99 is 1.32x A's (95% interval 1.20 to 1.45).",
    ]
