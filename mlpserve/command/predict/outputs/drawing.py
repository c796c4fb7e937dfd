"""Draws an image with characters, for terminals with colours, without them, and for plain text."""

import numpy as np
import numpy.typing as npt
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.text import Text

SHADES = " ░▒▓█"
ASCII_SHADES = " .:-=+*#%@"
_UPPER_HALF = "▀"


def draw(image: npt.NDArray[np.float32], console: Console) -> Text:
    """Return a drawing of an image (rows, columns) in [0, 1], as well as the console can show it.

    A character is about twice as high as wide, so each stands for two pixels, one above the other:
    in their own greys where there are enough colours, otherwise by their mean, as a shade.
    """
    upper, lower = _pair_rows(image)
    blocks = _can_encode(SHADES + _UPPER_HALF, console.encoding)
    # Sixteen colours hold too few greys; NO_COLOR and pipes have none.
    has_greys = console.color_system in ("256", "truecolor") and not console.no_color
    if blocks and has_greys:
        return Text("\n").join(map(_grey_line, upper, lower))
    shades = SHADES if blocks else ASCII_SHADES
    return Text(
        "\n".join(_shade_line((a + b) / 2, shades) for a, b in zip(upper, lower, strict=True))
    )


def _pair_rows(
    image: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return the even rows and the odd rows; a black one is added to make their number even."""
    padded = np.pad(image.clip(0, 1), ((0, image.shape[0] % 2), (0, 0)))
    return padded[0::2], padded[1::2]


def _grey_line(upper: npt.NDArray[np.float32], lower: npt.NDArray[np.float32]) -> Text:
    line = Text()
    for above, below in zip(upper, lower, strict=True):
        line.append(_UPPER_HALF, Style(color=_grey(above), bgcolor=_grey(below)))
    return line


def _grey(pixel: np.float32) -> Color:
    level = round(float(pixel) * 255)
    return Color.from_rgb(level, level, level)


def _shade_line(pixels: npt.NDArray[np.float32], shades: str) -> str:
    steps = np.rint(pixels * (len(shades) - 1)).astype(int)
    return "".join(shades[step] for step in steps)


def _can_encode(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
