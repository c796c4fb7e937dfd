"""The document's part about /v2, the Open Inference Protocol."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from mlpserve.inference import open_inference_pb2 as protocol
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

BINARY = "application/octet-stream"
LENGTH: Json = {"Inference-Header-Content-Length": INTEGER}

PARAMETERS: Json = {
    "type": "object",
    "description": "Strings, numbers and booleans by name.",
    "additionalProperties": {"type": ["string", "number", "boolean"]},
}

TENSOR: Mapping[str, Json] = {
    "name": TEXT,
    "datatype": TEXT,
    "shape": items(INTEGER),
    "parameters": PARAMETERS,
}

DATA: Json = {"type": "array", "description": "The values, flat or nested as the shape is."}

SCHEMAS: Json = {
    "InferRequest": {
        "type": "object",
        "properties": {
            "id": or_null(TEXT),
            "parameters": or_null(PARAMETERS),
            "inputs": items(
                {
                    "type": "object",
                    "properties": {
                        **TENSOR,
                        "parameters": or_null(PARAMETERS),
                        "data": or_null(DATA),
                    },
                    "required": ["name", "datatype", "shape"],
                }
            ),
            "outputs": items(
                {
                    "type": "object",
                    "properties": {"name": TEXT, "parameters": or_null(PARAMETERS)},
                    "required": ["name"],
                }
            ),
        },
        "required": ["inputs"],
    },
    "InferResponse": record(
        "The model's answer for each of the N images.",
        ("id", "parameters"),
        model_name=TEXT,
        model_version=TEXT,
        id=TEXT,
        parameters=PARAMETERS,
        outputs=items(record("One output.", ("data", "parameters"), **TENSOR, data=DATA)),
    ),
    "Names": record("The models that are ready.", models=items(TEXT)),
    "ModelReady": record("Whether a model is ready.", name=TEXT, ready=FLAG),
    "Live": record("Whether the server is live.", live=FLAG),
    "Ready": record("Whether the server is ready.", ready=FLAG),
    "RepositoryIndexRequest": {
        "type": "object",
        "properties": {"ready": described(or_null(FLAG), "Whether to list ready versions only.")},
    },
    "RepositoryRequest": {"type": "object", "properties": {"parameters": or_null(PARAMETERS)}},
    "Nothing": record("Done."),
}

MESSAGES: Any = (
    protocol.ServerMetadataResponse,
    protocol.ModelMetadataResponse,
    protocol.ModelConfig,
    protocol.ModelStatisticsResponse,
    protocol.RepositoryIndexResponse.ModelIndex,
)
"""Messages that are answered field by field."""


def schemas() -> Json:
    """Return all schemas, those of messages by their names in the protocol."""
    found = dict(SCHEMAS)
    for message in MESSAGES:
        _add(message.DESCRIPTOR, found)
    return found


def _add(message: Any, found: Json) -> Json:
    """Add a message's schema, and those of messages in it; returns a reference to it."""
    name = message.full_name.rpartition("inference.")[2]
    if name not in found:
        found[name] = {}
        fields = {field.name: _field(field, found) for field in message.fields}
        optional = [field.name for field in message.fields if field.has_presence]
        found[name] = record(f"The protocol's {name}.", optional, **fields)
    return schema(name)


def _field(field: Any, found: Json) -> Json:
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        values = _value(entry.fields_by_name["value"], found)
        return {"type": "object", "additionalProperties": values}
    value = _value(field, found)
    return items(value) if field.is_repeated else value


def _value(field: Any, found: Json) -> Json:
    if field.message_type is not None:
        return _add(field.message_type, found)
    if field.enum_type is not None:
        return {"enum": [value.name for value in field.enum_type.values]}
    match field.cpp_type:
        case field.CPPTYPE_BOOL:
            return FLAG
        case field.CPPTYPE_STRING:
            return TEXT
        case field.CPPTYPE_FLOAT | field.CPPTYPE_DOUBLE:
            return NUMBER
    return INTEGER


MODEL = in_path("model", "Name of a model.", "digits")
VERSION = in_path("version", "A positive integer, or a label such as stable.", "1")


