"""What the Open Inference Protocol wants of any server over HTTP, as an OpenAPI document.

Written from https://github.com/kserve/open-inference-protocol, specification/protocol: which paths
there are, which fields are required, and that errors are an object with `error`.
"""

from typing import Any

Json = dict[str, Any]

TEXT: Json = {"type": "string"}
TEXTS: Json = {"type": "array", "items": TEXT}
SHAPE: Json = {"type": "array", "items": {"type": "integer"}}
ANY_OBJECT: Json = {"type": "object"}
TENSOR = {"name": TEXT, "shape": SHAPE, "datatype": TEXT}
WITH_DATA = {**TENSOR, "parameters": ANY_OBJECT, "data": {"type": "array"}}

IMAGE = {"name": "pixels", "shape": [1, 784], "datatype": "FP32", "data": [0.5] * 784}


def wants(required: tuple[str, ...], **fields: Json) -> Json:
    """An object that has some fields at least."""
    return {"type": "object", "properties": fields, "required": [*required]}


def many(schema: Json) -> Json:
    return {"type": "array", "items": schema}


SERVER = wants(("name", "version", "extensions"), name=TEXT, version=TEXT, extensions=TEXTS)
DESCRIBED = many(wants(("name", "datatype", "shape"), **TENSOR))
MODEL = wants(
    ("name", "platform"),
    name=TEXT,
    versions=TEXTS,
    platform=TEXT,
    inputs=DESCRIBED,
    outputs=DESCRIBED,
)
ANSWER = wants(
    ("model_name", "outputs"),
    model_name=TEXT,
    model_version=TEXT,
    id=TEXT,
    parameters=ANY_OBJECT,
    outputs=many(wants(("name", "shape", "datatype", "data"), **WITH_DATA)),
)
QUESTION = wants(
    ("inputs",),
    id=TEXT,
    parameters=ANY_OBJECT,
    inputs=many(wants(("name", "shape", "datatype", "data"), **WITH_DATA)),
    outputs=many(wants(("name",), name=TEXT, parameters=ANY_OBJECT)),
)
ERROR = wants(("error",), error=TEXT)


def json_of(schema: Json, example: Json | None = None) -> Json:
    media: Json = {"schema": schema}
    if example is not None:
        media["example"] = example
    return {"content": {"application/json": media}}


def answers(schema: Json | None) -> Json:
    good = {"description": "OK"} if schema is None else {"description": "OK", **json_of(schema)}
    bad = {"description": "Why not", **json_of(ERROR)}
    return {"responses": {"200": good, "4XX": bad}}


def named(name: str, example: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": TEXT, "example": example}


def document() -> Json:
    """The whole of it."""
    paths: Json = {
        "/v2/": {"get": answers(SERVER)},
        "/v2/health/live": {"get": answers(None)},
        "/v2/health/ready": {"get": answers(None)},
    }
    model, version = named("model", "digits"), named("version", "1")
    for path, parameters in (
        ("/v2/models/{model}", [model]),
        ("/v2/models/{model}/versions/{version}", [model, version]),
    ):
        asked = json_of(QUESTION, {"id": "42", "inputs": [IMAGE]})
        paths[path] = {"parameters": parameters, "get": answers(MODEL)}
        paths[f"{path}/ready"] = {"parameters": parameters, "get": answers(None)}
        infer = {**answers(ANSWER), "requestBody": asked}
        paths[f"{path}/infer"] = {"parameters": parameters, "post": infer}
    return {"openapi": "3.0.0", "info": {"title": "v2", "version": "2"}, "paths": paths}
