"""The server's own gRPC port, which HTTP's process calls as any other caller does."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
from starlette.requests import Request

from mlpserve import Tls
from mlpserve.connection.loops import LoopChannel, LoopMethod
from mlpserve.connection.settings import Metadata, Settings
from server.http.errors import HttpError
from server.settings.addresses import reachable

DEFAULT_SECONDS, MAX_SECONDS = 30.0, 30.0
"""How long a call may take if its caller does not say, and at most."""

CONNECTIONS = 4
"""Spread over the workers by the kernel, as it likes."""

FORWARDED = ("authorization", "x-request-id", "traceparent", "route-key")
"""Headers of a request that go along as the call's metadata."""

_PRINTABLE = re.compile(r"[ -~]{1,4096}")


class GrpcPort:
    """Calls the gRPC port, for one event loop."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        """Take the server's settings, as plain values."""
        self.address: str = settings["grpc_address"]
        self.is_encrypted: bool = settings["tls_certificate"] is not None
        self.max_message_bytes: int = settings["max_message_bytes"]
        self._channel = LoopChannel(
            Settings.check(
                reachable(settings["grpc_address"]),
                DEFAULT_SECONDS,
                {"grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1},
                _trust(settings),
                None,
                False,
                connections=CONNECTIONS,
                retries=0,
            )
        )
        self._methods: dict[str, LoopMethod] = {}

    async def call(self, path: str, message: bytes, request: Request) -> bytes:
        """Return the answer to a serialized message, sent with the token, the id and the trace of
        an HTTP request; raises HttpError.
        """
        method = self._methods.get(path)
        if method is None:
            method = self._methods[path] = self._channel.unary_unary(path)
        try:
            answer: bytes = await method(
                message, timeout=DEFAULT_SECONDS, metadata=forwarded(request)
            )
        except grpc.RpcError as error:
            raise HttpError.from_rpc_error(error) from error
        return answer

    async def close(self) -> None:
        """Close the connections."""
        await self._channel.close()


def forwarded(request: Request) -> Metadata:
    """Return what a request's headers say for the call."""
    found = ((name, request.headers.get(name)) for name in FORWARDED)
    return tuple((name, text) for name, text in found if text and _PRINTABLE.fullmatch(text))


def _trust(settings: Mapping[str, Any]) -> Tls | None:
    if settings["tls_certificate"] is None:
        return None
    certificate, key = Path(settings["tls_certificate"]), Path(settings["tls_key"])
    if settings["tls_client_ca"] is None:
        return Tls(ca=certificate)
    return Tls(ca=certificate, certificate=certificate, key=key)


def retry_after(seconds: float | None) -> str:
    """Return whole seconds for Retry-After, at least 1."""
    return str(max(1, math.ceil(seconds or 1)))
