"""Images as squares, which looking inside needs: edges and loops exist in two dimensions only."""

import math

from exporter.network.network import NetworkError


def side_of(n_pixels: int) -> int:
    """Return the side of a square image of `n_pixels`; raises NetworkError when there is none."""
    side = math.isqrt(n_pixels)
    if side**2 != n_pixels:
        raise NetworkError(
            f"images: {n_pixels} pixels each are no square image; look into a network of square "
            "images, such as 28x28 = 784 pixels"
        )
    return side
