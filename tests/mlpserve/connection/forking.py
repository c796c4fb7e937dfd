"""A program that forks while it has clients: `python -m MODULE ADDRESS SCENARIO` prints what parent
and children got as JSON lines.

The server's answers name the connection that they went over as their model.
"""

import asyncio
import gc
import json
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np

from harness.waiting import running_threads
from mlpserve import Client, MlpserveError, aio
from mlpserve.connection.forks import PROCESS

IMAGE = np.zeros(784, np.uint8)
N_FORKS = 5
ADDRESS = sys.argv[1] if len(sys.argv) > 1 else ""


def say(**values: Any) -> None:
    # One write, so that lines of several processes don't mix.
    os.write(1, (json.dumps(values) + "\n").encode())


def ask(client: Client) -> str:
    """Return the connection that answered, or what went wrong."""
    try:
        return client.predict(IMAGE).model
    except (MlpserveError, ValueError) as error:
        return f"{type(error).__name__}: {error}"


def ask_new() -> str:
    try:
        with Client(ADDRESS) as client:
            return ask(client)
    except (MlpserveError, ValueError) as error:
        return f"{type(error).__name__}: {error}"


def ask_closed(client: Client) -> str:
    client.close()
    return ask(client)


async def ask_aio(client: aio.Client) -> str:
    try:
        return (await client.predict(IMAGE)).model
    except (MlpserveError, ValueError) as error:
        return f"{type(error).__name__}: {error}"


async def ask_new_aio() -> str:
    try:
        async with aio.Client(ADDRESS) as client:
            return await ask_aio(client)
    except (MlpserveError, ValueError) as error:
        return f"{type(error).__name__}: {error}"


def fork(child: Callable[[], None], *, leave: Callable[[int], Any] = sys.exit) -> None:
    """Run a function in a child, and wait for its end."""
    pid = os.fork()
    if not pid:
        try:
            child()
        except Exception as error:  # noqa: BLE001  # a thread's would leave the child running
            say(child=[repr(error)])
            os._exit(1)
        leave(0)
    _, status = os.waitpid(pid, 0)
    say(status=status)


def inherited() -> None:
    """The child uses its parent's client, leaves it to the end of the interpreter, or closes it."""
    with Client(ADDRESS, connections=2) as client:
        before = [ask(client), ask(client)]
        for leave in (sys.exit, os._exit):
            fork(lambda: say(child=[ask(client), ask(client), ask_new()]), leave=leave)
        fork(client.close)
        fork(lambda: say(closed=ask_closed(client)))
        say(before=before, after=[ask(client), ask(client)])


def hedged() -> None:
    """The same with a client that hedges."""
    with Client(ADDRESS, hedge_after_seconds=60) as client:
        before = ask(client)
        fork(lambda: say(child=[ask(client), ask_new()]))
        ask(client)
        say(before=[before], after=[ask(client)])


def grandchild() -> None:
    """A child forks, too."""
    with Client(ADDRESS) as client:
        before = ask(client)

        def child() -> None:
            say(child=[ask(client)])
            fork(lambda: say(child=[ask(client)]))

        fork(child)
        say(before=[before], after=[ask(client)])


def pool() -> None:
    """Processes of multiprocessing use their parent's client, and it goes on."""
    with Client(ADDRESS) as client:
        before = ask(client)
        context = multiprocessing.get_context("fork")
        children = [
            context.Process(target=lambda: say(child=[ask(client), ask_new()])) for _ in range(2)
        ]
        for child in children:
            child.start()
        for child in children:
            child.join()
            say(status=child.exitcode)
        say(before=[before], after=[ask(client)])


def busy(**options: Any) -> None:
    """Threads call all the time."""
    done = threading.Event()
    errors: list[str] = []

    def call() -> None:
        while not done.is_set():
            if not (answer := ask(client)).startswith("ipv4:"):
                errors.append(answer)

    with Client(ADDRESS, timeout_seconds=60, **options) as client:
        before = ask(client)
        with running_threads(8, call):
            for _ in range(N_FORKS):
                fork(lambda: say(child=[ask(client), ask_new()]), leave=os._exit)
            done.set()
        say(before=[before], after=[ask(client)], errors=errors)


def coalescing() -> None:
    """The same, and their calls travel together."""
    busy(coalesce=True)


def slow() -> None:
    """A call lasts longer than a fork waits: the server answers images of ones when told to."""
    with Client(ADDRESS, timeout_seconds=60) as client, Client(ADDRESS) as other:
        ask(other)
        answers: list[str] = []
        thread = threading.Thread(
            target=lambda: answers.append(client.predict(IMAGE + np.uint8(255)).model)
        )
        thread.start()
        say(called=True)
        sys.stdin.readline()
        fork(lambda: say(child=[ask(other), ask_new()]), leave=os._exit)
        say(forked=True)
        thread.join()
        say(answers=answers)


def asynchronous() -> None:
    """The parent has a client for asyncio."""

    async def main() -> None:
        async with aio.Client(ADDRESS) as client, aio.Client(ADDRESS, coalesce=True) as joining:
            before = await ask_aio(client)
            await ask_aio(joining)

            def child() -> None:
                inherited = [asyncio.run(ask_aio(each)) for each in (client, joining)]
                say(child=[*inherited, asyncio.run(ask_new_aio()), ask_new()])

            await asyncio.to_thread(fork, child, leave=os._exit)
            say(before=[before], after=[await ask_aio(client)])

    asyncio.run(main())
    gc.collect()


def asynchronous_before() -> None:
    """The parent has had a client for asyncio, and has one for threads."""

    async def main() -> None:
        async with aio.Client(ADDRESS) as client:
            say(before=[await ask_aio(client)])

    asyncio.run(main())
    gc.collect()
    fork(lambda: say(child=[ask_new(), asyncio.run(ask_new_aio())]))


def dropped() -> None:
    """A child drops its parent's client, and ends."""
    client: Client | None = Client(ADDRESS)
    assert client is not None
    before = ask(client)
    (kind,) = {type(channel) for channel in PROCESS.channels}

    def tell(_channel: object) -> None:
        say(child="a channel ends")

    def child() -> None:
        nonlocal client
        mock.patch.object(kind, "__del__", tell).start()
        client = None
        gc.collect()
        say(child="ends")

    fork(child)
    say(before=[before], after=[ask(client)])


def unused() -> None:
    """The parent has called nobody."""
    fork(lambda: say(child=[ask_new(), asyncio.run(ask_new_aio())]))


if __name__ == "__main__":
    globals()[sys.argv[2]]()
