"""Decodes picture files."""
from typing import BinaryIO
import numpy as np
from PIL import Image, ImageOps
from mlpserve.pictures.arrays import Colours
from mlpserve.pictures.opacity import reveal
def decode(file: BinaryIO) -> Colours:
    with Image.open(file) as picture:
        p = ImageOps.exif_transpose(picture)
        if p.mode[0] in "IF":
            a = np.asarray(p.convert("F"), np.float32)
            return ((a - 0) / a.max())[..., None]
        if p.has_transparency_data:
            rgba = np.asarray(p.convert("RGBA"), np.float32) / 255
            return reveal(rgba[..., :3], rgba[..., 3])
        if p.mode in ("L", "1"):
            return (np.asarray(p.convert("L"), np.float32) / 255)[..., None]
        return np.asarray(p.convert("RGB"), np.float32) / 255
