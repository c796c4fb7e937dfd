"""Real classifiers of scikit-learn, trained for a moment on its 8x8 digits."""

from typing import Any

import numpy as np
from sklearn.datasets import load_digits  # type: ignore[import-untyped]
from sklearn.neural_network import MLPClassifier  # type: ignore[import-untyped]

from exporter.network.network import Batch


def images_and_digits() -> tuple[Batch, Any]:
    """1,797 images (N, 64) in [0, 1] and their digits (N,)."""
    images, digits = load_digits(return_X_y=True)
    return (images / 16).astype(np.float32), digits


def fitted(images: Any, classes: Any, **options: Any) -> Any:
    """Return a classifier that stops before scikit-learn warns of too few epochs."""
    settings = {"hidden_layer_sizes": (16, 12), "tol": 0.05, "n_iter_no_change": 2}
    return MLPClassifier(random_state=0, max_iter=500, **settings | options).fit(images, classes)
