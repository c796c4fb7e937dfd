"""Writes requests to a call of grpc.aio, whose own status survives when that fails."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import grpc


async def write(call: Any, request: bytes) -> None:
    """Send a request; when the call has ended, do nothing: its status says why.

    `call.write` would put INTERNAL in the place of that status, and what the server said, such as
    that it has no room for another stream, would be lost. What `write` itself calls does not, so it
    is called here, if this version of gRPC has it.
    """
    with _unless_ended():
        await call.wait_for_connection()
        if not call.done():
            core = getattr(call, "_cython_call", None)
            await getattr(core, "send_serialized_message", call.write)(request)


async def end(call: Any) -> None:
    """Signal that no more requests come; when the call has ended, do nothing."""
    with _unless_ended():
        await call.done_writing()


@contextlib.contextmanager
def _unless_ended() -> Iterator[None]:
    try:
        yield
    except (grpc.RpcError, asyncio.InvalidStateError):
        pass
    except Exception as error:
        # Some types of gRPC's errors are private.
        if not type(error).__module__.startswith("grpc"):
            raise
