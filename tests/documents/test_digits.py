"""The pictures of examples/digits are what examples/README.md says."""

import numpy as np
from PIL import Image

from tests.generate_examples import FOLDER, chosen


def test_each_picture_is_the_test_image() -> None:
    names = [f"{digit}.png" for digit in range(10)]
    assert sorted(path.name for path in FOLDER.iterdir()) == names
    for name, image in zip(names, chosen(), strict=True):
        with Image.open(FOLDER / name) as picture:
            assert (picture.mode, picture.size) == ("L", (28, 28))
            np.testing.assert_array_equal(np.asarray(picture), image)
