"""Work on what is large, on a thread of its own, so that others are answered meanwhile."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

LARGE_BYTES = 64 * 1024

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

# One, since JSON and NumPy leave Python to one thread at a time: several would wait for each other,
# and the event loop for all of them.
_THREAD = ThreadPoolExecutor(1, "large")


async def aside(
    size: int,
    function: Callable[Parameters, Result],
    *arguments: Parameters.args,
    **named: Parameters.kwargs,
) -> Result:
    """Return what a function makes of `size` bytes: at once if they are few, otherwise on a
    thread.
    """
    if size <= LARGE_BYTES:
        return function(*arguments, **named)
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_THREAD, lambda: function(*arguments, **named))
