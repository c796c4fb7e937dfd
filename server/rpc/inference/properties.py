"""What is known of a model beside its inputs and outputs, as texts by name; lists are JSON."""

import json
from collections.abc import Collection

from modelfile.image_layout import encode_image_layout
from server.models.model import Model

MAX_BYTES = 64 * 1024
"""Of one list, such as 4,096 labels of 12 characters."""

LEFT_OUT = "left_out"
"""The property that says which others are too long."""


def describe(model: Model, max_message_bytes: int) -> dict[str, str]:
    """Return the properties of a model, together at most a quarter of a message.

    A list that is too long is left out, which a property says then.
    """
    max_bytes = min(MAX_BYTES, max_message_bytes // 16)
    sizes = dict(zip(model.outputs[2:], model.layer_sizes[1:-1], strict=True))
    lists: dict[str, Collection[str | int]] = {
        "labels": model.labels,
        "layer_sizes": model.layer_sizes,
        "layer_activations": [layer.activation for layer in model.layers],
        "hidden_outputs": sizes,
    }
    properties = {
        "parameters": str(model.parameters),
        "weights_sha256": model.weights_sha256,
        "input_range": str(model.input_range),
    }
    if model.image_layout is not None:
        properties["image_layout"] = json.dumps(encode_image_layout(model.image_layout))
    left_out = []
    for name, values in lists.items():
        if (text := _encode(values, max_bytes)) is None:
            left_out.append(name)
        else:
            properties[name] = text
    if left_out:
        properties[LEFT_OUT] = (
            f"{', '.join(left_out)}: more than {max_bytes} bytes; "
            "mlpserve.v1.Classifier/GetNetwork returns layers and labels"
        )
    return properties


def _encode(values: Collection[str | int], max_bytes: int) -> str | None:
    """Return values as JSON, or None if that is too long."""
    # Each takes a character, a comma and a space at least.
    if 3 * len(values) > max_bytes:
        return None
    text = json.dumps(values, ensure_ascii=False)
    return text if len(text.encode()) <= max_bytes else None
