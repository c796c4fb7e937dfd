"""mlpserve.v1.Admin: changes a running server."""

from collections.abc import Callable

from mlpserve.v1 import admin_pb2
from server.reloading import Reloads

SERVICE = admin_pb2.DESCRIPTOR.services_by_name["Admin"].full_name


def reload(reloads: Reloads) -> Callable[[admin_pb2.ReloadRequest], admin_pb2.ReloadResponse]:
    """Return what answers Reload to whoever reaches it."""

    def answer(_request: admin_pb2.ReloadRequest) -> admin_pb2.ReloadResponse:
        parts = [
            admin_pb2.ReloadedPart(name=outcome.part, error=outcome.error)
            for outcome in reloads.run_everywhere()
        ]
        return admin_pb2.ReloadResponse(parts=parts)

    return answer
