"""An event loop that ends while calls are in flight and wait, in a process of its own: gRPC hands
late events of one loop to the next one of the same process, which has to fail.
"""

import asyncio
import gc
import sys
import warnings
from typing import Any

from mlpserve import Prediction, aio
from mlpserve.joining.queues import MAX_FLIGHTS
from tests.mlpserve.joining.held import Held, holding, image


def end_loop(n_calls: int) -> None:
    """Have `asyncio.run` cancel what is left of so many calls; raises AssertionError."""
    calls: list[asyncio.Task[Prediction]] = []
    problems: list[Any] = []
    warnings.simplefilter("error")
    sys.unraisablehook = lambda found: problems.append(found.exc_value)

    async def run(held: Held) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: problems.append(context))
        client = aio.Client(held.address, coalesce=True)
        calls.extend(asyncio.create_task(client.predict(image(n))) for n in range(n_calls))
        await asyncio.to_thread(held.wait, min(n_calls, MAX_FLIGHTS))
        if n_calls > MAX_FLIGHTS:
            held.arrived[0].go.set()
            await asyncio.to_thread(held.wait, MAX_FLIGHTS + 1)

    with holding() as held:
        asyncio.run(run(held))
    gc.collect()
    assert all(call.cancelled() or call.result() for call in calls)
    assert sum(call.cancelled() for call in calls) >= n_calls - 1
    assert not problems, problems
