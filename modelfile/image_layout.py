"""How a model's images are laid out: which ink, how large, and where its centre is.

As a record, a JSON object that weights files and models carry, with the fields of `ImageLayout`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Ink = Literal["light", "dark"]
Centring = Literal["mass", "box"]

MIN_SIDE, MAX_SIDE = 0.01, 2.0
"""With its soft edge, ink that fills an image is larger than that."""

MAX_FLATTEST = 10.0


@dataclass(frozen=True, slots=True)
class ImageLayout:
    """What the images that a network was trained on have in common.

    `rows` and `columns` count pixels; `ink` is light on a dark background, or dark on a light one.
    All lengths are shares of the image's side: `longest_side` is the larger of the ink's height and
    width; `centre`, down and to the right from the middle of the first pixel, is where the centre
    is of the ink's mass or of its box, as `centring` says. Few images have ink whose height is a
    smaller share of its width than `flattest`; 0 when nothing is known of that.

    Raises ValueError for what can't be.
    """

    rows: int
    columns: int
    ink: Ink
    longest_side: float
    centring: Centring
    centre: tuple[float, float]
    flattest: float = 0.0

    def __str__(self) -> str:
        """Return it in a line, in pixels."""
        down, right = self.centre
        return (
            f"{self.rows} x {self.columns}, {self.ink} ink, longest side "
            f"{self.longest_side * self.rows:.1f}, centre of its {self.centring} at "
            f"{down * self.rows:.1f} down and {right * self.columns:.1f} right"
        )

    def __post_init__(self) -> None:
        for name in ("rows", "columns"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise ValueError(f"image_layout: {name} is {value!r}, wanted a positive integer")
        for name, choices in (("ink", get_args(Ink)), ("centring", get_args(Centring))):
            value = getattr(self, name)
            if value not in choices:
                wanted = " or ".join(choices)
                raise ValueError(f"image_layout: {name} is {value!r}, wanted {wanted}")
        down, right = self.centre
        for name, value, least, most in (
            ("longest_side", self.longest_side, MIN_SIDE, MAX_SIDE),
            ("flattest", self.flattest, 0.0, MAX_FLATTEST),
            ("centre, down,", down, 0.0, 1.0),
            ("centre, right,", right, 0.0, 1.0),
        ):
            # NaN fails the comparison.
            if not least <= value <= most:
                raise ValueError(
                    f"image_layout: {name} is {value!r}, wanted a number in [{least:g}, {most:g}]"
                )


MNIST = ImageLayout(28, 28, "light", 0.7321, "mass", (0.5, 0.5), 0.85)
"""MNIST's digits, which are 20 of 28 pixels high or wide, and whose centre of mass is at row and
column 14 (http://yann.lecun.com/exdb/mnist). Measured with their soft edges they are 20.5.
"""


def encode_image_layout(layout: ImageLayout) -> dict[str, Any]:
    """Return the record of a layout."""
    return asdict(layout)


def decode_image_layout(record: Mapping[str, Any] | None, n_inputs: int) -> ImageLayout | None:
    """Read the record of a network of `n_inputs` inputs; None when there is none.

    Raises ValueError, TypeError or KeyError when it can't be used.
    """
    if record is None:
        return None
    down, right = record["centre"]
    layout = ImageLayout(
        record["rows"],
        record["columns"],
        record["ink"],
        float(record["longest_side"]),
        record["centring"],
        (float(down), float(right)),
        float(record["flattest"]),
    )
    if layout.rows * layout.columns != n_inputs:
        raise ValueError(
            f"image_layout: {layout.rows} rows of {layout.columns} pixels for {n_inputs} inputs"
        )
    return layout
