"""A request to a model and its answer, independent of protocols."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from canonical import Canonical
from modelfile.input_range import PIXELS
from server.errors import InvalidField, TooLarge
from server.models.model import Batch, Model
from server.texts import quoted

FLOAT_BYTES = 4

LABELS_OF_ONE_BYTE = 128
"""Classes of a model up to which each label is one byte in messages."""

HEAD_BYTES = 10
"""Maximum bytes before a field's content: its tag and its size, five each."""

CHARACTER_BYTES = 4
"""Maximum bytes of a character in UTF-8."""

NO_IDENTIFIER = b""

CANONICALIZE_SECONDS = 150e-6
"""Roughly how long canonical mode takes for an image that needs cleaning; others take a tenth."""

Labels = npt.NDArray[np.intp]


def label_bytes(model: Model) -> int:
    """Return the maximum bytes of a label of the model in messages."""
    return (max(1, len(model.labels) - 1).bit_length() + 6) // 7


def encodable(text: str) -> str:
    """Return a text that protobuf can encode: bytes that are not Unicode, as in odd file names,
    become ?, as the answer would otherwise be lost.
    """
    return text if text.isascii() else text.encode(errors="replace").decode()


@dataclass(slots=True, eq=False)
class Answer:
    """A model's results for N images, in the form that messages take.

    `labels` are their brightest outputs, N numbers, as bytes where they fit. `layers` are
    activations as little-endian float32, image after image: the output layer's, then, if some
    request of the run wanted them, the hidden ones' from input to output. `canonical` describes how
    the images were canonicalized, if their request asked for that, and has them as the model saw
    them.
    """

    model: Model
    labels: Sequence[int]
    layers: list[memoryview]
    canonical: Canonical | None = None


