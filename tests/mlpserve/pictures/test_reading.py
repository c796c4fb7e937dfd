"""Pictures drawn with Pillow become the image that they show, or an error that says why not."""

import contextlib
import io
import random
import struct
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw

from mlpserve.models import ImageLayout
from mlpserve.pictures import Invert, PictureError, read_picture

MNIST = ImageLayout(28, 28, "light", 20.5 / 28, "mass", (0.5, 0.5))
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
Colour = tuple[int, ...]


def draw_seven(
    size: tuple[int, int] = (200, 240), ink: Colour = BLACK, paper: Colour = WHITE, width: int = 20
) -> Image.Image:
    """A seven that fills the middle of the picture."""
    picture = Image.new("RGBA" if len(paper) == 4 else "RGB", size, paper)
    x, y = size[0] / 4, size[1] / 4
    corners = [(x, y), (3 * x, y), (2 * x, 3 * y)]
    ImageDraw.Draw(picture).line(corners, fill=ink, width=width)
    return picture


def read(
    picture: Image.Image, *, form: str = "PNG", side: int = 28, **options: Any
) -> npt.NDArray[np.float32]:
    """Write the picture to a file and read it as the client does."""
    invert = options.pop("invert", Invert.AUTO)
    file = io.BytesIO()
    picture.save(file, form, **options)
    file.seek(0)
    return read_picture(file, (side, side), MNIST, invert)


def centre_of_mass(image: npt.NDArray[np.float32]) -> tuple[float, float]:
    rows, columns = np.indices(image.shape)
    return float((rows * image).sum() / image.sum()), float((columns * image).sum() / image.sum())


SEVEN = read(draw_seven())


