"""Makes the images that models expect of picture files."""

from mlpserve.pictures.errors import PictureError
from mlpserve.pictures.fitting import Layout
from mlpserve.pictures.reading import Invert, read_picture

__all__ = ["Invert", "Layout", "PictureError", "read_picture"]
