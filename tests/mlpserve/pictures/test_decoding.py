"""Samples of any depth and format give the same picture, and damaged files an error."""

import io
import random
import struct
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw, features

from harness.pictures import files
from harness.pictures.scenes import encode
from mlpserve.models import ImageLayout
from mlpserve.pictures import PictureError, read_picture
from mlpserve.pictures.decoding import decode
from mlpserve.pictures.samples import scale_samples

MNIST = ImageLayout(28, 28, "light", 20.5 / 28, "mass", (0.5, 0.5))
Levels = npt.NDArray[np.float32]


def draw_levels() -> Levels:
    """A two, dark on light."""
    picture = Image.new("L", (90, 90), 235)
    corners = [(25, 30), (45, 18), (62, 32), (28, 70), (66, 70)]
    ImageDraw.Draw(picture).line(corners, fill=25, width=8)
    return np.asarray(picture, np.float32) / np.float32(255)


LEVELS = draw_levels()


def read(content: bytes) -> Levels:
    return read_picture(io.BytesIO(content), (28, 28), MNIST)


PLAIN = read(encode(Image.fromarray(np.rint(255 * LEVELS).astype(np.uint8))))


def unsigned_tiff(levels: Levels) -> bytes:
    """A TIFF of unsigned 32-bit integers, which Pillow can't write."""
    samples = np.rint(levels.astype(np.float64) * (2**32 - 1)).astype("<u4").tobytes()
    height, width = levels.shape
    tags = {256: width, 257: height, 258: 32, 259: 1, 262: 1, 277: 1, 278: height, 339: 1}
    tags |= {273: 8, 279: len(samples)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, tags[tag]) for tag in sorted(tags))
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    return struct.pack("<2sHI", b"II", 42, 8 + len(samples)) + samples + directory


SAMPLES: dict[str, Callable[[Levels], bytes]] = {
    **{f"floats to {top:g}": files.floats(top) for top in (0.05, 1, 255, 1023, 65535, 1e6)},
    "PFM": files.floats(1, "PPM"),
    "floats around 0": lambda levels: files.floats(1)(2 * levels - 1),
    "floats beyond 1 by rounding": files.floats(1.0000001 / float(LEVELS.max())),
    **{f"{depth} bits in a PNG": files.bits(depth) for depth in (9, 10, 12, 14, 16)},
    **{f"{depth} bits in a TIFF": files.bits(depth, "TIFF") for depth in (10, 12, 16)},
    "12 bits, declared": files.declared_bits(12),
    **{f"integers to {top}": files.integers(top) for top in (1, 255, 4095, 2**24, 2**31 - 1)},
    "unsigned integers of 32 bits": unsigned_tiff,
    **{f"PGM to {top}": files.portable_grey(top) for top in (100, 255, 1000, 65535)},
}


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("dark", [True, False], ids=["dark ink", "light ink"])
def test_samples(name: str, dark: bool) -> None:
    levels = LEVELS if dark else 1 - LEVELS
    # Rounded to 0 and 1 there are no soft edges.
    np.testing.assert_allclose(read(SAMPLES[name](levels)), PLAIN, atol=0.3)


MODES = ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "YCbCr", "LAB", "HSV"]


@pytest.mark.parametrize("mode", MODES)
def test_modes(mode: str) -> None:
    picture = Image.fromarray(np.rint(255 * LEVELS).astype(np.uint8))
    if mode == "LAB":
        bands = [picture, *(Image.new("L", picture.size, 128) for _ in range(2))]
        converted = Image.merge("LAB", bands)
    else:
        converted = picture.convert("RGB").convert(mode)
    content = (
        encode(converted, "PNG" if mode in ("1", "L", "P", "RGBA", "LA") else "TIFF")
        if (mode != "HSV")
        else encode(converted.convert("RGB"), "BMP")
    )
    np.testing.assert_allclose(read(content), PLAIN, atol=0.35)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_none(wrong: float) -> None:
    levels = LEVELS.copy()
    levels[3, 4] = wrong
    with pytest.raises(PictureError, match="not finite"):
        read(files.floats(1)(levels))


