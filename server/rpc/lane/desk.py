"""Answers the lane's calls for which no model is run: at once, or on threads of their own."""

from collections.abc import Callable

import structlog
from google.protobuf.message import DecodeError, Message

from server.errors import InvalidField, RequestError, TooLarge
from server.rpc.lane.lane import Call
from server.running.batcher import refuse
from server.system.threads import Threads

log = structlog.get_logger()

MAX_MESSAGE_BYTES = 256 * 1024
"""What a message to these methods may have, all of which take a few names: protobuf takes a second
for megabytes of fields that nobody knows, in which no other thread of Python's runs.
"""

Respond = Callable[[bytes], bytes]
"""Returns the serialized answer to a serialized message; raises RequestError."""


def responder(kind: type[Message], answer: Callable[..., Message | bytes]) -> Respond:
    """Return what a function from messages of a kind to messages, serialized or not, does with
    serialized ones.
    """

    def respond(message: bytes) -> bytes:
        if len(message) > MAX_MESSAGE_BYTES:
            raise TooLarge(
                "message_bytes",
                f"the message has {len(message)} bytes, and a {kind.DESCRIPTOR.full_name} may have "
                f"{MAX_MESSAGE_BYTES}; send no other fields than it has",
            )
        try:
            request = kind.FromString(message)
        except DecodeError as error:
            raise InvalidField(
                "not_a_request",
                f"the message ({len(message)} bytes) is not a {kind.DESCRIPTOR.full_name} "
                f"({error})",
                "",
            ) from error
        response = answer(request)
        return response if isinstance(response, bytes) else response.SerializeToString()

    return respond


def at_once(respond: Respond) -> Callable[[Call], None]:
    """Return what answers a call on the lane itself: for what takes microseconds."""

    def answer(call: Call) -> None:
        try:
            call.answer(respond(call.message))
        except RequestError as error:
            refuse(call, error)
        except Exception as error:
            log.exception("call failed")
            refuse(call, error)

    return answer


def on_threads(threads: Threads, respond: Respond) -> Callable[[Call], None]:
    """Return what answers a call on one of some threads."""
    answer = at_once(respond)
    return lambda call: threads.submit(answer, call)
