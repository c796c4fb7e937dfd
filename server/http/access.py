"""What stands before the APIs and the page: who may call, how much, and how errors are told."""

import re
from dataclasses import dataclass
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.http import errors
from server.http.bodies import ANSWERS, Bodies
from server.http.connections.caller import caller_of
from server.http.connections.unread import Unread
from server.http.connections.writing import PIECE_BYTES
from server.http.errors import HttpError

REQUEST_ID = b"x-request-id"
_REQUEST_ID = re.compile(rb"[!-~]{1,1024}")


@dataclass(frozen=True, slots=True)
class Demand:
    """Whether callers must present a certificate, and whether they can."""

    certificate: bool
    is_tls: bool

    def check(self, scope: Scope) -> None:
        """Raise HttpError for a caller without the certificate that gRPC would demand."""
        if not self.certificate or caller_of(scope).has_certificate:
            return
        words = (
            "callers of this server must present a certificate signed by an authority in "
            "tls_client_ca"
        )
        if not self.is_tls:
            words += ", which plain HTTP can't; give --http-tls on"
        raise HttpError(HTTPStatus.FORBIDDEN, words, reason="NO_CERTIFICATE")


class Access:
    """An application that is asked by those who may, with bodies and answers in bounds.

    A path means the same with a slash at its end. The caller's x-request-id comes back.
    """

    def __init__(self, app: ASGIApp, bodies: Bodies, demand: Demand) -> None:
        self._app, self._bodies, self._demand = app, bodies, demand
        self._unread = Unread(ANSWERS * bodies.max_body_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        answer = _Answer(scope, send)
        path = scope["path"].rstrip("/") or "/"
        try:
            if path.endswith("\n"):
                # Starlette takes it for the path without.
                raise HttpError(
                    HTTPStatus.NOT_FOUND, "a path can't contain line ends", reason="PATH"
                )
            self._demand.check(scope)
            with self._bodies.one(scope) as body:

                async def send_in_bounds(message: Message) -> None:
                    size = len(message.get("body", b""))
                    if size <= PIECE_BYTES or answer.has_begun:
                        await answer.send(message)
                        return
                    # Nothing but the answer is left of the request.
                    body.release()
                    try:
                        with self._unread.one(size, caller_of(scope)):
                            await answer.send(message)
                    except HttpError as error:
                        await error.response()(scope, receive, answer.send)

                # With an application Starlette raises errors, which are told below.
                inner = {**scope, "path": path, "app": self}
                await self._app(inner, receive, send_in_bounds)
        except (HttpError, HTTPException) as error:
            if answer.has_begun:
                raise
            await errors.explain(error, scope).response()(scope, receive, answer.send)
        except Exception:
            if answer.has_begun:
                # uvicorn logs it and ends the connection.
                raise
            await errors.internal_error().response()(scope, receive, answer.send)


class _Answer:
    """An answer, whose head leaves with the first bytes of its body."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._id = next((text for name, text in scope["headers"] if name == REQUEST_ID), b"")
        self.has_begun = False

    async def send(self, message: Message) -> None:
        """Send a part of it."""
        if message["type"] == "http.response.start":
            self._start = message
            return
        if not self.has_begun:
            assert self._start is not None
            self.has_begun = True
            if _REQUEST_ID.fullmatch(self._id):
                headers = [*self._start["headers"], (REQUEST_ID, self._id)]
                self._start = {**self._start, "headers": headers}
            await self._send(self._start)
        await self._send(message)
