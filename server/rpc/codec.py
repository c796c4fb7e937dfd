"""Between the wire and ndarrays: pixels out of a request, activations into a response."""

import numpy as np
import numpy.typing as npt

from mlpserve.v1 import classifier_pb2
from mlpserve.wire import encode_tagged
from server.errors import InvalidField
from server.model import Batch


def read_pixels(
    request: classifier_pb2.PredictRequest, n_pixels: int, max_batch_size: int
) -> Batch:
    """Return the request's batch (N, n_pixels) of numbers in [0, 1].

    Raises InvalidField when the pixels are missing, given twice, of a wrong count, too many, or out
    of range.
    """
    n_floats, n_bytes = len(request.pixels), len(request.pixels_u8)
    if n_floats and n_bytes:
        raise InvalidField(
            "both_forms", "pixels and pixels_u8 are both given; send one of them", "pixels"
        )
    if not n_floats and not n_bytes:
        raise InvalidField(
            "no_pixels",
            f"the batch is empty: send N x {n_pixels} numbers in pixels or N x {n_pixels} bytes "
            "in pixels_u8, N >= 1",
            "pixels",
        )
    field, count = ("pixels", n_floats) if n_floats else ("pixels_u8", n_bytes)
    if count % n_pixels:
        raise InvalidField(
            "pixel_count",
            f"{field} has {count} values, which is no multiple of {n_pixels}, the pixels of one "
            "image",
            field,
        )
    n_images = count // n_pixels
    if n_images > max_batch_size:
        raise InvalidField(
            "batch_size",
            f"{field} holds {n_images} images, and one call may hold {max_batch_size}; send "
            "several calls, or "
            "raise the server's --max-batch-size",
            field,
        )
    if n_bytes:
        levels = np.frombuffer(request.pixels_u8, np.uint8).reshape(n_images, n_pixels)
        return levels.astype(np.float32) / np.float32(255)
    batch = np.asarray(request.pixels, dtype=np.float32).reshape(n_images, n_pixels)
    # A NaN makes both comparisons false, an infinity one of them.
    if not (batch.min() >= 0 and batch.max() <= 1):
        raise _describe_bad_pixel(batch)
    return batch


def _describe_bad_pixel(batch: Batch) -> InvalidField:
    """Say which image and pixel is the first outside [0, 1]."""
    image, pixel = np.argwhere(~((batch >= 0) & (batch <= 1)))[0]
    value = float(batch[image, pixel])
    remedy = (
        "divide by 255 or send them as pixels_u8" if 1 < value <= 255 else "0 is black, 1 is white"
    )
    return InvalidField(
        "pixel_range" if np.isfinite(value) else "not_finite",
        f"pixels: image {image}, pixel {pixel} is {value:g}; every pixel must be a number in [0, "
        f"1] ({remedy})",
        "pixels",
    )


def write_response(
    model: str,
    version: int,
    label_names: tuple[str, ...],
    labels: npt.NDArray[np.int64],
    layers: list[Batch],
) -> bytes:
    """Return a serialized PredictResponse; `layers` is the output layer, then the hidden ones.

    Packed floats are copied as bytes, since filling a repeated field costs 60 to 320 ns a float.
    """
    message = classifier_pb2.PredictResponse
    head = message(
        model=model, version=version, labels=labels.tolist(), label_names=label_names
    ).SerializeToString()
    activations, *hidden = layers
    parts = [head, *encode_tagged(message.ACTIVATIONS_FIELD_NUMBER, _floats(activations))]
    for layer in hidden:
        parts += encode_tagged(message.HIDDEN_LAYERS_FIELD_NUMBER, _write_layer(layer))
    return b"".join(parts)


def _write_layer(activations: Batch) -> bytes:
    """Return a serialized LayerActivations."""
    message = classifier_pb2.LayerActivations
    head = message(neurons=activations.shape[1]).SerializeToString()
    packed = encode_tagged(message.ACTIVATIONS_FIELD_NUMBER, _floats(activations))
    return b"".join((head, *packed))


def _floats(values: Batch) -> bytes:
    """Return little-endian float32, which is what the wire takes."""
    return values.astype("<f4", copy=False).tobytes()
