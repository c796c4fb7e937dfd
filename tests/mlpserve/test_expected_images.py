"""The command asks once which images a model takes, and says when it takes none."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mlpserve.command.predict.target import find_version
from mlpserve.expected_images import Expected, NoImages, expect_pictures
from mlpserve.models import ImageLayout, Model, ModelVersion
from tests.mlpserve.command.test_cli import run
from tests.mlpserve.serving import Serving, read_batch

LAYOUT = ImageLayout(8, 8, "dark", 0.9, "box", (0.4, 0.4))


def model(
    name: str, *sizes: int, default: bool = False, layout: ImageLayout | None = None
) -> Model:
    """A model with a version for each size of its input; the last is damaged."""
    versions = [
        ModelVersion(number, True, "", (size, 10), (), "", "", layout)
        for number, size in enumerate(sizes, start=1)
    ]
    broken = ModelVersion(len(sizes) + 1, False, "damaged", (), (), "")
    return Model(name, (*versions, broken), {}, len(sizes), default)


def find_expected(models: Sequence[Model], name: str, version: int, side: int | None) -> Expected:
    """The images wanted of pictures by a model among others."""
    return expect_pictures(*find_version(models, name, version), side)


MODELS = (model("digits", 784, 400, default=True), model("small", 64, layout=LAYOUT))


def test_the_default_and_the_newest() -> None:
    found = find_expected(MODELS, "", 0, None)
    assert (found.shape, found.layout) == ((20, 20), None)


def test_a_version() -> None:
    assert find_expected(MODELS, "digits", 1, None).shape == (28, 28)


def test_a_layout() -> None:
    found = find_expected(MODELS, "small", 0, None)
    assert (found.shape, found.layout) == ((8, 8), LAYOUT)
    assert find_expected(MODELS, "small", 0, 8) == found


@pytest.mark.parametrize(
    ("name", "version", "side", "message"),
    [
        ("other", 0, None, r"there is no model 'other'; give --model one of: digits, small"),
        ("digits", 3, None, r"digits has no version 3; give --version one of: 1, 2"),
        ("digits", 1, 20, "20 x 20 = 400; give --side 28, or leave it out"),
        ("iris", 0, None, "takes 4000 numbers, which are no square image; send it arrays"),
        ("iris", 0, 63, "--side 63 makes images of 63 x 63 = 3969; leave it out"),
        ("empty", 0, None, r"empty has no version that is loaded; give another --model"),
    ],
)
def test_what_takes_no_such_images(name: str, version: int, side: int | None, message: str) -> None:
    models = (*MODELS, model("iris", 4000), model("empty"))
    with pytest.raises(NoImages, match=message):
        find_expected(models, name, version, side)


@pytest.mark.parametrize(
    ("told", "numbers"), [("", None), ("[0, 1]", None), ("[0, 16]", (0, 16)), ("[-1, 1]", (-1, 1))]
)
def test_numbers_of_another_range(told: str, numbers: tuple[float, float] | None) -> None:
    version = ModelVersion(1, True, "", (64, 10), (), "", told, LAYOUT)
    found = find_expected([Model("wide", (version,), {}, 1, True)], "", 0, None)
    assert found.numbers == numbers


def test_numbers_without_black_and_white() -> None:
    version = ModelVersion(1, True, "", (64, 10), (), "", "finite")
    with pytest.raises(NoImages, match="takes finite numbers, of which none is black or white"):
        find_expected([Model("columns", (version,), {}, 1, True)], "", 0, None)


def test_no_default() -> None:
    with pytest.raises(NoImages, match="no default model; give --model one of: small"):
        find_expected(MODELS[1:], "", 0, None)


def test_without_a_layout_pictures_are_only_resized(tmp_path: Path, serving: Serving) -> None:
    file = tmp_path / "ramp.png"
    levels = np.tile(np.arange(56, dtype=np.uint8) * 4, (56, 1))
    Image.fromarray(levels).save(file)
    assert run(file, "--address", serving.address).exit_code == 0
    (request,) = serving.requests
    assert not request.canonicalize
    sent = read_batch(request).reshape(28, 28)
    np.testing.assert_allclose(sent, levels[::2, ::2] / 255 + 2 / 255, atol=1 / 255)


def test_another_side_than_the_models(tmp_path: Path, serving: Serving) -> None:
    file = tmp_path / "white.png"
    Image.new("L", (5, 5), 255).save(file)
    result = run(file, "--side", "27", "--address", serving.address)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: pixels, version 3, takes 784 numbers; --side 27 makes")
