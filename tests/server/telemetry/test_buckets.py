"""How far off quantiles may be that are read from the buckets, by the code and by the pages."""

import math
import re
from itertools import pairwise

from harness.server_process import ROOT
from mlpserve.metrics.looks import quantile
from server.telemetry.metrics import LATENCY_BUCKETS


def test_the_page_says_how_far_off_quantiles_may_be() -> None:
    """In the worst case all values lie where a bucket begins, and what is read where it ends."""
    stretches = {
        "between 100 us and 9.54 ms it is off by {} at most": (1e-4, 9.54e-3),
        "from 50 us on by {}": (5e-5, 1e-4),
        "up to 10 s by {}": (9.5e-3, 10.0),
    }
    page = " ".join((ROOT / "docs" / "metrics.md").read_text().split())
    for sentence, (begin, end) in stretches.items():
        errors = [0.0]
        for low, high in pairwise(LATENCY_BUCKETS):
            if begin <= low and high <= end:
                exact = math.nextafter(low, high)
                buckets = {bound: float(bound > low) for bound in (*LATENCY_BUCKETS, math.inf)}
                errors.append(abs(quantile(buckets, 1.0) - exact) / exact)
        assert sentence.format(f"{max(errors):.0%}") in page
    assert max(errors) > 1


def test_all_pages_agree_how_far_off_quantiles_may_be() -> None:
    pages = [*(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"]
    said = [
        sentence
        for page in pages
        for sentence in re.split(r"(?<=[.:;]) ", " ".join(page.read_text().split()))
        if re.search(r"\bquantiles?\b", sentence)
        and re.search(r"\b(off|within)\b", sentence)
        and re.search(r"tenth|fifth|quarter|\d%", sentence)
    ]
    assert len(said) >= 2
    assert all("20%" in sentence for sentence in said), said
