"""gRPC's status codes by the names that metrics and logs have for them."""

import grpc

_NAMES = {
    code: code.name.title().replace("_", "").replace("Cancelled", "Canceled")
    for code in grpc.StatusCode
} | {grpc.StatusCode.OK: "OK"}


def code_name(code: grpc.StatusCode) -> str:
    """Return a code's name as Go spells it and dashboards expect it: InvalidArgument."""
    return _NAMES[code]
