"""Compares what the page's modules make of pages of metrics with what `mlpserve top` does."""

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from playwright.sync_api import Page

from mlpserve.metrics import figures
from mlpserve.metrics.exposition import parse
from mlpserve.metrics.looks import Look, RecentWatch
from mlpserve.metrics.versions import versions

Pages = Sequence[tuple[str, float]]
"""Texts of /metrics, and when each was read."""

SECTIONS: Mapping[str, Callable[[Look], Any]] = {
    section.__name__: section
    for section in (
        figures.head,
        figures.calls,
        figures.methods,
        figures.codes,
        figures.rejected,
        figures.restarts,
        figures.images,
        figures.runs,
        figures.queue,
        figures.stages,
        figures.workers,
        versions,
    )
}

READ = """async ([pages, over, sections]) => {
    const { History } = await import("/static/watch/data/history.js");
    const figures = await import("/static/watch/data/figures.js");
    const history = new History();
    const read = (seconds) => {
        const look = history.look(seconds - over, seconds);
        return Object.fromEntries(sections.map((name) => [name, figures[name](look)]));
    };
    const live = pages.map(([text, seconds]) => {
        history.add(text, seconds);
        return read(seconds);
    });
    return { live, later: pages.map(([, seconds]) => read(seconds)) };
}"""


def read_by_page(blank: Page, pages: Pages, over: float) -> dict[str, list[dict[str, Any]]]:
    """Return what the page's modules make of each of some pages, over so many seconds: at once, and
    of the same times later, as when the page is paused.
    """
    found: dict[str, list[dict[str, Any]]] = blank.evaluate(
        READ, [list(pages), over, list(SECTIONS)]
    )
    return found


def read_by_top(pages: Pages, over: float) -> list[dict[str, Any]]:
    """Return what `mlpserve top` makes of them, by the names that JavaScript has."""
    watch = RecentWatch(over)
    looks = (watch.look(parse(text), seconds) for text, seconds in pages)
    return [{name: rename(section(look)) for name, section in SECTIONS.items()} for look in looks]


def rename(value: Any) -> Any:
    """Return dataclasses as dictionaries, with JavaScript's names of their fields."""
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        return {
            re.sub("_(.)", lambda match: match[1].upper(), name): rename(getattr(value, name))
            for name in names
        }
    if isinstance(value, Mapping):
        return {key: rename(item) for key, item in value.items()}
    return [rename(item) for item in value] if isinstance(value, (list, tuple)) else value


def assert_same(found: Any, expected: Any, where: str = "") -> None:
    """Compare two trees of numbers, of which nan is one."""
    if isinstance(expected, Mapping):
        assert list(found) == list(expected), where
        for key, value in expected.items():
            assert_same(found[key], value, f"{where} {key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for k, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_same(one, other, f"{where} {k}")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True), where
    else:
        assert found == expected, where
