"""mlpserve.v1.Admin: changes a running server."""

from collections import defaultdict
from collections.abc import Callable

from mlpserve.v1 import admin_pb2
from server.files.outcomes import unpack
from server.rpc.inference.asking import AskAll, ask_each
from server.texts import listed, shorten

SERVICE = admin_pb2.DESCRIPTOR.services_by_name["Admin"].full_name

RELOAD = "reload"

RELOAD_SECONDS = 10.0
"""How long a worker may take: as long as it waits for its models, plus once for an earlier call."""

ERROR_BYTES = 2000
"""Bytes of the reason why a part could not be read again; the log has all of it."""


def reload(ask_all: AskAll) -> Callable[[admin_pb2.ReloadRequest], admin_pb2.ReloadResponse]:
    """Return the function that answers Reload; who may call it is decided elsewhere."""

    def answer(_request: admin_pb2.ReloadRequest) -> admin_pb2.ReloadResponse:
        answers = ask_each(ask_all, RELOAD, "", RELOAD_SECONDS, "its log shows the outcome")
        # By part and error, the workers that have it.
        parts: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for number, packed in answers:
            for outcome in unpack(packed):
                parts[outcome.part][outcome.error].append(number)
        return admin_pb2.ReloadResponse(
            parts=[
                admin_pb2.ReloadedPart(name=name, error=shorten(_describe(errors), ERROR_BYTES))
                for name, errors in parts.items()
            ]
        )

    return answer


def _describe(errors: dict[str, list[int]]) -> str:
    """Return an error that all workers share alone, and others with their workers."""
    if len(errors) == 1:
        return next(iter(errors))
    return "; ".join(
        f"worker {listed(map(str, numbers))}: {error}" for error, numbers in errors.items() if error
    )
