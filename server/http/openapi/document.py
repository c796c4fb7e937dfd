"""The whole document, made once it is asked for."""

from functools import cache

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

import mlpserve
from server.http.openapi import inference, monitoring, typed
from server.http.openapi.parts import JSON, TEXT, Json, items, record, refusals, schema

NAME = "openapi.json"

ABOUT = """Classifies images with multilayer perceptrons.

`/v1` is mlpserve's own API, `/v2` the Open Inference Protocol. Both ask the server's gRPC port, so
that a request counts, waits and fails as one over gRPC does; errors have gRPC's codes and reasons.

A path means the same with a slash at its end. Bodies may be compressed with gzip or deflate, and
answers are, as `Accept-Encoding` says. The header `x-request-id` names a request in the server's
log and comes back; `grpc-timeout`, such as `500m` for 500 ms, limits its time; `traceparent` is
passed on. Predictions tell in `Server-Timing` where their time went; with `x-server-timing: 1` also
how long they waited for a run of the model, and that run.
"""


def routes() -> list[BaseRoute]:
    """Return the document's route."""
    return [Route(f"/{NAME}", _answer)]


def make() -> Json:
    """Return the document."""
    errors = {
        "Error": record(
            "Why a request is refused.",
            ("reason", "violations"),
            error=TEXT,
            code=TEXT,
            reason=TEXT,
            violations=items(schema("Violation")),
        ),
        "Violation": record(
            "One thing that is wrong: a field, why, and a word for programs.",
            field=TEXT,
            description=TEXT,
            reason=TEXT,
        ),
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "mlpserve",
            "version": mlpserve.__version__,
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": [
            {"name": "typed", "description": "mlpserve's own API."},
            {"name": "inference", "description": "The Open Inference Protocol, version 2."},
            {"name": "page", "description": "The page, and what watches the server."},
        ],
        "paths": {**typed.paths(), **inference.paths(), **monitoring.paths()},
        "security": [{}, {"token": []}],
        "components": {
            "schemas": {**errors, **typed.SCHEMAS, **inference.schemas()},
            "responses": refusals(),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of --tokens-file, if the server has one.",
                }
            },
        },
    }


@cache
def _text() -> bytes:
    return orjson.dumps(make())


async def _answer(_request: Request) -> Response:
    return Response(_text(), media_type=JSON)
