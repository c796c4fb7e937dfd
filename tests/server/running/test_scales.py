"""A refused request is told what its numbers look like, on every kind of scale that people use."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from exporter.network.network import Batch
from modelfile.input_range import FINITE, PIXELS, InputRange
from server.running import scales
from server.running.scales import explain_scale

Labels = npt.NDArray[np.uint8]
Change = Callable[[Batch], Batch]
BLACK_AND_WHITE = "0 is black, 1 is white"


def alone(images: Batch) -> Batch:
    """Standardise each image by itself."""
    means, deviations = images.mean(axis=1, keepdims=True), images.std(axis=1, keepdims=True)
    return np.asarray((images - means) / deviations)


SCALES: dict[str, tuple[Change, str]] = {
    "levels": (lambda x: 255 * x, "looks like 0..255: divide by 255 or send uint8"),
    "dim levels": (lambda x: 20 * x, "looks like 0..255: divide by 255 or send uint8"),
    "10 bits": (
        lambda x: 1023 * x,
        "looks like more than 8 bits: divide by the largest possible",
    ),
    "16 bits": (
        lambda x: 65535 * x,
        "looks like more than 8 bits: divide by the largest possible",
    ),
    "MNIST": (
        lambda x: (x - 0.1307) / 0.3081,
        "looks standardised by MNIST's mean and deviation: send pixels in [0, 1], x * 0.3081 + 0",
    ),
    "-1 to 1": (lambda x: 2 * x - 1, "looks like [-1, 1]: send (x + 1) / 2"),
    "-1/2 to 1/2": (lambda x: x - 0.5, "looks like [-0.5, 0.5]: send x + 0.5"),
    "int8": (lambda x: np.rint(255 * x) - 128, "looks like -128..127: send (x + 128) / 255"),
    "each image": (alone, "looks standardised"),
    "all images": (lambda x: (x - x.mean()) / x.std(), "looks standardised"),
    "ImageNet": (lambda x: (x - 0.485) / 0.229, "looks standardised"),
    "overshoot": (lambda x: 1.2 * x, "looks like overshoot of resizing: clip it"),
    "ringing": (lambda x: 1.2 * x - 0.1 * (x > 0.9), "looks like overshoot of resizing: clip it"),
    "negative": (lambda x: -x, BLACK_AND_WHITE),
    "anything": (lambda x: 1e9 * x, BLACK_AND_WHITE),
}


def first_bad(images: Batch, wanted: InputRange) -> tuple[int, int]:
    bad = ~((images >= wanted.min_accepted) & (images <= wanted.max_accepted))
    image, pixel = divmod(int(bad.argmax()), images.shape[1])
    assert bad[image, pixel]
    return image, pixel


@pytest.mark.parametrize("name", SCALES)
@pytest.mark.parametrize("n_images", [1, 100])
def test_scales_are_recognised(name: str, n_images: int, digits: tuple[Batch, Labels]) -> None:
    change, words = SCALES[name]
    changed = change(digits[0][:200]).astype(np.float32)
    for begin in range(0, 200, n_images):
        images = changed[begin : begin + n_images]
        assert explain_scale(images, *first_bad(images, PIXELS), PIXELS).startswith(words)


@pytest.mark.parametrize("value", [-0.5, -1.0, -5.0, -300.0, -1e30])
def test_a_stray_pixel_below_black_says_nothing_of_the_scale(value: float) -> None:
    images = np.zeros((1, 784), np.float32)
    images[0, 9], images[0, 400:450] = value, 1
    assert explain_scale(images, 0, 9, PIXELS) == BLACK_AND_WHITE


def test_numbers_that_are_not_finite() -> None:
    images = np.zeros((2, 9), np.float32)
    images[0, 1], images[0, 2], images[1] = np.nan, np.inf, np.nan
    assert explain_scale(images, 0, 1, PIXELS).endswith("dividing by zero gives NaN")
    assert explain_scale(images, 0, 2, PIXELS) == BLACK_AND_WHITE
    assert explain_scale(images, 1, 0, FINITE) == "prepare them as for training"
    # Beside others that tell what is meant.
    images[0, 3] = 200
    assert explain_scale(images, 0, 3, PIXELS).startswith("looks like 0..255")


@pytest.mark.parametrize(
    ("wanted", "name", "words"),
    [
        (InputRange(-1, 1), "levels", "; looks like 0..255"),
        (InputRange(0, 255), "MNIST", "; looks standardised by MNIST's mean and deviation"),
        (InputRange(0, 255), "-1 to 1", "; looks like [-1, 1]"),
        (InputRange(0, 10), "anything", ""),
    ],
)
def test_models_of_other_numbers_have_another_remedy(
    wanted: InputRange, name: str, words: str, digits: tuple[Batch, Labels]
) -> None:
    images = SCALES[name][0](digits[0][:3]).astype(np.float32)
    explained = explain_scale(images, *first_bad(images, wanted), wanted)
    assert explained == f"prepare them as for training{words}"


def test_few_numbers_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def count(numbers: npt.NDArray[np.float64], _value: float) -> None:
        seen.append(len(numbers))

    monkeypatch.setattr(scales, "_guess", count)
    for shape in ((1000, 784), (1, 784), (1, 10**6), (10**6, 1)):
        explain_scale(np.full(shape, 9, np.float32), 0, 0, PIXELS)
    assert max(seen) <= scales.MAX_NUMBERS
