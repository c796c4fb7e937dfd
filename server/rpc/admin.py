"""mlpserve.v1.Admin: changes a running server."""

from collections.abc import Callable

from mlpserve.v1 import admin_pb2
from server.files.reload_registry import ReloadRegistry
from server.texts import shorten

SERVICE = admin_pb2.DESCRIPTOR.services_by_name["Admin"].full_name

ERROR_BYTES = 2000
"""Bytes of the reason why a part could not be read again; the log has all of it."""


def reload(
    reloads: ReloadRegistry,
) -> Callable[[admin_pb2.ReloadRequest], admin_pb2.ReloadResponse]:
    """Return the function that answers Reload; who may call it is decided elsewhere."""

    def answer(_request: admin_pb2.ReloadRequest) -> admin_pb2.ReloadResponse:
        parts = [
            admin_pb2.ReloadedPart(name=outcome.part, error=shorten(outcome.error, ERROR_BYTES))
            for outcome in reloads.run_everywhere()
        ]
        return admin_pb2.ReloadResponse(parts=parts)

    return answer
