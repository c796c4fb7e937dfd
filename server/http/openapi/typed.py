"""The document's part about /v1, the typed API."""

import base64
from collections.abc import Mapping

import numpy as np

from server.http.coding.numbers import MAX_NUMBERS
from server.http.openapi.parts import (
    ALWAYS,
    BODY,
    FLAG,
    INTEGER,
    JSON,
    NUMBER,
    PICTURES,
    TEXT,
    Json,
    answer,
    described,
    in_path,
    items,
    operation,
    or_null,
    record,
    schema,
)
from server.http.pictures.pictures import MAX_PICTURE_BYTES
from server.http.typed.models import MAX_WEIGHTS

ROWS = items(items(NUMBER))

LEVEL: Json = {"type": "integer", "minimum": 0, "maximum": 255}

VERSION: Json = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}


def _nested(number: Json) -> list[Json]:
    """Return what images may be: flat, N x P or rows x columns, or N x rows x columns."""
    filled = {"type": "array", "minItems": 1}
    one = {**filled, "items": number}
    return [one, {**filled, "items": one}, {**filled, "items": {**filled, "items": one}}]


def _layout() -> Json:
    return record(
        "The layout of the images that the model was trained on; lengths and places are shares "
        "of the image's side.",
        rows=INTEGER,
        columns=INTEGER,
        ink={"enum": ["light", "dark", ""]},
        longest_side=described(NUMBER, "The larger of the ink's height and width."),
        centring={"enum": ["mass", "box", ""]},
        centre=described(items(NUMBER), "Down and right, from the middle of the first pixel."),
        flattest=described(NUMBER, "The ink's minimum height as a share of its width; 0: unknown."),
    )


OPTIONS: Mapping[str, Json] = {
    "hidden_activations": described(FLAG, "Whether to return the hidden layers too."),
    "canonicalize": described(
        FLAG,
        "Whether to normalise each image first: ink as light, large and centred as in the "
        "model's training images.",
    ),
    "canonical_pixels": described(
        FLAG, "Whether to return the images as the network saw them; with `canonicalize` only."
    ),
}

SCHEMAS: Json = {
    "PredictRequest": {
        "type": "object",
        "description": "N images of P pixels each, in one of two forms.",
        "properties": {
            "pixels": {
                "description": "Numbers image after image, each row by row: flat, N x P, rows x "
                "columns, or N x rows x columns. 0 is black and 1 is white, unless the model's "
                f"`input_range` says otherwise. At most {MAX_NUMBERS} in a request.",
                "anyOf": _nested(NUMBER),
            },
            "pixels_u8": {
                "description": "Bytes instead, 0 (black) to 255 (white), as base64 or nested as "
                "`pixels` are.",
                "anyOf": [{"type": "string", "contentEncoding": "base64"}, *_nested(LEVEL)],
            },
            **OPTIONS,
        },
        "oneOf": [{"required": ["pixels"]}, {"required": ["pixels_u8"]}],
        "additionalProperties": False,
    },
    "Prediction": record(
        "The model's answer for each of the N images.",
        ("hidden_layers", "canonicalization"),
        model=TEXT,
        version=INTEGER,
        labels=described(items(INTEGER), "The index of each image's brightest output neuron."),
        label_names=described(items(TEXT), "The names of the C classes."),
        activations=described(ROWS, "N x C: the output layer."),
        hidden_layers=described(items(ROWS), "N x H for each hidden layer, first to last."),
        canonicalization=schema("Canonicalization"),
    ),
    "Canonicalization": record(
        "How each of the N images was normalised.",
        ("pixels",),
        inverted=described(items(FLAG), "Whether light became dark."),
        scales=described(ROWS, "N x 2: how many times higher and wider the ink became."),
        shifts=described(ROWS, "N x 2: by how many pixels it was moved down and to the right."),
        pixels=described(ROWS, "N x P: the images as the network saw them."),
    ),
    "Models": record(
        "The models, by name.",
        default_model=described(
            TEXT, "The model that answers paths naming none; empty: there is none."
        ),
        models=items(schema("Model")),
        grpc_address=described(TEXT, "Where the gRPC port listens."),
        grpc_tls=described(FLAG, "Whether it requires TLS."),
    ),
    "Model": record(
        "One model.",
        name=TEXT,
        default_version=described(INTEGER, "The newest loaded version; 0: none is loaded."),
        labels={
            "type": "object",
            "description": "The labels of its versions, and which version each points to.",
            "additionalProperties": INTEGER,
        },
        versions=items(schema("ModelVersion")),
    ),
    "ModelVersion": record(
        "One version. What follows `error` is empty unless it is loaded.",
        version=INTEGER,
        is_loaded=FLAG,
        error=described(TEXT, "Why it is not loaded, or why its file is not followed."),
        layer_sizes=described(items(INTEGER), "Neurons of each layer, from input to output."),
        label_names=items(TEXT),
        weights_sha256=TEXT,
        input_range=described(TEXT, 'Its input range: "[0, 1]", "[low, high]" or "finite".'),
        image_layout=or_null(schema("ImageLayout")),
    ),
    "ImageLayout": _layout(),
    "Network": record(
        "A network's weights and biases.",
        model=TEXT,
        version=INTEGER,
        label_names=items(TEXT),
        input_range=TEXT,
        image_layout=or_null(schema("ImageLayout")),
        layers=items(schema("Layer")),
    ),
    "Layer": record(
        "H neurons after I: activation(weights . before + biases).",
        activation={"enum": ["sigmoid", "relu", "tanh", "softmax", "identity", "selu"]},
        weights=described(ROWS, "H x I."),
        biases=described(items(NUMBER), "H."),
    ),
}

