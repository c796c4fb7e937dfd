"""ModelInferResponses, written as bytes.

What stands around the values is the same in all answers of a version with the same outputs and as
many images, so it is written once.
"""

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlpserve.inference import open_inference_pb2 as protocol
from mlpserve.protocol import wire
from modelfile.layout import HIDDEN, MAX_VERSION, OUTPUT
from server.models.model import LABELS, Batch, Model
from server.rpc.inference import FLOATS, INTEGERS, TEXTS
from server.rpc.inference.classes import max_text_bytes, rank
from server.rpc.inference.parameters import FINAL
from server.running.request import (
    CHARACTER_BYTES,
    FLOAT_BYTES,
    HEAD_BYTES,
    LABELS_OF_ONE_BYTE,
    Answer,
    Labels,
    encodable,
    label_bytes,
)
from server.running.together import bytes_of, fill, write_one_by_one

MAX_DIGITS = len(str(MAX_VERSION))

INTEGER_BYTES = 8
"""What a value of datatype INT64 has."""

SIZE_BYTES = 4
"""What stands before a text among raw values."""

OUTPUT_BYTES = 10 * HEAD_BYTES
"""What stands in a response around an output's name and values at most."""

LABEL_NAMES = "label_names"
"""The parameter of the labels that says what they stand for."""

_INFERRED = protocol.ModelInferResponse
_OUTPUT = _INFERRED.InferOutputTensor
_CONTENTS = protocol.InferTensorContents
_HIDDEN = HIDDEN.format("")


@dataclass(frozen=True, slots=True)
class Output:
    """An output that a response is to hold: all its values, or the `class_count` largest of each
    image with their places and, for the output layer, labels.
    """

    name: str
    class_count: int = 0

    @property
    def layer(self) -> int:
        """The place of its values among an answer's layers; its model must have it."""
        return 0 if self.name == OUTPUT else int(self.name.removeprefix(_HIDDEN))

    def columns(self, layer_sizes: Sequence[int]) -> int:
        """Return how many values of each image it has."""
        n = layer_sizes[self.layer or -1]
        return min(n, self.class_count or n)


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """What responses hold beside the model's results: the outputs in this order, whether their
    values go into raw_output_contents, and whether the response says that it is the last. Their
    serialized field `id` has at most `max_id_bytes`.
    """

    outputs: tuple[Output, ...]
    is_raw: bool
    is_final: bool = False
    max_id_bytes: int = 0

    @property
    def has_classes(self) -> bool:
        """Whether the values of some output are texts, whose sizes differ from image to image."""
        return any(output.class_count for output in self.outputs)

    def write(self, answer: Answer, identifier: bytes) -> bytes:
        """Return a serialized ModelInferResponse; `identifier` is its serialized field `id`."""
        model = answer.model
        contents = [self._content(output, answer) for output in self.outputs]
        heads = _heads(
            model.name,
            model.version,
            model.layer_sizes,
            model.label_names,
            self,
            len(answer.labels),
            tuple(map(len, contents)),
        )
        parts: list[bytes | memoryview] = []
        for head, content in zip(heads, contents, strict=True):
            parts += (head, content)
        parts.append(identifier)
        return b"".join(parts)

    def _content(self, output: Output, answer: Answer) -> bytes | memoryview:
        """Return the values of an output as they stand in the response."""
        labels = answer.labels
        if output.name == LABELS:
            if not self.is_raw:
                return wire.encode_varints(labels)
            if len(labels) == 1:
                return labels[0].to_bytes(INTEGER_BYTES, "little")
            return np.array(list(labels), "<i8").tobytes()
        values = answer.layers[output.layer]
        if not output.class_count:
            return values
        rows = np.frombuffer(values, "<f4").reshape(len(labels), -1)
        names = answer.model.labels if output.name == OUTPUT else ()
        texts = rank(rows, output.class_count, names)
        if self.is_raw:
            sized = [(len(text).to_bytes(SIZE_BYTES, "little"), text) for text in texts]
        else:
            number = _CONTENTS.BYTES_CONTENTS_FIELD_NUMBER
            sized = [(wire.encode_tag(number, len(text)), text) for text in texts]
        return b"".join([part for pair in sized for part in pair])

    def write_each(
        self, model: Model, labels: Labels, layers: Sequence[Batch], identifiers: Sequence[bytes]
    ) -> list[bytes]:
        """Return a serialized ModelInferResponse for each image, all written at once."""
        is_short = len(model.labels) <= LABELS_OF_ONE_BYTE
        values: list[npt.NDArray[np.uint8]] = []
        for output in self.outputs:
            if output.name != LABELS:
                values.append(bytes_of(layers[output.layer]))
            elif self.is_raw:
                values.append(labels.astype("<i8").view(np.uint8).reshape(len(labels), -1))
            elif is_short:
                values.append(labels.astype(np.uint8).reshape(len(labels), 1))
            else:
                return write_one_by_one(self.write, model, labels, layers, identifiers)
        sizes = tuple([content.shape[1] for content in values])
        blank, places = _blank(
            model.name, model.version, model.layer_sizes, model.label_names, self, sizes
        )
        responses = fill(blank, zip(places, values, strict=True), len(labels))
        return list(map(operator.add, responses, identifiers))

    def measure(self, model: Model, n_images: int) -> int:
        """Return the bytes that a response has at most."""
        fixed, of_image = 0, 0
        for output in self.outputs:
            fixed += len(output.name) + OUTPUT_BYTES
            if output.name == LABELS:
                of_image += INTEGER_BYTES if self.is_raw else label_bytes(model)
                fixed += OUTPUT_BYTES + len(model.label_names)
                continue
            bytes_of_one = FLOAT_BYTES
            if output.class_count:
                names = model.labels if output.name == OUTPUT else ()
                bytes_of_one = HEAD_BYTES + max_text_bytes(names)
            of_image += bytes_of_one * output.columns(model.layer_sizes)
        fixed += CHARACTER_BYTES * (len(model.name) + MAX_DIGITS) + self.max_id_bytes
        return 5 * HEAD_BYTES + len(FINAL) + fixed + n_images * of_image


