"""Makes pictures smaller or larger, in float32."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from mlpserve.pictures.arrays import Colours, Levels


def resize(
    levels: Levels,
    size: tuple[int, int],
    method: Image.Resampling = Image.Resampling.BOX,
    box: tuple[float, float, float, float] | None = None,
) -> Levels:
    """Return levels at (rows, columns); `box` is left, top, right and bottom of what is taken."""
    resized = Image.fromarray(np.ascontiguousarray(levels, np.float32)).resize(
        (size[1], size[0]), method, box
    )
    return np.asarray(resized, np.float32)


def shrink(picture: npt.NDArray[np.float32], side: int) -> Colours:
    """Return a picture (rows, columns, channels) whose longest side has at most `side` pixels."""
    scale = side / max(picture.shape[:2])
    if scale >= 1:
        return picture
    size = max(1, round(picture.shape[0] * scale)), max(1, round(picture.shape[1] * scale))
    return np.stack([resize(picture[..., k], size) for k in range(picture.shape[2])], axis=2)


def enlarge(picture: Colours, side: int) -> Colours:
    """Return a picture, enlarged by a whole number so that its longest side has at least `side`
    pixels.
    """
    factor = -(-side // max(picture.shape[:2]))
    if factor <= 1:
        return picture
    size = picture.shape[0] * factor, picture.shape[1] * factor
    method = Image.Resampling.BICUBIC
    channels = [resize(picture[..., k], size, method) for k in range(picture.shape[2])]
    return np.stack(channels, axis=2).clip(0, 1)