SELECTIONS = {
    "": ("", "the default model"),
    "/models/{model}": ("OfModel", "a model"),
    "/models/{model}/versions/{version}": ("OfVersion", "a version of a model"),
    "/models/{model}/labels/{label}": ("OfLabel", "the version that a label points to"),
}
"""What paths choose: the ends of operations' names, and words."""

PARAMETERS = {
    "model": in_path("model", "Name of a model.", "digits"),
    "version": in_path("version", "A positive integer.", 1, VERSION),
    "label": in_path("label", "Name of a version, such as stable.", "stable"),
}


def paths() -> Json:
    """Return the paths of /v1."""
    found: Json = {
        "/v1/models": {
            "get": operation(
                "listModels",
                "List the models and their versions",
                {200: answer("The models.", {JSON: schema("Models")})},
                tags=["typed"],
            )
        },
        "/v1/models/{model}": {
            "parameters": [PARAMETERS["model"]],
            "get": operation(
                "getModel",
                "Describe one model",
                {200: answer("The model.", {JSON: schema("Model")})},
                tags=["typed"],
            ),
        },
    }
    for selection, (suffix, words) in SELECTIONS.items():
        chosen = {"parameters": [PARAMETERS[name] for name in PARAMETERS if name in selection]}
        found[f"/v1{selection}/network"] = {**chosen, "get": _network(suffix, words)}
        found[f"/v1{selection}/predict"] = {**chosen, "post": _predict(suffix, words)}
    return found


def _network(suffix: str, words: str) -> Json:
    return operation(
        f"getNetwork{suffix}",
        f"Return the weights and biases of {words}",
        {200: answer("The network.", {JSON: schema("Network")})},
        (*ALWAYS, 413),
        tags=["typed"],
        description=f"At most {MAX_WEIGHTS} of them; gRPC's GetNetwork returns more.",
    )


def _predict(suffix: str, words: str) -> Json:
    return operation(
        f"predict{suffix}",
        f"Classify images with {words}",
        {200: answer("The answer.", {JSON: schema("Prediction")}, {"Server-Timing": TEXT})},
        (*ALWAYS, *BODY),
        tags=["typed"],
        parameters=[
            {"name": name, "in": "query", "schema": option} for name, option in OPTIONS.items()
        ],
        requestBody={
            "required": True,
            "description": "Numbers as JSON with options in the body, or one picture with options "
            f"in the address. A PNG or JPEG of at most {MAX_PICTURE_BYTES} bytes, of any size and "
            "colour, is laid out as the model's images are.",
            "content": {
                JSON: {"schema": schema("PredictRequest"), "example": _example()},
                **{kind: {"schema": {"type": "string", "format": "binary"}} for kind in PICTURES},
            },
        },
    )


def _example() -> Json:
    """Return a request with a bare stroke, which is a 1."""
    levels = np.zeros((28, 28), np.uint8)
    levels[4:24, 13:15] = 255
    return {"pixels_u8": base64.b64encode(levels.tobytes()).decode(), "hidden_activations": True}