@functools.lru_cache(maxsize=256)
def _heads(
    name: str,
    version: int,
    layer_sizes: tuple[int, ...],
    names: bytes,
    wanted: Wanted,
    n_images: int,
    sizes: tuple[int, ...],
) -> tuple[bytes, ...]:
    """Return what stands before the values of each output, which have these sizes in bytes."""
    response = _INFERRED(model_name=encodable(name), model_version=str(version))
    if wanted.is_final:
        response.parameters[FINAL].bool_param = True
    heads = []
    before = response.SerializeToString()
    described = [_describe(output, layer_sizes, names, n_images) for output in wanted.outputs]
    if wanted.is_raw:
        for content in described:
            before += b"".join(wire.encode_tagged(_INFERRED.OUTPUTS_FIELD_NUMBER, content))
        for size in sizes:
            tag = wire.encode_tag(_INFERRED.RAW_OUTPUT_CONTENTS_FIELD_NUMBER, size)
            heads.append(before + tag)
            before = b""
        return tuple(heads)
    for output, content, size in zip(wanted.outputs, described, sizes, strict=True):
        number = _CONTENTS.FP32_CONTENTS_FIELD_NUMBER
        if output.name == LABELS:
            number = _CONTENTS.INT64_CONTENTS_FIELD_NUMBER
        # Texts have their tags with them.
        inner = b"" if output.class_count else wire.encode_tag(number, size)
        inner = wire.encode_tag(_OUTPUT.CONTENTS_FIELD_NUMBER, len(inner) + size) + inner
        whole = len(content) + len(inner) + size
        heads.append(
            before + wire.encode_tag(_INFERRED.OUTPUTS_FIELD_NUMBER, whole) + content + inner
        )
        before = b""
    return tuple(heads)


def _describe(output: Output, layer_sizes: Sequence[int], names: bytes, n_images: int) -> bytes:
    """Return a serialized InferOutputTensor without values; labels have `names` as a parameter."""
    if output.name == LABELS:
        described = _OUTPUT(name=output.name, datatype=INTEGERS, shape=[n_images])
        if names:
            described.parameters[LABEL_NAMES].string_param = names.decode()
    else:
        described = _OUTPUT(
            name=output.name,
            datatype=TEXTS if output.class_count else FLOATS,
            shape=[n_images, output.columns(layer_sizes)],
        )
    return described.SerializeToString()


@functools.lru_cache
def _blank(
    name: str,
    version: int,
    layer_sizes: tuple[int, ...],
    names: bytes,
    wanted: Wanted,
    sizes: tuple[int, ...],
) -> tuple[npt.NDArray[np.uint8], tuple[int, ...]]:
    """Return the response for one image without its values and id, and the places of the values."""
    heads = _heads(name, version, layer_sizes, names, wanted, 1, sizes)
    blank, places = b"", []
    for head, size in zip(heads, sizes, strict=True):
        blank += head
        places.append(len(blank))
        blank += bytes(size)
    return np.frombuffer(blank, np.uint8), tuple(places)
