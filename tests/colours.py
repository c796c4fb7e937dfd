"""How colours look, to the colour-blind as well, and how far apart they are."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

# Machado, Oliveira and Fernandes (2009), at full severity; in linear RGB.
EYES = {
    "all": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def linear(code: str) -> Array:
    """Return a colour such as #56a8f5 in linear RGB."""
    parts = np.frombuffer(bytes.fromhex(code.removeprefix("#")), np.uint8) / 255
    light: Array = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return light


def contrast(one: Array, other: Array) -> float:
    """Return WCAG's contrast of two colours in linear RGB."""
    weights = np.array([0.2126, 0.7152, 0.0722])
    low, high = sorted((float(one @ weights), float(other @ weights)))
    return (high + 0.05) / (low + 0.05)


def oklab(rgb: Array) -> Array:
    """Return a colour in Oklab, where 0.02 is a difference that is just noticed."""
    lab: Array = TO_LAB @ np.cbrt(TO_CONES @ np.clip(rgb, 0, 1))
    return lab


def apart(one: Array, other: Array, eyes: str) -> float:
    """Return how different two colours in linear RGB look, in Oklab."""
    seen = EYES[eyes]
    return float(np.linalg.norm(oklab(seen @ one) - oklab(seen @ other)))
