"""The arrays that pictures are made of."""

import numpy as np
import numpy.typing as npt

Levels = npt.NDArray[np.float32]
"""A picture (rows, columns) of brightness in [0, 1], or of ink."""

Colours = npt.NDArray[np.float32]
"""A picture (rows, columns, 1 or 3) of grey or of red, green and blue, in [0, 1]."""

Mask = npt.NDArray[np.bool_]
"""Which pixels (rows, columns) something holds for."""
