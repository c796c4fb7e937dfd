"""States that a server may be in, each a function that brings it there."""

import signal

from server.supervisor import slot
from tests.server.supervisor.supervised import World


def start_up(world: World) -> None:
    """Nobody is ready."""


def serve(world: World) -> None:
    """All are."""
    world.serve()


def roll(world: World) -> None:
    """A successor starts."""
    world.serve()
    before = len(world.workers)
    world.signals.send(signal.SIGUSR2)
    world.turn()
    assert len(world.workers) == before + 1


def let_go(world: World) -> None:
    """A successor is ready, and its predecessor ends."""
    roll(world)
    world.workers[-1].ready()
    world.turn()


def make_room(world: World) -> None:
    """A predecessor ends before its successor is ready."""
    roll(world)
    world.workers[-1].say(event="takes_over")
    world.turn()


def wait_for_restart(world: World) -> None:
    """All workers have ended and are to be started later, and HTTP's process too."""
    world.serve()
    world.start_error = OSError(11, "Resource temporarily unavailable")
    for fake in (*world.workers, *world.https):
        fake.exit(-9)
    world.turn()
    world.turn(1)


def hang(world: World) -> None:
    """All are silent for longer than they may be."""
    world.serve()
    for _ in range(200):
        world.turn(0.9)
        if world.workers[0].process.exit_code is not None:
            return


def back_off(world: World) -> None:
    """A worker has ended so often that the next one is started later."""
    world.serve()
    for _ in range(5):
        world.workers[-1].exit(-9)
        world.turn()
        world.turn(1)
    assert any(fake.process.exit_code is None for fake in world.workers)


def start_after_back_off(world: World) -> None:
    """And now it is started, but not ready."""
    back_off(world)
    world.turn(slot.MAX_BACKOFF_SECONDS)
    for fake in (world.workers[0], *world.https):
        fake.say(event="pong")
    world.turn()


STATES = [
    start_up,
    serve,
    roll,
    let_go,
    make_room,
    wait_for_restart,
    back_off,
    start_after_back_off,
    hang,
]