def size(image: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Height and width of the ink, with pixels at its edges in part."""
    return float(image.max(axis=1).sum()), float(image.max(axis=0).sum())


def assert_shows_seven(image: npt.NDArray[np.float32], atol: float = 0.02) -> None:
    """Pixels at edges differ when a picture is resized, others hardly."""
    assert float(np.abs(image - SEVEN).mean()) < atol
    assert centre_of_mass(image) == pytest.approx(centre_of_mass(SEVEN), abs=0.3)


def test_dark_on_light() -> None:
    assert SEVEN.shape == (28, 28)
    assert SEVEN.dtype == np.float32
    assert SEVEN.min() == 0
    assert SEVEN.max() == pytest.approx(1, abs=0.01)
    rows, columns = np.nonzero(SEVEN > 0.5)
    assert max(size(SEVEN)) == pytest.approx(20.2, abs=0.8)
    assert centre_of_mass(SEVEN) == pytest.approx((14, 14), abs=0.5)
    # The bar of the seven, and the empty corner below it.
    assert SEVEN[rows.min() + 1, columns.min() + 2 : columns.max() - 2].min() > 0.8
    assert SEVEN[rows.max() - 5 :, : columns.min() + 4].max() == 0


@pytest.mark.parametrize(
    "picture",
    [
        draw_seven(ink=WHITE, paper=BLACK),
        draw_seven(ink=(150, 150, 150), paper=(200, 200, 200)),
        draw_seven(ink=BLACK, paper=(0, 0, 0, 0)),
        draw_seven(ink=WHITE, paper=(0, 0, 0, 0)),
        draw_seven(ink=WHITE, paper=(255, 255, 255, 0)),
        draw_seven(ink=(0, 0, 200), paper=(250, 240, 230)),
        draw_seven().convert("L"),
        draw_seven().convert("1"),
        draw_seven().convert("P"),
        draw_seven(ink=BLACK, paper=(0, 0, 0, 0)).convert("LA"),
        draw_seven().convert("L").convert("I").point(lambda level: level * 257).convert("I;16"),
    ],
    ids=[
        "light",
        "faint",
        "dark-on-nothing",
        "light-on-nothing",
        "light-on-light-nothing",
        "colours",
        "grey",
        "two-levels",
        "palette",
        "grey-transparent",
        "sixteen-bits",
    ],
)
def test_any_colours_give_the_same_image(picture: Image.Image) -> None:
    np.testing.assert_allclose(read(picture), SEVEN, atol=0.05)


@pytest.mark.parametrize("form", ["JPEG", "BMP", "GIF", "TIFF", "WEBP"])
def test_formats(form: str) -> None:
    np.testing.assert_allclose(read(draw_seven(), form=form), SEVEN, atol=0.2)


def test_a_single_transparent_colour() -> None:
    picture = draw_seven(ink=BLACK, paper=(10, 20, 30))
    np.testing.assert_allclose(read(picture, transparency=(10, 20, 30)), SEVEN, atol=0.05)


@pytest.mark.parametrize("corner", [(-40, -50), (700, 10), (350, 400)])
def test_place_does_not_matter(corner: tuple[int, int]) -> None:
    wide = Image.new("RGB", (1000, 700), WHITE)
    wide.paste(draw_seven(), corner)
    assert_shows_seven(read(wide))


@pytest.mark.parametrize("factor", [2, 10])
def test_size_does_not_matter(factor: int) -> None:
    picture = draw_seven()
    larger = picture.resize(
        (picture.width * factor, picture.height * factor), Image.Resampling.NEAREST
    )
    np.testing.assert_allclose(read(larger), SEVEN, atol=0.1)


def test_wide_ink_keeps_its_proportions() -> None:
    picture = Image.new("L", (300, 200), 255)
    ImageDraw.Draw(picture).rectangle((50, 80, 249, 129), fill=0)
    height, width = size(read(picture))
    # A stroke as wide as that is thinned, too.
    assert width == pytest.approx(20, abs=1)
    assert height == pytest.approx(4.3, abs=1)


def test_a_picture_smaller_than_the_image() -> None:
    picture = Image.new("L", (3, 5), 255)
    picture.putpixel((1, 2), 0)
    image = read(picture)
    assert min(size(image)) > 14
    assert centre_of_mass(image) == pytest.approx((14, 14), abs=0.5)


def test_ink_far_from_its_centre_of_mass_stays_inside() -> None:
    picture = Image.new("L", (200, 200), 255)
    drawing = ImageDraw.Draw(picture)
    drawing.rectangle((10, 10, 60, 189), fill=0)
    drawing.line((60, 100, 189, 100), fill=0, width=10)
    _, columns = np.nonzero(read(picture))
    assert np.ptp(columns) + 1 == 20


def test_camera_rotation_is_undone() -> None:
    turned = draw_seven().transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    np.testing.assert_allclose(read(turned, exif=exif), SEVEN, atol=0.05)


@pytest.mark.parametrize("light", [True, False])
def test_clean_picture_of_the_size_and_layout_of_the_image_keeps_its_pixels(light: bool) -> None:
    levels = np.rint(255 * SEVEN).astype(np.uint8)
    # Grey in the ink, which cleaning would change.
    levels[7:9] //= 2
    image = read(Image.fromarray(255 - levels if light else levels))
    np.testing.assert_allclose(image, levels / 255, atol=1e-6)


@pytest.mark.parametrize(("down", "right"), [(-4, 0), (-3, 3), (0, -4)])
def test_digit_that_is_moved_is_moved_back(down: int, right: int) -> None:
    moved = np.roll(np.rint(255 * SEVEN).astype(np.uint8), (down, right), axis=(0, 1))
    assert_shows_seven(read(Image.fromarray(moved)))


def test_other_image_sizes() -> None:
    assert read(draw_seven(), side=14).shape == (14, 14)
    assert max(size(read(draw_seven(), side=56))) == pytest.approx(40.5, abs=1)


def test_inversion_can_be_chosen() -> None:
    # A light sheet with a hole in it, or a dark patch on the light.
    picture = Image.new("L", (200, 200), 20)
    drawing = ImageDraw.Draw(picture)
    drawing.ellipse((40, 40, 160, 160), fill=240)
    drawing.ellipse((70, 70, 130, 130), fill=20)
    ring, hole = (read(picture, invert=choice)[14, 14] for choice in (Invert.NO, Invert.YES))
    assert ring < 0.1
    assert hole > 0.9


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_picture_of_one_shade(level: int) -> None:
    with pytest.raises(PictureError, match="shows no ink"):
        read(Image.new("L", (100, 50), level))


def test_nothing_drawn_on_transparency() -> None:
    with pytest.raises(PictureError, match="shows no ink"):
        read(Image.new("RGBA", (100, 50), (0, 0, 0, 0)))


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n"])
def test_no_picture(content: bytes) -> None:
    with pytest.raises(PictureError, match="not a picture"):
        read_picture(io.BytesIO(content), (28, 28), MNIST)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_damaged_picture(form: str, share: float) -> None:
    file = io.BytesIO()
    noise = np.random.default_rng(4).integers(0, 256, (60, 60), dtype=np.uint8)
    Image.fromarray(noise).save(file, form)
    content = file.getvalue()[: int(file.tell() * share)]
    with pytest.raises(PictureError, match=r"damaged|not a picture"):
        read_picture(io.BytesIO(content), (28, 28), MNIST)


@pytest.mark.parametrize("side", [10_000, 60_000])
def test_picture_that_would_fill_the_memory(side: int) -> None:
    header = struct.pack("<2sIHHI", b"BM", 0, 0, 0, 54)
    details = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 24, 0, 0, 0, 0, 0, 0)
    with pytest.raises(PictureError, match=r"more than [\d,]+ pixels; make it smaller"):
        read_picture(io.BytesIO(header + details), (28, 28), MNIST)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "DDS", "BLP", "ICO", "TGA"])
def test_damaged_pictures_of_any_kind_are_read_or_refused(form: str) -> None:
    file = io.BytesIO()
    noise = np.random.default_rng(4).integers(0, 256, (40, 40), dtype=np.uint8)
    Image.fromarray(noise).convert("P" if form == "BLP" else "RGB").save(file, form)
    chance = random.Random(form)
    for _ in range(60):
        content = bytearray(file.getvalue())
        for _ in range(chance.choice((1, 2, 8))):
            # Most of what is told of a picture stands first.
            place = chance.randrange(min(len(content), chance.choice((40, 200, len(content)))))
            content[place] = chance.choice((0, 255, chance.randrange(256)))
        with contextlib.suppress(PictureError):
            read_picture(io.BytesIO(bytes(content)), (28, 28), MNIST)


def test_what_pillow_raises_of_its_own_is_told_as_damage() -> None:
    file = io.BytesIO()
    Image.new("P", (40, 40)).save(file, "BLP")
    content = bytearray(file.getvalue())
    content[4] = 9
    with pytest.raises(PictureError, match=r"the picture is damaged: Unknown BLP compression 9"):
        read_picture(io.BytesIO(bytes(content)), (28, 28), MNIST)


TINY = ImageLayout(8, 8, "light", 1.09, "box", (0.44, 0.44))


@pytest.mark.parametrize(
    ("change", "dark"),
    [
        (lambda levels: levels, False),
        (lambda levels: 255 - levels, True),
        (lambda levels: 60 + levels // 3, False),
        (lambda levels: 200 - levels // 4, True),
    ],
)
def test_small_images_keep_their_pixels(change: Any, dark: bool) -> None:
    """A two whose foot fills the last rows of an image that is eight pixels wide."""
    two = np.zeros((8, 8), np.uint8)
    two[0, 2:5], two[1:5, 5], two[5, 3:5], two[6, 2:8], two[7, 2:8] = 255, 255, 160, 200, 255
    file = io.BytesIO()
    Image.fromarray(change(two)).save(file, "PNG")
    for invert in (Invert.AUTO, Invert.YES if dark else Invert.NO):
        file.seek(0)
        image = read_picture(file, (8, 8), TINY, invert)
        np.testing.assert_allclose(image, two / 255, atol=0.02)


def test_small_images_without_ink_are_refused() -> None:
    file = io.BytesIO()
    Image.new("L", (8, 8), 90).save(file, "PNG")
    with pytest.raises(PictureError, match="no ink"):
        read_picture(file, (8, 8), TINY)
