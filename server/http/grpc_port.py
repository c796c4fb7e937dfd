"""The server's own gRPC port, which HTTP's process calls as any other caller does."""

import asyncio
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import grpc
import structlog
from starlette.requests import Request

from mlpserve.connection.loops import LoopChannel, LoopMethod
from mlpserve.connection.settings import Metadata, Settings
from mlpserve.timing import asking
from server.http.bodies import hold
from server.http.calling.statuses import from_rpc_error
from server.http.calling.timing import Timing
from server.http.calling.trust import trust
from server.http.connections.caller import caller_of
from server.http.connections.identity import Identities, Identity
from server.http.errors import CALLER_LEFT, LATER, HttpError
from server.settings.addresses import reachable

log = structlog.get_logger()

MAX_SECONDS = 30.0
"""How long a call may take at most, and if its caller does not say."""

MAX_CALLS = 128
"""Calls in progress at once; more than workers have use for, and few enough to be held here."""

CONNECTIONS = 4
"""Spread over the workers by the kernel, as it likes."""

FORWARDED = ("authorization", "x-request-id", "traceparent", "route-key")
"""Headers of a request that go along as the call's metadata."""

MUTUAL = (
    "the port requires certificates, and HTTP presents the server's own: is it signed by an "
    "authority in tls_client_ca, and valid for clients (clientAuth) too?"
)
TIMEOUT = "grpc-timeout"
UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}

OPTIONS: Mapping[str, int | str] = {
    # Each side's limit is the server's, which names the remedy.
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
    # Nobody stands between a machine and itself.
    "grpc.enable_http_proxy": 0,
    "grpc.address_http_proxy_enabled_addresses": "",
}

_PRINTABLE = re.compile(r"[ -~]{1,4096}")
_TIMEOUT = re.compile(r"([0-9]{1,8})([HMSmun])")


class GrpcPort:
    """Calls the gRPC port, for one event loop."""

    def __init__(self, settings: Mapping[str, Any], identities: Identities | None = None) -> None:
        """Take the server's settings, as plain values, and with TLS its certificates."""
        self.max_message_bytes: int = settings["max_message_bytes"]
        self.address: str = settings["grpc_address"]
        self.is_encrypted: bool = settings["tls_certificate"] is not None
        self._identities = identities
        self._trusted: tuple[Identity, ...] = ()
        self._channel: LoopChannel | None = None
        self._methods: dict[str, LoopMethod] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._calls = 0
        self._is_rejected = False

    async def call(
        self,
        path: str,
        message: bytes,
        request: Request,
        seconds: float = MAX_SECONDS,
        *,
        timing: Timing | None = None,
    ) -> bytes:
        """Return the answer to a serialized message, sent with the token, the id and the trace of
        an HTTP request; raises HttpError.

        The call ends after `seconds` or what the request's grpc-timeout says if that is sooner, and
        when the request's sender leaves. Into `timing` goes the worker's, if it is asked for.
        """
        timeout = min(seconds, timeout_of(request), MAX_SECONDS)
        if len(message) > self.max_message_bytes:
            raise HttpError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the request has {len(message)} bytes as a gRPC message, more than "
                f"{self.max_message_bytes}; send fewer images in one request, or raise the "
                "server's --max-message-bytes",
                reason="MESSAGE_BYTES",
            )
        if self._calls >= MAX_CALLS:
            raise HttpError(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"{MAX_CALLS} requests are in progress, the maximum over HTTP; retry later",
                reason="TOO_MANY_CALLS",
                headers=LATER,
            )
        self._calls += 1
        try:
            return await self._call(self._method(path), message, request, timeout, timing)
        finally:
            self._calls -= 1

    async def _call(
        self,
        method: LoopMethod,
        message: bytes,
        request: Request,
        timeout: float,
        timing: Timing | None,
    ) -> bytes:
        is_timed = timing is not None and timing.is_asked
        metadata = asking(forwarded(request)) if is_timed else forwarded(request)
        call = method(message, timeout=timeout, metadata=metadata)
        try:
            with caller_of(request.scope).ending(call.cancel):
                answer: bytes = await call
                if timing is not None and is_timed:
                    timing.tell(await call.trailing_metadata())
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise HttpError(CALLER_LEFT, "the caller has left") from error
        except grpc.RpcError as error:
            raise self._explain(from_rpc_error(error)) from error
        self._is_rejected = False
        hold(request.scope, len(answer))
        return answer

    def _explain(self, error: HttpError) -> HttpError:
        """Return an error with what else is known: where gRPC reached nobody, who may be there."""
        if error.status != HTTPStatus.SERVICE_UNAVAILABLE or "reason" in error.content:
            return error
        error.content["error"] = f"HTTP gets no answer from the gRPC port: {error.message}"
        if self._identities is not None and self._identities.are_asked_for:
            error.content["error"] += f"; {MUTUAL}"
            if not self._is_rejected:
                # Once until it succeeds: anybody can call.
                log.warning("HTTP can't reach the gRPC port", error=error.message, remedy=MUTUAL)
                self._is_rejected = True
        return error

    def _method(self, path: str) -> LoopMethod:
        """Return a method of the channel, which is another one once other files are trusted."""
        trusted = () if self._identities is None else self._identities.known
        if self._channel is None or trusted is not self._trusted:
            opened, former = self._open(), self._channel
            self._channel, self._trusted, self._methods = opened, trusted, {}
            if former is not None:
                self._close_later(former)
        if path not in self._methods:
            self._methods[path] = self._channel.unary_unary(path)
        return self._methods[path]

    def _open(self) -> LoopChannel:
        tls, options = (None, {}) if self._identities is None else trust(self._identities)
        return LoopChannel(
            Settings.check(
                reachable(self.address),
                MAX_SECONDS,
                {**OPTIONS, **options},
                tls,
                None,
                False,
                connections=CONNECTIONS,
            )
        )

    def _close_later(self, channel: LoopChannel) -> None:
        """Close connections once no call can be left on them."""

        async def close() -> None:
            await asyncio.sleep(MAX_SECONDS)
            await channel.close()

        task = asyncio.get_running_loop().create_task(close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def forwarded(request: Request) -> Metadata:
    """Return what a request's headers say for the call."""
    return tuple(
        (name, text)
        for name in FORWARDED
        for text in request.headers.getlist(name)
        if _PRINTABLE.fullmatch(text)
    )


def timeout_of(request: Request) -> float:
    """Return how many seconds a request's header grants, in the form that gRPC has on the wire,
    such as 500m; MAX_SECONDS without one. Raises HttpError.
    """
    text = request.headers.get(TIMEOUT)
    if text is None:
        return MAX_SECONDS
    found = _TIMEOUT.fullmatch(text)
    if found is None or not int(found[1]):
        raise HttpError(
            HTTPStatus.BAD_REQUEST,
            f"{TIMEOUT} is {text!r:.80}; send a number and a unit, such as 500m for 500 ms or 2S",
            violations=[{"field": TIMEOUT, "description": "not a time", "reason": "TIMEOUT"}],
        )
    return int(found[1]) * UNITS[found[2]]
