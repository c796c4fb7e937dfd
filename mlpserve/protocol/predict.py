"""Between arrays and the messages of Predict, without work per number."""

import functools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mlpserve.errors import InvalidResponse
from mlpserve.images import Pixels
from mlpserve.prediction import Canonicalization, Prediction
from mlpserve.protocol import packed, wire
from mlpserve.protocol.parameters import make_request
from mlpserve.protocol.tables import as_table
from mlpserve.v1 import classifier_pb2

_PIXELS = classifier_pb2.PredictRequest.PIXELS_FIELD_NUMBER
_PIXELS_U8 = classifier_pb2.PredictRequest.PIXELS_U8_FIELD_NUMBER
_RESPONSE = classifier_pb2.PredictResponse
_ASKED_FOR = {_RESPONSE.HIDDEN_LAYERS_FIELD_NUMBER, _RESPONSE.CANONICALIZATION_FIELD_NUMBER}
_WIRE_FLOATS = np.dtype("<f4")
_WIRE_INTEGERS = np.dtype("<i8")
_LABELS_TAG = wire.encode_tag(_RESPONSE.LABELS_FIELD_NUMBER, 0)[:-1]
_ACTIVATIONS_TAG = wire.encode_tag(_RESPONSE.ACTIVATIONS_FIELD_NUMBER, 0)[:-1]
_SMALL_BYTES = 1 << 16
_ONE_BYTE = 0x80
"""Integers below it have one byte on the wire."""
_INTEGER_BYTES = 8
_SEVEN_ZEROS = bytes(_INTEGER_BYTES - 1)


@functools.lru_cache(maxsize=256)
def encode_head(
    model: str = "",
    version: int = 0,
    label: str = "",
    hidden_activations: bool = False,
    canonicalize: bool = False,
    canonical_pixels: bool = False,
) -> bytes:
    """Return a serialized PredictRequest without pixels, equal for calls that ask for the same."""
    return make_request(
        classifier_pb2.PredictRequest,
        model=model,
        version=version,
        label=label,
        hidden_activations=hidden_activations,
        canonicalize=canonicalize,
        canonical_pixels=canonical_pixels,
    ).SerializeToString()


def encode_request(head: bytes, pixels: Pixels) -> bytes:
    """Return a serialized PredictRequest; uint8 pixels travel as `pixels_u8`, float32 as `pixels`.

    The pixels, of any shape, are written row-major.
    """
    kind, n_bytes = pixels.dtype.char, pixels.nbytes
    start = _encode_start(head, kind, n_bytes)
    if n_bytes <= _SMALL_BYTES and sys.byteorder == "little":
        return start + pixels.tobytes()
    # Copied once, from the array into the message.
    content = np.ascontiguousarray(pixels, np.uint8 if kind == "B" else _WIRE_FLOATS)
    return b"".join((start, content.data))


@functools.lru_cache(maxsize=256)
def _encode_start(head: bytes, kind: str, n_bytes: int) -> bytes:
    """Return what stands before so many bytes of pixels of a type, B or f."""
    return head + wire.encode_tag(_PIXELS_U8 if kind == "B" else _PIXELS, n_bytes)


def encode_joined(head: bytes, kind: str, contents: Sequence[bytes]) -> bytes:
    """Return a serialized PredictRequest for the pixels of several, as they end their requests;
    `kind` is the type of their pixels, B or f.
    """
    return b"".join((_encode_start(head, kind, sum(map(len, contents))), *contents))


class ResponseReader:
    """Reads the answers to a client's calls; may be used from any thread.

    Nearly all answers differ in labels and activations alone, and what stands around these, the
    model and the names of its classes, is compared with the last answer's instead of read again.
    """

    def __init__(self) -> None:
        self._frame: _Frame | None = None

    def read(self, message: bytes) -> Prediction:
        """Return what a serialized PredictResponse says; raises as `decode_response` does."""
        frame = self._frame
        if frame is not None:
            # The usual answer to one image, here and not in a function, since calling one costs.
            size, place, before, between, labels, n_bytes, shape = frame.one
            if (
                len(message) == size
                and message.startswith(before)
                and message.startswith(between, place + 1)
                and message[place] < len(labels)
            ):
                # In memory of their own the numbers are aligned, and the caller may write to them.
                memory = bytearray(labels[message[place]] + message[-n_bytes:])
                return Prediction(
                    np.ndarray((1,), _WIRE_INTEGERS, memory),
                    np.ndarray(shape, _WIRE_FLOATS, memory, _INTEGER_BYTES),
                    frame.label_names,
                    frame.model,
                    frame.version,
                )
            if (prediction := frame.read(message)) is not None:
                return prediction
        prediction = decode_response(message)
        self._frame = _Frame.around(prediction)
        return prediction


def decode_response(message: bytes) -> Prediction:
    """Return what a serialized PredictResponse says.

    Raises InvalidResponse when it is no such message or when its parts contradict each other.
    """
    response = _RESPONSE
    try:
        fields = wire.read_fields(message)
        labels = wire.read_integers(fields, response.LABELS_FIELD_NUMBER)
        label_names = wire.read_texts(fields, response.LABEL_NAMES_FIELD_NUMBER)
        activations = wire.read_floats(fields, response.ACTIVATIONS_FIELD_NUMBER)
        n_images, n_classes = len(labels), len(label_names)
        if not n_images or labels.min() < 0 or labels.max() >= n_classes:
            raise wire.WireError(f"it has {n_classes} classes and the labels {labels.tolist()}")
        return Prediction(
            labels=labels,
            activations=as_table("activations", activations, n_images, n_classes),
            label_names=label_names,
            model=wire.read_text(fields, response.MODEL_FIELD_NUMBER),
            version=wire.read_integer(fields, response.VERSION_FIELD_NUMBER),
            **_decode_asked_for(fields, n_images),
        )
    except wire.WireError as error:
        raise InvalidResponse(f"the answer is not a valid PredictResponse: {error}") from error


