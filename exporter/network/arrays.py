"""Arrays that people wrote, as the float32 and the names that a network is made of."""

import math

import numpy as np
import numpy.typing as npt

from exporter.errors import ExporterError
from exporter.files import READ_ERRORS, Arrays
from exporter.network.network import Batch
from modelfile.input_range import MAX_FLOAT32

Array = npt.NDArray[np.generic]

MIN_INTEGER_BYTES = 4
"""Shorter integers are not what NumPy makes of Python's, but quantised."""

MARKS = "\ufeff\x00"
"""What files may begin and texts of a fixed length may end with: a byte-order mark, NULs."""


class WeightsError(ExporterError):
    """A weights file can't be used; the message names file, key, what was found and wanted."""


def to_float32(key: str, values: Array) -> tuple[Batch, str]:
    """Return values as float32, and what that changed, empty when nothing.

    Floats are rounded, integers taken where they stay what they are. Raises WeightsError for what
    is not finite in float32, for integers of 8 and 16 bits, and for anything else.
    """
    kind = values.dtype.kind
    if kind not in "fiu" or (kind != "f" and values.dtype.itemsize < MIN_INTEGER_BYTES):
        scaled = "; multiply what is quantised by its scale" if kind in "iu" else ""
        raise WeightsError(
            f"{key} holds {values.dtype}, wanted float32{scaled}; convert it with "
            "astype(numpy.float32)"
        )
    with np.errstate(over="ignore"):
        converted: Batch = values.astype(np.float32)
    finite = np.isfinite(converted)
    if not finite.all():
        place = tuple(np.argwhere(~finite)[0].tolist())
        wanted = "finite numbers"
        if np.isfinite(values[place]):
            wanted = f"numbers up to {MAX_FLOAT32:.7g}, the largest float32"
        raise WeightsError(f"{key} holds {values[place]} at {list(place)}, wanted {wanted}")
    if values.dtype == np.float32:
        return converted, ""
    exact = values.astype(np.longdouble)
    difference = float(np.max(np.abs(converted - exact), initial=0.0))
    if not difference:
        return converted, f"{key}: {values.dtype} became float32, without a change"
    if kind != "f":
        raise WeightsError(
            f"{key} holds {values.dtype} up to {np.abs(exact).max():.0f}, which float32 can't tell "
            "apart; scale them down, and convert them with astype(numpy.float32)"
        )
    return converted, f"{key}: {values.dtype} was rounded to float32, by up to {difference:.2g}"


def to_names(key: str, values: Array) -> tuple[str, ...]:
    """Return the elements of an array as texts; raises WeightsError if they can't be names."""
    try:
        return tuple(to_name(value) for value in values.reshape(-1).tolist())
    except ValueError as error:
        raise WeightsError(f"{key} {error}") from error
    except READ_ERRORS as error:
        # NumPy keeps any numbers in place of letters.
        raise WeightsError(f"{key} is not Unicode: {error}") from error


def read_texts(arrays: Arrays, key: str, count: int, what: str) -> tuple[str, ...] | None:
    """Return an array of `count` names, one for each `what`; None when it isn't there."""
    if key not in arrays:
        return None
    values = arrays[key]
    if values.shape != (count,):
        raise WeightsError(
            f"{key} is {values.dtype} {values.shape}, wanted text ({count},), one for each {what}"
        )
    texts = to_names(key, values)
    if not all(texts):
        raise WeightsError(f"{key} has an empty text, wanted a name for each {what}")
    return texts


def to_name(value: object) -> str:
    """Return a class or the name of one as text, without what surrounds it: b"a" and " a " are a,
    3.0 is 3. Raises ValueError for other values, with words that follow an array's key.
    """
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"holds {value}, wanted texts or finite numbers")
        value = int(value) if value.is_integer() else value
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError as error:
            raise ValueError(f"holds {value[:20]!r}, which is not UTF-8") from error
    if not isinstance(value, str | int | float):
        raise ValueError(f"holds {value!r}, wanted texts or numbers")
    return str(value).strip(MARKS).strip()
