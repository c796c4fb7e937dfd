"""Drawings have the page's colours, which the colour-blind can tell apart, and no others."""

import re

import pytest
from click.testing import CliRunner

from exporter import cli
from exporter.study import palette
from exporter.study.palette import FILM, SAFE
from harness.server_process import ROOT
from server.http.static_files import FOLDER
from tests.colours import EYES, apart, contrast, linear

MIN_OPPOSITES = 0.15
"""In Oklab, where 0.02 is just noticeable."""

OTHER_COLOURS = re.compile(
    r"(?<!&)#[0-9a-f]{3}\b|#[0-9a-f]{6}\b|[\"'\[](?:bold |bright_)?(?:green|red|blue|orange)\b",
    re.IGNORECASE,
)


def dark_colours(text: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): light-dark\(#\w+, (#\w+)\)", text))


def test_colours_are_those_of_the_page() -> None:
    safe, film = (FOLDER / "css" / "base.css").read_text().split('[data-palette="film"]')
    page, changed = dark_colours(safe), dark_colours(film.split("}")[0])
    names = {"background": "BACKGROUND", "text": "TEXT", "muted": "FAINT", "line": "LINE"}
    for name, constant in names.items():
        assert getattr(palette, constant) == page[name]
    for drawn, colours in ((SAFE, page), (FILM, changed)):
        assert (drawn.positive, drawn.negative) == (colours["positive"], colours["negative"])


@pytest.mark.parametrize("eyes", EYES)
def test_safe_colours_are_told_apart(eyes: str) -> None:
    positive, negative, ground = map(linear, (SAFE.positive, SAFE.negative, palette.BACKGROUND))
    assert apart(positive, negative, eyes) >= MIN_OPPOSITES
    for colour in (positive, negative):
        assert contrast(colour, ground) >= 3
        assert apart(colour, ground, eyes) >= MIN_OPPOSITES


def test_film_colours_are_not() -> None:
    """Which is why they are not the default."""
    assert apart(linear(FILM.positive), linear(FILM.negative), "deuteranopia") < MIN_OPPOSITES / 2


def test_no_other_colours_are_used() -> None:
    files = sorted((ROOT / "exporter").rglob("*.py"))
    found = {
        path.name: OTHER_COLOURS.findall(path.read_text())
        for path in files
        if path != ROOT / "exporter" / "study" / "palette.py"
    }
    assert len(found) > 50
    assert not {name: colours for name, colours in found.items() if colours}


@pytest.mark.parametrize("command", ["draw", "look", "evaluate", "handmade"])
def test_commands_that_draw_have_a_choice(command: str) -> None:
    shown = CliRunner().invoke(cli.main, [command, "--help"]).output
    assert "--palette [safe|film]" in shown
    refused = CliRunner().invoke(cli.main, [command, "--palette", "sepia"])
    assert refused.exit_code == 2
    assert "'sepia' is not one of 'safe', 'film'" in refused.output
