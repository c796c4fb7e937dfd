"""What a node says beside its inputs: attributes, or constants in their place since some opset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import helper

from exporter.importing.onnx.values import Constant, Value, refuse
from exporter.importing.source import Array


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A node, what is known of its inputs (None: left out), and the opset that it belongs to."""

    node: onnx.NodeProto
    given: Sequence[Value | None]
    opset: int
    attributes: Mapping[str, Any]

    def constant(self, index: int) -> Array | None:
        """Return a constant input, None when it is left out; raises NoLayerError for others."""
        if index >= len(self.given) or self.given[index] is None:
            return None
        value = self.given[index]
        if not isinstance(value, Constant):
            refuse(self.node, f"computes its input {index + 1} from the image; wanted a constant")
        return value.array

    def name(self, index: int) -> str:
        """Return what the file calls a constant input; nothing when it has none."""
        value = self.given[index] if index < len(self.given) else None
        return value.name if isinstance(value, Constant) else ""

    def numbers(self, index: int) -> Array:
        """Return a constant input as finite float64; raises NoLayerError."""
        array = self.constant(index)
        if array is None or array.dtype.kind not in "fiub":
            refuse(self.node, f"has no numbers as its input {index + 1}")
        exact = array.astype(np.float64)
        if not np.isfinite(exact).all():
            refuse(
                self.node,
                f"computes with '{self.name(index)}', not all of which are finite numbers; take "
                "the weights from before training went astray",
            )
        return exact

    def integers(self, name: str, index: int) -> list[int] | None:
        """Return integers that are an attribute or an input, None when they are left out."""
        if name in self.attributes:
            return [int(number) for number in self.attributes[name]]
        array = self.constant(index)
        return None if array is None else [int(number) for number in array.reshape(-1)]

    def text(self, name: str, default: str = "") -> str:
        """Return an attribute that is a text."""
        value = self.attributes.get(name, default)
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def call(node: onnx.NodeProto, given: Sequence[Value | None], opset: int) -> Call:
    """Return a node with its attributes read."""
    attributes = {
        attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute
    }
    return Call(node, given, opset, attributes)