def test_a_single_float_beyond_all_others_darkens_nothing() -> None:
    levels = LEVELS.repeat(3, axis=0).repeat(3, axis=1)
    levels[200, 20] = 1e30
    np.testing.assert_allclose(read(files.floats(1)(levels)), PLAIN, atol=0.35)


def test_what_white_is() -> None:
    for top in (1, 255, 1023, 4095, 65535):
        samples = np.array([[0, top // 2, top]], np.int32)
        assert scale_samples(Image.fromarray(samples)).max() == pytest.approx(1)
    half = Image.fromarray(np.array([[0, 2048, 2049]], np.int32))
    assert scale_samples(half).max() == pytest.approx(2049 / 4095)


def test_the_first_of_several_pictures_is_read() -> None:
    shown = Image.fromarray(np.rint(255 * LEVELS).astype(np.uint8))
    blank = Image.new("L", shown.size, 255)
    for form in ("GIF", "TIFF", "WEBP", "PNG"):
        content = encode(shown, form, save_all=True, append_images=[blank])
        np.testing.assert_allclose(read(content), PLAIN, atol=0.3)


def test_a_large_picture_takes_little_memory() -> None:
    content = encode(Image.new("RGB", (4000, 3000), "white"), "JPEG")
    colours = decode(io.BytesIO(content))
    assert max(colours.shape[:2]) <= 1600


def test_pictures_of_any_shape_are_read_or_refused() -> None:
    chance = np.random.default_rng(6)
    for shape in [(1, 1), (1, 2), (2, 1), (1, 400), (400, 1), (2, 3), (5, 5), (3, 1000), (28, 28)]:
        for levels in (chance.random(shape), np.eye(*shape), np.zeros(shape)):
            try:
                image = read(encode(levels.astype(np.float32)))
            except PictureError as error:
                assert "can't be read" not in str(error)  # noqa: PT017
            else:
                assert image.shape == (28, 28)
                assert 0 <= image.min() <= image.max() <= 1


FORMS = {
    form: options
    for form, options in {
        "PNG": {},
        "JPEG": {},
        "GIF": {},
        "BMP": {},
        "TIFF": {"compression": "tiff_lzw"},
        "WEBP": {},
        "AVIF": {},
        "DDS": {},
        "ICO": {},
        "TGA": {},
        "PPM": {},
        "PCX": {},
        "SGI": {},
        "JPEG2000": {},
        "ICNS": {},
        "QOI": {},
    }.items()
    if form not in ("AVIF", "JPEG2000", "WEBP")
    or features.check({"AVIF": "avif", "JPEG2000": "jpg_2000", "WEBP": "webp"}[form])
}


@pytest.mark.parametrize("form", FORMS)
def test_damaged_files_are_read_or_refused(form: str) -> None:
    if (form not in Image.SAVE and not Image.init()) or form not in Image.SAVE:
        pytest.skip(f"this Pillow writes no {form}")
    picture = Image.fromarray(np.rint(255 * LEVELS).astype(np.uint8)).convert("RGB")
    content = encode(picture.resize((48, 48)), form, **FORMS[form])
    chance = random.Random(form)
    for number in range(40):
        damaged = bytearray(content)
        if number % 4 == 0:
            del damaged[chance.randrange(len(damaged)) :]
        for _ in range(chance.choice((0, 1, 2, 8)) if damaged else 0):
            # Most of what is told of a picture stands first.
            last = min(len(damaged), chance.choice((40, 200, len(damaged))))
            damaged[chance.randrange(last)] = chance.choice((0, 255, chance.randrange(256)))
        try:
            image = read(bytes(damaged))
        except PictureError as error:
            assert str(error)  # noqa: PT017
        else:
            assert np.isfinite(image).all()
