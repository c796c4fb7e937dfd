"""Kinds of picture files: depths of samples, colours and formats other than 8-bit RGB."""

import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageCms

from harness.pictures.digits import Mask, Random
from harness.pictures.scenes import Colours, encode, grey, mask, paint

Levels = Mask


def drawn(digit: Mask, random: Random) -> Colours:
    """Return dark ink on light paper."""
    return paint(mask(digit, random), grey(0.93, random), grey(0.1, random))


def grey_file(
    make: Callable[[Levels], bytes], *, dark: bool = True
) -> Callable[[Mask, Random], bytes]:
    """Return what writes grey levels in [0, 1] with `make`."""

    def draw(digit: Mask, random: Random) -> bytes:
        levels = drawn(digit, random).mean(axis=2)
        return make(levels if dark else 1 - levels)

    return draw


def coloured_file(mode: str, form: str) -> Callable[[Mask, Random], bytes]:
    """Return what writes a picture that Pillow has converted to a mode."""

    def draw(digit: Mask, random: Random) -> bytes:
        levels = np.rint(255 * drawn(digit, random)).astype(np.uint8)
        return encode(Image.fromarray(levels).convert(mode), form)

    return draw


def floats(scale: float, form: str = "TIFF") -> Callable[[Levels], bytes]:
    """Return what writes float32 samples in [0, scale]."""
    return lambda levels: encode(Image.fromarray(np.float32(scale) * levels), form)


def bits(depth: int, form: str = "PNG") -> Callable[[Levels], bytes]:
    """Return what writes 16-bit samples of which `depth` bits are used."""
    top = 2**depth - 1
    return lambda levels: encode(Image.fromarray(np.rint(top * levels).astype(np.uint16)), form)


def declared_bits(depth: int) -> Callable[[Levels], bytes]:
    """Return what writes a 16-bit PNG that says how many bits its samples have."""

    def make(levels: Levels) -> bytes:
        content = bits(depth)(levels)
        # After the signature and the header, which take 33 bytes.
        return content[:33] + png_chunk(b"sBIT", bytes([depth])) + content[33:]

    return make


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG file."""
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def integers(scale: float) -> Callable[[Levels], bytes]:
    """Return what writes signed 32-bit samples in [0, scale]."""
    return lambda levels: encode(
        Image.fromarray(np.rint(scale * levels.astype(np.float64)).astype(np.int32)), "TIFF"
    )


def portable_grey(top: int) -> Callable[[Levels], bytes]:
    """Return what writes a PGM that says its largest sample."""

    def make(levels: Levels) -> bytes:
        header = f"P5 {levels.shape[1]} {levels.shape[0]} {top}\n".encode()
        return header + np.rint(top * levels).astype(">u2" if top > 255 else np.uint8).tobytes()

    return make


def lab(digit: Mask, random: Random) -> bytes:
    """A TIFF in CIE Lab."""
    levels = np.rint(255 * drawn(digit, random)).astype(np.uint8)
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    transform = ImageCms.buildTransform(*profiles, "RGB", "LAB")
    converted = ImageCms.applyTransform(Image.fromarray(levels), transform)
    assert converted is not None
    return encode(converted, "TIFF")


KINDS = {
    "1 bit": coloured_file("1", "PNG"),
    "palette": coloured_file("P", "GIF"),
    "CMYK": coloured_file("CMYK", "JPEG"),
    "Lab": lab,
    "WebP": coloured_file("RGB", "WEBP"),
    "16 bits": grey_file(bits(16)),
    "16 bits, light on dark": grey_file(bits(16), dark=False),
    "10 bits in 16": grey_file(bits(10)),
    "12 bits in 16": grey_file(bits(12, "TIFF")),
    "14 bits in 16": grey_file(bits(14)),
    "10 bits in 16, light on dark": grey_file(bits(10), dark=False),
    "12 bits in 16, declared": grey_file(declared_bits(12)),
    "PGM of 12 bits": grey_file(portable_grey(4095)),
    "32-bit integers to 255": grey_file(integers(255)),
    "32-bit integers to 65535": grey_file(integers(65535)),
    "32-bit integers to 2^31": grey_file(integers(2**31 - 1)),
    "floats to 1": grey_file(floats(1)),
    "floats to 1, light on dark": grey_file(floats(1), dark=False),
    "floats to 255": grey_file(floats(255)),
    "PFM to 1": grey_file(floats(1, "PPM")),
}
