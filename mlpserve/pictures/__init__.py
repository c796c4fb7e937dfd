"""Makes the images that models expect of picture files; needs Pillow and SciPy."""

from mlpserve.pictures.errors import PictureError
from mlpserve.pictures.reading import Invert, read_picture

__all__ = ["Invert", "PictureError", "read_picture"]
