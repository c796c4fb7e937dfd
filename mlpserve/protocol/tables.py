"""Numbers of a message as the tables that they stand for."""

import numpy as np
import numpy.typing as npt

from mlpserve.protocol import wire


def as_table(
    name: str, values: npt.NDArray[np.float32], n_rows: int, n_columns: int
) -> npt.NDArray[np.float32]:
    """Return numbers (n,) as `n_rows` x `n_columns`; raises WireError, which calls them by the
    name, when they are more or fewer.
    """
    if values.size != n_rows * n_columns or min(n_rows, n_columns) < 0:
        raise wire.WireError(f"{name} has {values.size} numbers, not {n_rows} x {n_columns}")
    return values.reshape(n_rows, n_columns)
