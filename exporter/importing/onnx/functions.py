"""Functions that a file defines for itself, as PyTorch once wrote modules: put in place."""

from collections.abc import Iterable

import onnx
from onnx import inliner

from exporter.importing.onnx.values import shown
from exporter.network.weights_file import WeightsError

Key = tuple[str, str]


def count_nodes(model: onnx.ModelProto, enough: int) -> int:
    """Return how many nodes the graph has with its functions in place; about `enough` is enough.

    Raises WeightsError when a function calls itself.
    """
    functions = {(function.domain, function.name): function for function in model.functions}
    counts: dict[Key, int] = {}

    def count(nodes: Iterable[onnx.NodeProto], within: tuple[Key, ...]) -> int:
        total = 0
        for node in nodes:
            key = (node.domain, node.op_type)
            if key in within or len(within) > MAX_DEPTH:
                raise WeightsError(
                    f"defines a function '{shown(node.op_type)}' that calls itself, or others too "
                    "deeply; export it again"
                )
            if key in functions and key not in counts:
                counts[key] = count(functions[key].node, (*within, key))
            total += counts.get(key, 1)
            if total > enough:
                break
        return total

    return count(model.graph.node, ())


MAX_DEPTH = 100
"""Of functions that call one another."""


def inline(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with the functions that it defines in place of their calls."""
    if not model.functions:
        return model
    names = {(function.domain, function.name) for function in model.functions}
    flat = inliner.inline_local_functions(model)
    for node in flat.graph.node:
        if (node.domain, node.op_type) in names:
            raise WeightsError(
                f"defines a function '{shown(node.op_type)}' of another opset than its graph; "
                "export it with the newest version of the tool"
            )
    return flat
