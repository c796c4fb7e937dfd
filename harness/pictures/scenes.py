"""Paper, ink and light: what happens to a mask of ink until a camera has it."""

import colorsys
import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from harness.pictures.digits import Mask, Random, enlarge, place, stroke

Colours = npt.NDArray[np.float32]
"""A picture (rows, columns, 3) of red, green and blue in [0, 1]."""

Colour = tuple[float, float, float]

SIDE = 400


def mask(
    digit: Mask,
    random: Random,
    *,
    side: int = SIDE,
    size: tuple[float, float] = (0.75, 1),
    pen: float | None = None,
) -> Mask:
    """Return a page (side, side) with the digit about in its middle.

    `size` bounds MNIST's frame, of which a digit is 20/28, as a share of the page; `pen` draws
    the digit's skeleton with a pen of so many pixels.
    """
    frame = round(side * random.uniform(*size))
    drawn = enlarge(digit, frame) if pen is None else stroke(digit, frame, pen)
    slack = (side - frame) // 2
    top, left = (slack + int(random.integers(-slack // 3, slack // 3 + 1)) for _ in range(2))
    return place(drawn, (side, side), top, left)


def grey(level: float, random: Random, tint: float = 0.02) -> Colour:
    """Return a grey that is slightly coloured, as paper is."""
    red, green, blue = (np.clip(level + random.uniform(-tint, tint), 0, 1) for _ in range(3))
    return float(red), float(green), float(blue)


def hue(random: Random, saturation: tuple[float, float], value: tuple[float, float]) -> Colour:
    """Return a colour of any hue."""
    return colorsys.hsv_to_rgb(random.random(), random.uniform(*saturation), random.uniform(*value))


def paint(ink: Mask, paper: Colour | Colours, colour: Colour | Colours) -> Colours:
    """Lay ink of one colour on paper."""
    cover = ink[..., np.newaxis]
    under = np.asarray(paper, np.float32)
    return np.asarray(under * (1 - cover) + np.asarray(colour, np.float32) * cover, np.float32)


def shade(picture: Colours, light: npt.NDArray[np.floating[Any]]) -> Colours:
    """Light each pixel of a picture with a share of full light."""
    return np.asarray(picture * light[..., np.newaxis], np.float32)


def ramp(shape: tuple[int, ...], random: Random) -> Mask:
    """Return a ramp from 0 to 1 over the page, in any direction."""
    angle = random.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[: shape[0], : shape[1]] / max(shape[:2])
    slope = rows * np.sin(angle) + columns * np.cos(angle)
    return np.asarray((slope - slope.min()) / np.ptp(slope), np.float32)


def radius(shape: tuple[int, ...]) -> Mask:
    """Return how far each pixel is from the middle; 1 in the corners."""
    rows, columns = (np.linspace(-1, 1, length) for length in shape[:2])
    return np.asarray(np.hypot(rows[:, np.newaxis], columns) / np.sqrt(2), np.float32)


def add_noise(picture: Colours, random: Random, deviation: float, blur: float = 0) -> Colours:
    """Add a sensor's noise; `blur` pixels of it hang together, as after a phone's smoothing."""
    noise = random.standard_normal(picture.shape, np.float32)
    if blur:
        noise = ndimage.gaussian_filter(noise, (blur, blur, 0))
        noise /= noise.std()
    return np.asarray((picture + deviation * noise).clip(0, 1), np.float32)


def lines(
    shape: tuple[int, int], random: Random, *, squared: bool, count: tuple[float, float] = (5, 10)
) -> Mask:
    """Return where the lines of a ruled or squared page are."""
    pitch = shape[0] / random.uniform(*count)
    width = random.uniform(0.8, 3) * shape[0] / SIDE
    cover = np.zeros(shape, np.float32)
    for axis in (0, 1) if squared else (0,):
        places = np.arange(shape[axis]) + random.uniform(0, pitch)
        distance = np.abs((places + pitch / 2) % pitch - pitch / 2)
        line = (width / 2 + 0.5 - distance).clip(0, 1)
        cover = np.maximum(cover, line[:, np.newaxis] if axis == 0 else line)
    return np.asarray(cover, np.float32)


def frame(shape: tuple[int, int], margin: float, width: float) -> Mask:
    """Return where a rectangle's lines are, `margin` pixels from the edges."""
    distances = [np.minimum(np.arange(n), n - 1 - np.arange(n)) for n in shape]
    nearest = np.minimum(distances[0][:, np.newaxis], distances[1])
    return np.asarray((width / 2 + 0.5 - np.abs(nearest - margin)).clip(0, 1), np.float32)


def rounded(shape: tuple[int, int], margin: float, corner: float) -> Mask:
    """Return how much of each pixel a card with round corners covers."""
    outward = [
        (np.abs(np.arange(n) - (n - 1) / 2) - (n / 2 - margin - corner)).clip(0, None)
        for n in shape
    ]
    distance = np.hypot(outward[0][:, np.newaxis], outward[1])
    return np.asarray((corner + 0.5 - distance).clip(0, 1), np.float32)


def as_bytes(levels: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Round levels in [0, 1] to bytes."""
    return np.asarray(np.rint(255 * levels.clip(0, 1)), np.uint8)


def encode(
    picture: Image.Image | npt.NDArray[np.float32], form: str = "PNG", **options: Any
) -> bytes:
    """Return the file of a picture, or of levels in [0, 1]."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(as_bytes(picture))
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def photograph(picture: Colours, random: Random) -> bytes:
    """Return a picture as a telephone's JPEG."""
    return encode(picture, "JPEG", quality=int(random.integers(75, 95)))
