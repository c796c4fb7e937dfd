"""The private parts of grpcio that the ordinary server uses, each with a fallback.

All of them are here; `missing` lists those that this grpcio lacks.
"""

import contextlib
import importlib
from collections.abc import Callable
from typing import Any

import grpc
import structlog


def _module(name: str) -> Any:
    """Return a module of grpcio's inside, None if it is gone."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


_common, _server = _module("grpc._common"), _module("grpc._server")
cygrpc = _module("grpc._cython.cygrpc")

log = structlog.get_logger()


def _names(function: str) -> tuple[str, ...]:
    """Return the attributes that one of grpcio's functions asks for; none if it is gone."""
    code = getattr(getattr(_server, function, None), "__code__", None)
    return () if code is None else code.co_names + code.co_consts


HAS_OWN_THREADS = "experimental_thread_pool" in _names("_select_thread_pool_for_behavior")
"""Whether a method may have threads of its own. Otherwise all share the server's."""

_NEEDED = ("_CANCELLED", "_abort", "_get_initial_metadata", "_is_rpc_state_active", "_send_message")
CAN_END_CALLS = all(hasattr(_server, name) for name in _NEEDED)
"""Whether a call can be ended, with a status, while its thread waits for a message. Otherwise it is
cancelled, and its caller learns no reason.
"""

HAS_STREAMS_WITHOUT_THREADS = CAN_END_CALLS and (
    "experimental_non_blocking" in _names("_stream_response_in_pool")
)
"""Whether a stream can go on without a thread. Otherwise Health.Watch is not offered, which its
callers take for healthy.
"""


def missing() -> list[str]:
    """Return the parts that this grpcio lacks, in words for the log."""
    parts = {
        "threads for each kind of method": HAS_OWN_THREADS,
        "streams without threads": HAS_STREAMS_WITHOUT_THREADS,
        "ending a call from another thread": CAN_END_CALLS,
    }
    return [name for name, is_there in parts.items() if not is_there]


def peer_of(arguments: tuple[Any, ...]) -> str:
    """Return the connection of the call that grpcio gives to a thread, empty if that can't be seen.

    `arguments` are those of the function that the thread is to run.
    """
    for argument in arguments:
        if hasattr(argument, "call_details"):
            with contextlib.suppress(Exception):
                return str(argument.call.peer(), "utf-8", "replace")
    return ""


def let_go(context: Any) -> bool:
    """Forget the message of a call that nobody waits for any more; returns whether it may still be
    arriving.

    A call that has raised refers to itself until the next collection, and holds its message.
    """
    state: Any = getattr(context, "_state", None)
    if not all(hasattr(state, name) for name in ("condition", "due", "request")):
        return False
    with state.condition:
        state.request = None
        return getattr(_server, "_RECEIVE_MESSAGE_TOKEN", None) in state.due


def end(context: grpc.ServicerContext, status: grpc.Status) -> None:
    """End a call whose thread waits for a message, which then raises there."""
    try:
        _end(context, status)
    except Exception:
        log.exception("a call was cancelled, because it could not be ended with its reason")
        context.cancel()


def _end(context: Any, status: grpc.Status) -> None:
    if not CAN_END_CALLS:
        context.cancel()
        return
    state = context._state
    with state.condition:
        if not _server._is_rpc_state_active(state):
            return
        state.trailing_metadata = status.trailing_metadata
        state.code, state.details = status.code, _common.encode(status.details)
        _server._abort(state, context._rpc_event.call, cygrpc.StatusCode.unknown, b"")
        # As if the caller had left: grpcio then raises where the thread waits, and sends no more.
        state.client = _server._CANCELLED
        state.condition.notify_all()


def post(context: Any, message: bytes, on_left: Callable[[], None]) -> None:
    """Send a message of a stream without a thread that waits until it has left, when `on_left` is
    called; until then no other may be sent.
    """
    state, token = context._state, "post"
    with state.condition:
        if not _server._is_rpc_state_active(state):
            return
        operations = [cygrpc.SendMessageOperation(message, 0)]
        if state.initial_metadata_allowed:
            metadata = _server._get_initial_metadata(state, None)
            operations.insert(0, cygrpc.SendInitialMetadataOperation(metadata, 0))
            state.initial_metadata_allowed = False
        sent = _server._send_message(state, token)

        def left(event: Any) -> Any:
            ended = sent(event)
            on_left()
            return ended

        context._rpc_event.call.start_server_batch(operations, left)
        state.due.add(token)
