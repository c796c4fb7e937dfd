"""A process that sends calls: what it does from its start to its end, and what it tells its parent.

Parent and worker speak over a pipe. The worker connects and warms up, says Ready, waits for Begin,
sends its calls, hands over what came of them every now and then, and says Finished. Stop makes it
send no more calls, Abandon gives up those in flight. It ends when its parent does.
"""

import contextlib
import gc
import os
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection

import grpc

from mlpserve.bench.load.recorder import Recorder, Taken
from mlpserve.bench.load.requests import make_requests
from mlpserve.bench.load.schedule import NANOSECONDS, arrivals
from mlpserve.bench.load.sender import Sender, Traffic, now
from mlpserve.bench.load.target import Images, Labels, Target
from mlpserve.bench.result import Plan
from mlpserve.connection.channels import open_channel
from mlpserve.connection.settings import Settings
from mlpserve.errors import Less, from_rpc_error, in_command

_HAND_OVER_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker is to do: its share of a plan, as the `process`-th of the plan's processes."""

    plan: Plan
    settings: Settings
    target: Target
    images: Images
    labels: Labels | None
    process: int


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker has warmed up, with so many calls."""

    calls: int


@dataclass(frozen=True, slots=True)
class Begin:
    """The first call is due at this time of the clock."""

    start: int


class Stop:
    """Send no more calls."""


class Abandon:
    """Wait no longer for answers, either."""


@dataclass(frozen=True, slots=True)
class Finished:
    """All calls have ended; the CPU time that they took, and for how long they were sent."""

    cpu_seconds: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Failed:
    """The worker can't go on; its error."""

    reason: str


Told = Ready | Taken | Finished | Failed


def share(total: int, process: int, processes: int) -> int:
    """Return a process's part of a number that all of them share."""
    return total // processes + (process < total % processes)


def work(pipe: Connection, job: Job) -> None:
    """Do a job; the whole life of a process."""
    # Ctrl-C reaches all processes of the terminal, and the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _work(pipe, job)
    except grpc.RpcError as error:
        pipe.send(Failed(in_command(from_rpc_error(error, job.settings.address, Less()))))
    except (EOFError, BrokenPipeError):
        # The parent is gone.
        return


def _work(pipe: Connection, job: Job) -> None:
    plan, settings = job.plan, job.settings
    requests = make_requests(plan, job.target, job.images, job.labels, job.process)
    n_connections = max(1, share(plan.connections, job.process, plan.processes))
    with contextlib.ExitStack() as opened:
        channels = [opened.enter_context(open_channel(settings)) for _ in range(n_connections)]
        traffic = Traffic(
            tuple(channel.unary_unary(job.target.path) for channel in channels),
            requests,
            job.target,
            plan.timeout_seconds,
            settings.metadata,
        )
        pipe.send(Ready(_warm_up(traffic, job)))
        # What is there now stays: to look for garbage in it would delay calls.
        gc.collect()
        gc.freeze()
        begin = pipe.recv()
        if isinstance(begin, Begin):
            _measure(pipe, traffic, job, begin.start, channels)


def _warm_up(traffic: Traffic, job: Job) -> int:
    """Connect, send calls for a while, and return how many; raises grpc.RpcError."""
    for method in traffic.methods:
        method(
            next(traffic.requests).message,
            timeout=job.settings.timeout_seconds,
            metadata=traffic.metadata,
            wait_for_ready=True,
        )
    recorder = Recorder()
    _send(job, Sender(traffic, recorder, now()), job.plan.warmup_seconds)
    recorder.wait_until_idle()
    return len(traffic.methods) + recorder.begun


def _measure(
    pipe: Connection, traffic: Traffic, job: Job, start: int, channels: Sequence[grpc.Channel]
) -> None:
    recorder = Recorder()
    sender = Sender(traffic, recorder, start)
    ended = threading.Event()
    listener = threading.Thread(target=_listen, args=(pipe, sender, channels), daemon=True)
    listener.start()
    reporter = threading.Thread(target=_hand_over, args=(pipe, recorder, ended), daemon=True)
    reporter.start()
    cpu_seconds, begin = time.process_time(), now()
    _send(job, sender, job.plan.seconds)
    recorder.wait_until_idle()
    cpu_seconds, seconds = time.process_time() - cpu_seconds, (now() - begin) / NANOSECONDS
    ended.set()
    reporter.join()
    pipe.send(recorder.take())
    pipe.send(Finished(cpu_seconds, seconds))


def _send(job: Job, sender: Sender, seconds: float) -> None:
    plan, process = job.plan, job.process
    if plan.concurrency is None:
        max_in_flight = max(1, share(plan.max_in_flight, process, plan.processes))
        sender.send_at(arrivals(plan, process, seconds), max_in_flight)
    else:
        sender.keep_calling(share(plan.concurrency, process, plan.processes), seconds)


def _listen(pipe: Connection, sender: Sender, channels: Sequence[grpc.Channel]) -> None:
    """Do what the parent says, and end with it."""
    try:
        while True:
            order = pipe.recv()
            sender.stop()
            if isinstance(order, Abandon):
                for channel in channels:
                    channel.close()
    except (EOFError, OSError):
        os._exit(1)


def _hand_over(pipe: Connection, recorder: Recorder, ended: threading.Event) -> None:
    with contextlib.suppress(BrokenPipeError):
        while not ended.wait(_HAND_OVER_SECONDS):
            pipe.send(recorder.take())
