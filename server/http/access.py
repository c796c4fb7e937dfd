"""What stands before the APIs and the page: who may call, how much, and how errors are told."""

import re
from dataclasses import dataclass
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.http.bodies import Bodies
from server.http.connections.caller import caller_of
from server.http.errors import HttpError, internal_error

REQUEST_ID = "x-request-id"
_REQUEST_ID = re.compile(r"[!-~]{1,1024}")


@dataclass(frozen=True, slots=True)
class Demand:
    """Whether callers must present a certificate, and whether they can."""

    certificate: bool
    is_tls: bool

    def check(self, scope: Scope) -> None:
        """Raise HttpError for a caller without the certificate that gRPC would demand."""
        if not self.certificate or caller_of(scope).has_certificate:
            return
        words = "callers of this server present a certificate of an authority in tls_client_ca"
        if not self.is_tls:
            words += ", which plain HTTP has no way to do; give --http-tls on"
        raise HttpError(HTTPStatus.FORBIDDEN, words, reason="NO_CERTIFICATE")


class Access:
    """An application that is asked by those who may, with bodies in bounds.

    A path means the same with a slash at its end. The caller's x-request-id comes back.
    """

    def __init__(self, app: ASGIApp, bodies: Bodies, demand: Demand) -> None:
        self._app, self._bodies, self._demand = app, bodies, demand

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        request_id = Headers(scope=scope).get(REQUEST_ID, "")
        has_started = False

        async def send_with_id(message: Message) -> None:
            nonlocal has_started
            if message["type"] == "http.response.start":
                has_started = True
                if _REQUEST_ID.fullmatch(request_id):
                    pair = (REQUEST_ID.encode(), request_id.encode())
                    message = {**message, "headers": [*message["headers"], pair]}
            await send(message)

        path = scope["path"].rstrip("/") or "/"
        try:
            if path.endswith("\n"):
                # Starlette takes it for the path without.
                raise HttpError(HTTPStatus.NOT_FOUND, "paths have no line ends", reason="PATH")
            self._demand.check(scope)
            with self._bodies.one(scope):
                await self._app({**scope, "path": path}, receive, send_with_id)
        except HttpError as error:
            await error.response()(scope, receive, send_with_id)
        except Exception:
            if has_started:
                # uvicorn logs it and ends the connection.
                raise
            await internal_error().response()(scope, receive, send_with_id)
