"""Methods that answer one message with another and run no model, on the lane or on a thread."""

from collections.abc import Callable
from typing import TypeVar

import structlog
from google.protobuf.message import DecodeError, Message

from server.errors import InvalidField, RequestError, TooLarge
from server.running.calls import Call, refuse

log = structlog.get_logger()

MAX_MESSAGE_BYTES = 256 * 1024
"""The maximum for messages to these methods, which hold a few names: protobuf takes a second to
parse megabytes of unknown fields, during which no other Python thread runs.
"""

M = TypeVar("M", bound=Message)


def reader(kind: type[M]) -> Callable[[bytes], M]:
    """Return a function that parses messages of a kind; it raises TooLarge and InvalidField."""
    name = kind.DESCRIPTOR.full_name

    def read(message: bytes) -> M:
        if len(message) > MAX_MESSAGE_BYTES:
            raise TooLarge(
                "message_bytes",
                f"the message has {len(message)} bytes, and a {name} may have "
                f"{MAX_MESSAGE_BYTES}; send only the fields that it defines",
                len(message),
                MAX_MESSAGE_BYTES,
            )
        try:
            return kind.FromString(message)
        except DecodeError as error:
            raise InvalidField(
                "not_a_request",
                f"the message ({len(message)} bytes) is not a {name} ({error}); generate the "
                "client from the .proto file",
                "",
            ) from error

    return read


class Plain:
    """A method that takes messages of a kind, and the function that returns its answer, serialized
    or not, or raises RequestError.

    One that waits for other processes has `own_threads`, so that no other method waits for it.
    """

    def __init__(
        self,
        kind: type[Message],
        answer: Callable[..., Message | bytes],
        own_threads: int = 0,
    ) -> None:
        self._read, self._answer = reader(kind), answer
        self.own_threads = own_threads

    def respond(self, message: bytes) -> bytes:
        """Return the serialized answer to a serialized message; raises RequestError."""
        response = self._answer(self._read(message))
        return response if isinstance(response, bytes) else response.SerializeToString()

    def end(self, call: Call) -> None:
        """Answer a call on the thread that brings it."""
        try:
            call.answer(self.respond(call.message))
        except RequestError as error:
            refuse(call, error)
        except Exception as error:
            log.exception("call failed")
            refuse(call, error)