@dataclass(frozen=True, slots=True)
class _Frame:
    """What stands in an answer before its labels, and between them and its activations, with the
    tags of both.
    """

    before: bytes
    between: bytes
    model: str
    version: int
    label_names: tuple[str, ...]
    small_labels: bytes
    """All that have one byte on the wire."""
    one: tuple[int, int, bytes, bytes, tuple[bytes, ...], int, tuple[int, int]]
    """Of an answer to one image with a small label and nothing that was asked for: its size and its
    label's place, what stands before that and between it and the activations, small labels as
    integers of eight bytes, and the activations' bytes and shape.
    """

    @classmethod
    def around(cls, prediction: Prediction) -> "_Frame":
        """Return what a server writes around the labels and activations of a prediction."""
        model, version, names = prediction.model, prediction.version, prediction.label_names
        before = _RESPONSE(model=model, version=version).SerializeToString() + _LABELS_TAG
        between = _RESPONSE(label_names=names).SerializeToString() + _ACTIVATIONS_TAG
        small_labels = bytes(range(min(len(names), _ONE_BYTE)))
        n_bytes = 4 * len(names)
        one_before, one_between = before + b"\1", between + wire.encode_varint(n_bytes)
        one = (
            len(one_before) + 1 + len(one_between) + n_bytes,
            len(one_before),
            one_before,
            one_between,
            tuple(bytes((label,)) + _SEVEN_ZEROS for label in small_labels),
            n_bytes,
            (1, len(names)),
        )
        return cls(before, between, model, version, names, small_labels, one)

    def read(self, message: bytes) -> Prediction | None:
        """Return what an answer with this frame says, None when it has another or is wrong."""
        if not message.startswith(self.before):
            return None
        n_classes = len(self.label_names)
        try:
            n_bytes, begin = wire.read_varint(message, len(self.before))
            end = begin + n_bytes
            if not message.startswith(self.between, end):
                return None
            n_bytes, start = wire.read_varint(message, end + len(self.between))
            rest = start + n_bytes
            labels = self._read_labels(message[begin:end])
            n_images = len(labels)
            if not n_images or n_bytes != 4 * n_images * n_classes or rest > len(message):
                return None
            asked_for = {}
            if rest < len(message):
                fields = wire.read_fields(memoryview(message)[rest:])
                if any(number not in _ASKED_FOR for number, _, _ in fields):
                    return None
                asked_for = _decode_asked_for(fields, n_images)
        except ValueError:
            return None
        return Prediction(
            labels,
            np.ndarray((n_images, n_classes), _WIRE_FLOATS, bytearray(message[start:rest])),
            self.label_names,
            self.model,
            self.version,
            **asked_for,
        )

    def _read_labels(self, content: bytes) -> npt.NDArray[np.int64]:
        """Return the labels in packed varints, none when one is wrong; raises ValueError."""
        if not content.translate(None, self.small_labels):
            return np.frombuffer(content, np.uint8).astype(np.int64)
        labels = packed.decode_varints(np.frombuffer(content, np.uint8))
        return labels if 0 <= labels.min() <= labels.max() < len(self.label_names) else labels[:0]


def _decode_asked_for(fields: list[wire.Field], n_images: int) -> dict[str, Any]:
    """Return what an answer says only when the request asked for it."""
    layers = wire.read_contents(fields, _RESPONSE.HIDDEN_LAYERS_FIELD_NUMBER)
    done = wire.read_contents(fields, _RESPONSE.CANONICALIZATION_FIELD_NUMBER)
    return {
        "hidden_layers": tuple(_decode_layer(layer, n_images) for layer in layers),
        "canonicalization": _decode_canonicalization(done[-1], n_images) if done else None,
    }


def _decode_layer(message: memoryview, n_images: int) -> npt.NDArray[np.float32]:
    layer = classifier_pb2.LayerActivations
    fields = wire.read_fields(message)
    activations = wire.read_floats(fields, layer.ACTIVATIONS_FIELD_NUMBER)
    neurons = wire.read_integer(fields, layer.NEURONS_FIELD_NUMBER)
    return as_table("a hidden layer", activations, n_images, neurons)


def _decode_canonicalization(message: memoryview, n_images: int) -> Canonicalization:
    done = classifier_pb2.Canonicalization
    fields = wire.read_fields(message)
    inverted = wire.read_integers(fields, done.INVERTED_FIELD_NUMBER)
    if len(inverted) != n_images:
        raise wire.WireError(f"inverted has {len(inverted)} answers, not {n_images}")
    scales = wire.read_floats(fields, done.SCALES_FIELD_NUMBER)
    shifts = wire.read_floats(fields, done.SHIFTS_FIELD_NUMBER)
    pixels = wire.read_floats(fields, done.PIXELS_FIELD_NUMBER)
    return Canonicalization(
        inverted=inverted.astype(bool),
        scales=as_table("scales", scales, n_images, 2),
        shifts=as_table("shifts", shifts, n_images, 2),
        pixels=as_table("pixels", pixels, n_images, pixels.size // n_images)
        if pixels.size
        else None,
    )
