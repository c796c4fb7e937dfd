"""What the terminal shows of an image, with colours, without them, and in plain letters."""

import io
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from mlpserve.command.predict.outputs.drawing import draw

IMAGE = np.array([[0, 1, 0.5], [0, 1, 0.5], [1, 0, 0]], dtype=np.float32)


def terminal(encoding: str = "utf-8", **options: Any) -> Console:
    """A terminal of this encoding."""
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    return Console(file=file, force_terminal=True, **options)


def shown(console: Console) -> str:
    """What the console writes of the drawing."""
    with console.capture() as capture:
        console.print(draw(IMAGE, console))
    return capture.get()


def test_colours() -> None:
    black, grey, white = ("0;0;0", "128;128;128", "255;255;255")
    pairs = [(black, black), (white, white), (grey, grey), (white, black), (black, black)]
    blocks = [f"\x1b[38;2;{upper};48;2;{lower}m▀\x1b[0m" for upper, lower in pairs]
    wanted = "".join(blocks[:3]) + "\n" + blocks[3] + blocks[4] + blocks[4] + "\n"
    assert shown(terminal(color_system="truecolor", no_color=False)) == wanted


@pytest.mark.parametrize(
    "options",
    [
        {"color_system": None},
        {"color_system": "standard"},
        {"color_system": "truecolor", "no_color": True},
    ],
)
def test_shades_where_greys_are_missing(options: dict[str, Any]) -> None:
    assert shown(terminal(**options)) == " █▒\n▒  \n"


def test_no_color_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert shown(terminal(color_system="truecolor")) == " █▒\n▒  \n"


@pytest.mark.parametrize("color_system", [None, "truecolor"])
@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_plain_letters(encoding: str, color_system: str | None) -> None:
    assert shown(terminal(encoding, color_system=color_system)) == " @=\n=  \n"
