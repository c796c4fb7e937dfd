"""Mounts pure functions from bytes to bytes as unary methods of an ordinary gRPC server."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import grpc
import structlog

from server import metrics
from server.errors import RequestError
from server.rpc.status import status_of

log = structlog.get_logger()

Method = Callable[[bytes], bytes]
"""Takes a serialized request, returns a serialized response, raises RequestError."""


def mount(server: grpc.Server, service: str, methods: Mapping[str, Method]) -> None:
    """Add the service's unary methods to the server, by their names."""
    handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        name: grpc.unary_unary_rpc_method_handler(
            functools.partial(_answer, f"{service}/{name}", method)
        )
        for name, method in methods.items()
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))


def _answer(name: str, method: Method, message: bytes, context: grpc.ServicerContext) -> bytes:
    """Run the method; whatever it raises ends this call alone."""
    try:
        return method(message)
    except RequestError as error:
        metrics.REJECTED.labels(error.reason).inc()
        log.debug("request rejected", method=name, reason=error.reason, message=error.message)
        context.abort_with_status(status_of(error))
    except Exception as error:
        metrics.REJECTED.labels("internal").inc()
        log.exception("call failed", method=name)
        context.abort_with_status(status_of(error))
