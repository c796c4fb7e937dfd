"""Drawings have the page's colours, which the colour-blind can tell apart, and no others."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from exporter import cli
from exporter.study import palette
from exporter.study.palette import FILM, PALETTES, SAFE, Palette
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


@pytest.mark.parametrize("name", PALETTES)
def test_palette_is_that_of_pictures_and_words(name: str, tmp_path: Path) -> None:
    output, page, data = tmp_path / "h.npz", tmp_path / "h.md", ROOT / "tests" / "data"
    options = ("--output", output, "--page", page, "--data", data, "--palette", name)
    ended = CliRunner().invoke(cli.main, ["handmade", *map(str, options)])
    assert ended.exit_code == 0, ended.output
    chosen = PALETTES[name]
    (other,) = (each for each in PALETTES.values() if each is not chosen)
    text, drawing = page.read_text(), (tmp_path / "h" / "at-work.svg").read_text()
    for there, absent in zip(colours_of(chosen), colours_of(other), strict=True):
        assert there in text + drawing
        assert absent not in text + drawing
    with Image.open(io.BytesIO((tmp_path / "h" / "patterns.png").read_bytes())) as picture:
        pixels = {tuple(pixel) for pixel in np.asarray(picture.convert("RGB")).reshape(-1, 3)}
    brightest = {tuple(bytes.fromhex(colour[1:])) for colour in colours_of(chosen)[:2]}
    assert brightest <= pixels


def colours_of(chosen: Palette) -> tuple[str, ...]:
    return (
        chosen.positive,
        chosen.negative,
        f"{chosen.positive_name} where ink speaks for",
        f"{chosen.negative_name} where ink speaks against",
    )
