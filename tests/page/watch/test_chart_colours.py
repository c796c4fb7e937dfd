"""The colours of series: seen against the surface, and told apart, however one sees colours."""

import re
from itertools import combinations

import pytest

from server.http.static_files import FOLDER
from tests.colours import EYES, Array, apart, contrast, linear

MIN_CONTRAST = 3.0
"""WCAG's for what is not text."""

MIN_DISTANCE = 0.07
"""In Oklab, where 0.02 is just noticeable."""

MIN_OPPOSITES = 0.15
"""Between colours that mean the opposite: at a glance, without comparing them."""


def read(theme: str) -> dict[str, Array]:
    """Return the colours among the stylesheets' variables, in linear RGB: the safe palette."""
    text = "".join((FOLDER / name).read_text() for name in ("css/base.css", "watch/charts.css"))
    text = re.sub(r"\[data-palette.*?\}", "", text, flags=re.DOTALL)
    found = re.findall(r"--([\w-]+): light-dark\(#(\w{6}), #(\w{6})\)", text)
    return {name: linear(light if theme == "light" else dark) for name, light, dark in found}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_series_are_seen_and_told_apart(theme: str) -> None:
    colours = read(theme)
    series = {name: colour for name, colour in colours.items() if name.startswith("series-")}
    assert len(series) == 8
    for name, colour in series.items():
        assert contrast(colour, colours["surface"]) >= MIN_CONTRAST, name
    for eyes in EYES:
        for one, other in combinations(series, 2):
            assert apart(series[one], series[other], eyes) >= MIN_DISTANCE, (eyes, one, other)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_opposites_are_told_apart(theme: str) -> None:
    colours = read(theme)
    for one, other in (("positive", "negative"), ("good", "bad")):
        assert contrast(colours[one], colours["surface"]) >= MIN_CONTRAST, one
        for eyes in EYES:
            assert apart(colours[one], colours[other], eyes) >= MIN_OPPOSITES, (eyes, one)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_few_calls_are_seen_and_many_stand_out(theme: str) -> None:
    colours = read(theme)
    few, many, surface = (colours[name] for name in ("heat-few", "heat-many", "surface"))
    assert contrast(many, surface) > 10
    assert 1.2 < contrast(few, surface) < contrast(many, surface) / 5
