"""Tells programs which images of a request are refused, so that they can send the others."""

import numpy as np
import numpy.typing as npt

MAX_CHARACTERS = 300
"""How much of a status the list of images may take."""


def list_refused(are_refused: npt.NDArray[np.bool_]) -> dict[str, str]:
    """Return which images of several (N,) are refused, as `images`, such as 3,17-20, and `batch`,
    which is N; nothing for a single image. Of a list that is too long the beginning is returned.
    """
    if len(are_refused) == 1:
        return {}
    edges = np.flatnonzero(np.diff(are_refused, prepend=False, append=False)).reshape(-1, 2)
    # Each takes two characters at least.
    spans = [
        f"{begin}-{end - 1}" if end - begin > 1 else f"{begin}"
        for begin, end in edges[: MAX_CHARACTERS // 2].tolist()
    ]
    images = ",".join(spans)
    if len(images) > MAX_CHARACTERS:
        images = images[: images.rindex(",", 0, MAX_CHARACTERS + 1)]
    return {"images": images, "batch": str(len(are_refused))}
