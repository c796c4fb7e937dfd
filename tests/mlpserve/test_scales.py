"""Images that are nearly black by mistake raise one warning a place; blank and dim ones none."""

import asyncio
import re
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from exporter.training import mnist
from harness.server_process import ROOT
from mlpserve import Client, ScaleWarning, aio
from mlpserve.command.commands import mlpserve
from mlpserve.images import Pixels, as_pixels, doubt_scale, is_bright
from mlpserve.protocol.predict import encode_request
from tests.mlpserve.serving import Serving

Images = npt.NDArray[np.generic]


@pytest.fixture(scope="module")
def digits() -> npt.NDArray[np.float32]:
    """2,000 of MNIST's test images (N, 784)."""
    return mnist.load(ROOT / "tests" / "data", "test")[0][:2_000]


WRONG: dict[str, tuple[Callable[[npt.NDArray[np.float32]], Images], str]] = {
    "zeros and ones": (lambda x: (x > 0.5).astype(np.uint8), "images are uint8 of 0 and 1"),
    "inverted": (lambda x: (x <= 0.5).astype(np.uint8), "images are uint8 of 0 and 1"),
    "rounded": (lambda x: np.rint(x).astype(np.uint8), "images are uint8 of 0 and 1"),
    "twice": (lambda x: x / np.float32(255), "images have no pixel above 1/255"),
    "twice, in double": (lambda x: x.astype(float) / 255, "images have no pixel above 1/255"),
    "three times": (lambda x: x / np.float32(255) ** 2, "images have no pixel above 1/255"),
    "by 65535": (lambda x: x * 255 / np.float32(65535), "images have no pixel above 1/255"),
    "half": (lambda x: (x / 255).astype(np.float16), "images have no pixel above 1/255"),
    "binary": (lambda x: (x > 0.5) / np.float32(255), "images have no pixel above 1/255"),
}


@pytest.mark.parametrize("name", WRONG)
def test_scales_that_are_doubted(name: str, digits: npt.NDArray[np.float32]) -> None:
    change, words = WRONG[name]
    changed = change(digits)
    for images in (changed, changed.reshape(-1, 28, 28), *changed[:300]):
        doubt = doubt_scale(as_pixels(images))
        assert doubt is not None
        assert doubt.startswith(words)
    # Blank images at the beginning prove nothing.
    padded = np.concatenate([np.zeros_like(changed[:5]), changed])
    assert doubt_scale(as_pixels(padded)) == doubt


RIGHT: dict[str, Callable[[npt.NDArray[np.float32]], Images]] = {
    "floats": lambda x: x,
    "bytes": lambda x: np.rint(x * 255).astype(np.uint8),
    "bool": lambda x: x > 0.5,
    "levels as floats": lambda x: x * 255,
    "dim floats": lambda x: x / 100,
    "dim bytes": lambda x: np.rint(x * 2).astype(np.uint8),
    "standardised": lambda x: (x - np.float32(0.1307)) / np.float32(0.3081),
    "NaN": lambda x: x * np.float32(np.nan),
    "negative": lambda x: -x / 255,
}


@pytest.mark.parametrize("name", RIGHT)
def test_scales_that_are_not(name: str, digits: npt.NDArray[np.float32]) -> None:
    changed = RIGHT[name](digits)
    for images in (changed, *changed[:300]):
        assert doubt_scale(as_pixels(images)) is None


@given(
    hnp.arrays(
        st.sampled_from([np.float32, np.uint8]),
        hnp.array_shapes(min_dims=1, max_dims=2, min_side=8, max_side=40),
    )
)
def test_pixels_that_are_seen_to_be_bright_are_never_doubted(images: Pixels) -> None:
    assert not is_bright(encode_request(b"head", images), images) or doubt_scale(images) is None


@pytest.mark.parametrize("kind", [np.float32, np.uint8])
def test_a_bright_pixel_is_seen(kind: npt.DTypeLike) -> None:
    """What is seen at once need not be looked for."""
    bright = as_pixels(np.eye(28, dtype=kind) * np.asarray(255 if kind is np.uint8 else 0.99, kind))
    assert is_bright(encode_request(b"head", bright), bright)
    assert not is_bright(encode_request(b"head", bright * 0), bright)


def one_pixel(kind: npt.DTypeLike, value: float) -> Images:
    image = np.zeros(784, kind)
    image[400] = value
    return image


@pytest.mark.parametrize(
    "images",
    [
        np.zeros(784, np.uint8),
        np.zeros((9, 784), np.float32),
        np.ones(784, np.uint8),
        np.full(784, 1 / 255, np.float32),
        np.full(784, 1e-30, np.float32),
        one_pixel(np.uint8, 1),
        one_pixel(np.float32, 1 / 255),
        one_pixel(np.float32, 1e-9),
        np.array([0.0, 0.001, 0.002, 0.003]),
        np.array([[0.0, 0.001], [0.002, 0.003]] * 50),
    ],
    ids=lambda images: f"{images.shape} {images.dtype} {images.max():.3g}",
)
def test_blank_images_and_features_are_not_doubted(images: Images) -> None:
    assert doubt_scale(as_pixels(images)) is None


def test_a_dim_image_among_others_is_not_doubted(digits: npt.NDArray[np.float32]) -> None:
    images = digits[:100] / 255
    images[99] = digits[0]
    assert doubt_scale(as_pixels(images)) is None
    levels = (digits[:100] > 0.5).astype(np.uint8)
    levels[99, 3] = 2
    assert doubt_scale(as_pixels(levels)) is None


@pytest.mark.parametrize("is_aio", [False, True], ids=["threads", "asyncio"])
def test_the_warning_names_the_callers_line_once(
    is_aio: bool, serving: Serving, digits: npt.NDArray[np.float32]
) -> None:
    rows = (digits[:3] > 0.5).astype(np.uint8)
    images = (*rows, rows, *(digits[:3] / 255))

    async def call() -> None:
        async with aio.Client(serving.address) as client:
            for row in images:
                await client.predict(row)

    with warnings.catch_warnings(record=True) as caught, Client(serving.address) as client:
        warnings.simplefilter("default")
        if is_aio:
            asyncio.run(call())
        else:
            for row in images:
                client.predict(row)
    assert [warning.category for warning in caught] == [ScaleWarning] * 2
    assert [Path(warning.filename).name for warning in caught] == [Path(__file__).name] * 2
    line = Path(__file__).read_text().splitlines()[caught[0].lineno - 1]
    assert line.strip().removeprefix("await ") == "client.predict(row)"
    assert re.search(r"images\.astype\(bool\), or multiply them by 255$", str(caught[0].message))


def test_the_images_are_sent_nevertheless_or_not(client: Client, serving: Serving) -> None:
    image = (np.arange(784) % 2).astype(np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ScaleWarning)
        with pytest.raises(ScaleWarning):
            client.predict(image)
    assert not serving.requests
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ScaleWarning)
        client.predict(image)
    assert serving.requests[0].pixels_u8 == image.tobytes()


@pytest.mark.parametrize("level", [0, 1])
def test_the_command_says_nothing_of_its_own_pictures(
    level: int, tmp_path: Path, serving: Serving
) -> None:
    picture = np.zeros((28, 28), np.uint8)
    picture[8:20, 10:18] = level
    Image.fromarray(picture).save(tmp_path / "dark.png")
    arguments = ["predict", str(tmp_path / "dark.png"), "--invert", "no"]
    result = CliRunner().invoke(mlpserve, [*arguments, "--address", serving.address])
    assert not isinstance(result.exception, Warning)
    assert "Warning" not in result.stderr