WriteEach = Callable[[Model, Labels, Sequence[Batch], Sequence[bytes]], list[bytes]]


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """What a caller asks of a model for a batch, whose pixels lie in the message.

    They are N x P numbers as bytes: little-endian float32, or, with `is_bytes`, one byte each.
    `field` is the name of their field, for messages. `shape` is the shape that the caller gives, if
    the protocol has one, and `outputs` are the names of the outputs that it asks for. An empty
    `model` is the default one, version 0 the newest or the one that `label` points to. With
    `canonicalize` the images are canonicalized first. A run must begin within `timeout_seconds`;
    `extra_seconds` is roughly the time for an image besides the model's run.

    `write` makes the response, given what the reader returned as the request's identifier, and
    `measure` returns its maximum size in bytes for a number of images.
    `write_each`, if there is one, makes those of many calls with this same request, each for the
    image in its row of labels (N,) and layers (N, neurons), with its identifier.
    """

    model: str
    version: int
    is_bytes: bool
    field: str
    write: Callable[[Answer, bytes], bytes]
    measure: Callable[[Model, int], int]
    write_each: WriteEach | None = None
    hidden_activations: bool = False
    canonicalize: bool = False
    shape: tuple[int, ...] | None = None
    outputs: tuple[str, ...] = ()
    label: str = ""
    timeout_seconds: float = math.inf
    extra_seconds: float = 0.0

    @property
    def needs_pixels(self) -> bool:
        """Whether it is for models of pixels in [0, 1] only."""
        return self.is_bytes or self.canonicalize

    def count_images(self, pixels: memoryview, model: Model, max_batch_size: int) -> int:
        """Return the number of images; raises InvalidField when the request doesn't fit the model.

        A call may hold `max_batch_size` images.
        """
        n_pixels, size = model.n_pixels, len(pixels)
        if not size:
            raise InvalidField(
                "no_pixels",
                f"the batch is empty: send N x {n_pixels} {model.input_range.describe('numbers')}"
                + (f" or N x {n_pixels} bytes" if model.takes_pixels else "")
                + ", N >= 1",
                self.field,
            )
        if not model.takes_pixels:
            self._check_no_pixels(model)
        if not self.is_bytes and size % FLOAT_BYTES:
            raise InvalidField(
                "pixel_count",
                f"{self.field} has {size} bytes, which is not a multiple of {FLOAT_BYTES}, the "
                f"bytes of a float32; send {n_pixels} of these for each image",
                self.field,
            )
        count = size if self.is_bytes else size // FLOAT_BYTES
        if self.shape is not None:
            self._check_shape(self.shape, n_pixels)
        if count % n_pixels:
            raise InvalidField(
                "pixel_count",
                f"{self.field} has {count} values, which is not a multiple of {n_pixels}, the "
                f"pixels of one image; send {n_pixels} for each image{_describe_image(model)}",
                self.field,
            )
        n_images = count // n_pixels
        if n_images > max_batch_size:
            raise InvalidField(
                "batch_size",
                f"{self.field} holds {n_images} images, and one call may hold {max_batch_size}; "
                "send several calls, or raise the server's --max-batch-size",
                self.field,
            )
        if self.outputs:
            self._check_outputs(model)
        if self.canonicalize and math.isqrt(n_pixels) ** 2 != n_pixels:
            raise InvalidField(
                "not_square",
                f"canonicalize: the images of {model.name} have {n_pixels} pixels, which is not a "
                "square number; leave it out",
                "canonicalize",
            )
        return n_images

    def answer_bytes(self, model: Model, n_images: int) -> int:
        """Return the maximum bytes of the answer, which is linear in the images."""
        return self.measure(model, n_images)

    def check_answer(self, model: Model, n_images: int, max_message_bytes: int) -> None:
        """Raise TooLarge when the answer might not fit into a message."""
        size = self.answer_bytes(model, n_images)
        if size > max_message_bytes:
            raise TooLarge(
                "answer_bytes",
                f"the answer for {n_images} images has up to {size} bytes, larger than "
                f"max_message_bytes, {max_message_bytes}; send fewer images in one call, ask for "
                "fewer outputs, or raise the server's --max-message-bytes",
                size,
                max_message_bytes,
            )

    def _check_no_pixels(self, model: Model) -> None:
        """Raise InvalidField when the request asks a model whose inputs aren't pixels to treat them
        as such.
        """
        numbers = model.input_range.describe("numbers")
        if self.is_bytes:
            raise InvalidField(
                "not_pixels",
                f"{self.field}: bytes stand for {PIXELS.describe('pixels')}, but {model.name} "
                f"takes {numbers}; send them as float32",
                self.field,
            )
        if self.canonicalize and model.image_layout is None:
            raise InvalidField(
                "not_pixels",
                f"canonicalize: it is for {PIXELS.describe('pixels')} or images of a known "
                f"layout, but {model.name} takes {numbers}; leave it out",
                "canonicalize",
            )

    def _check_shape(self, shape: Sequence[int], n_pixels: int) -> None:
        """Raise InvalidField unless the shape is that of images, ignoring dimensions of one."""
        side = math.isqrt(n_pixels)
        is_square = side * side == n_pixels
        images = [(n_pixels,), (side, side)] if is_square else [(n_pixels,)]
        given = _without_ones(shape)
        # A single image may omit the first dimension, N.
        fits = any(image in (given, given[1:]) for image in map(_without_ones, images))
        if n_pixels == 1 and given:
            # Only the place of a dimension tells that it counts images.
            fits = fits and shape[0] == given[0]
        if not fits:
            wanted = f"[N, {n_pixels}]" + (f" or [N, {side}, {side}]" if is_square else "")
            raise InvalidField(
                "shape",
                f"{self.field} has shape {list(shape)}, wanted {wanted}",
                self.field,
            )

    def _check_outputs(self, model: Model) -> None:
        known = model.outputs
        for name in self.outputs:
            if name not in known:
                raise InvalidField(
                    "unknown_output",
                    f"outputs: {model.name} has no output {quoted(name)}; it has "
                    + ", ".join(known),
                    "outputs",
                )


def _describe_image(model: Model) -> str:
    """Return what a model's images are, if they are square ones of pixels."""
    side = math.isqrt(model.n_pixels)
    is_square = side * side == model.n_pixels
    return f", grey and {side} x {side}" if is_square and model.takes_pixels else ""


def _without_ones(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple([size for size in shape if size != 1])