def paths() -> Json:
    """Return the paths of /v2."""
    found = {
        "/v2": _get(
            "serverMetadata", "Name the server and its extensions", "ServerMetadataResponse"
        ),
        "/v2/health/live": _health("serverLive", "Report whether the server is live", "Live"),
        "/v2/health/ready": _health("serverReady", "Report whether the server is ready", "Ready"),
        "/v2/models": _get("modelNames", "Name the models that are ready", "Names"),
        "/v2/models/stats": _get(
            "statistics", "Report the statistics of all models", "ModelStatisticsResponse"
        ),
        "/v2/repository/index": _post(
            "repositoryIndex",
            "List all versions of all models",
            "RepositoryIndexRequest",
            items(schema("RepositoryIndexResponse.ModelIndex")),
        ),
    }
    for verb in ("load", "unload"):
        found[f"/v2/repository/models/{{model}}/{verb}"] = {
            "parameters": [MODEL],
            **_post(
                f"{verb}Model",
                f"{verb.title()} a model",
                "RepositoryRequest",
                schema("Nothing"),
                HTTPStatus.NOT_IMPLEMENTED,
            ),
        }
    for path, suffix, parameters in (
        ("/v2/models/{model}", "", [MODEL]),
        ("/v2/models/{model}/versions/{version}", "OfVersion", [MODEL, VERSION]),
    ):
        for end, methods in _of_model(suffix).items():
            found[f"{path}{end}"] = {"parameters": parameters, **methods}
    return found


def _of_model(suffix: str) -> Json:
    """Return the paths below a model's, or a version's."""
    answers = {
        200: answer("It is ready.", {JSON: schema("ModelReady")}),
        503: answer("It is not ready.", {JSON: {"anyOf": [schema("ModelReady"), schema("Error")]}}),
    }
    return {
        "": _get(f"modelMetadata{suffix}", "Describe inputs and outputs", "ModelMetadataResponse"),
        "/ready": {
            "get": operation(
                f"modelReady{suffix}",
                "Report whether a model is ready",
                answers,
                tags=["inference"],
            )
        },
        "/config": _get(f"modelConfig{suffix}", "Describe how a model is served", "ModelConfig"),
        "/stats": _get(
            f"modelStatistics{suffix}",
            "Report a model's statistics",
            "ModelStatisticsResponse",
        ),
        "/infer": {"post": _infer(f"modelInfer{suffix}")},
    }


def _infer(name: str) -> Json:
    """Return inference, in all forms that bodies may have."""
    binary = {"type": "string", "format": "binary"}
    return operation(
        name,
        "Run a model",
        {
            200: answer(
                "The answer: JSON, followed by the outputs requested in binary form.",
                {JSON: schema("InferResponse"), BINARY: binary},
                {**LENGTH, "Server-Timing": TEXT},
            )
        },
        (*ALWAYS, *BODY),
        tags=["inference"],
        parameters=[
            {
                "name": "Inference-Header-Content-Length",
                "in": "header",
                "description": "How many bytes of the body are JSON; binary tensors follow. 0: "
                "all bytes are the values of the only input.",
                "schema": {"type": "integer", "minimum": 0},
            }
        ],
        requestBody={
            "required": True,
            "description": "JSON, JSON followed by binary tensors, or one picture.",
            "content": {
                JSON: {"schema": schema("InferRequest"), "example": _example()},
                **{kind: {"schema": binary} for kind in (BINARY, *PICTURES)},
            },
        },
    )


def _example() -> Json:
    """Return a request with a bare stroke, which is a 1."""
    levels = [255 * (4 <= at // 28 < 24 and at % 28 in (13, 14)) for at in range(784)]
    return {"inputs": [{"name": "pixels", "datatype": "UINT8", "shape": [1, 784], "data": levels}]}


def _get(name: str, summary: str, answered: str) -> Json:
    told = {200: answer("The answer.", {JSON: schema(answered)})}
    return {"get": operation(name, summary, told, tags=["inference"])}


def _post(name: str, summary: str, asked: str, answered: Json, *errors: int) -> Json:
    return {
        "post": operation(
            name,
            summary,
            {200: answer("The answer.", {JSON: answered})},
            (*ALWAYS, *BODY, *errors),
            tags=["inference"],
            requestBody={"content": {JSON: {"schema": schema(asked)}}},
        )
    }


def _health(name: str, summary: str, told: str) -> Json:
    answers = {
        200: answer("Yes.", {JSON: schema(told)}),
        503: answer("No.", {JSON: schema(told)}),
    }
    return {"get": operation(name, summary, answers, (405, 413), tags=["inference"])}
