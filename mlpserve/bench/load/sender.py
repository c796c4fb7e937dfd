"""Sends the calls of one process without waiting for their answers, and records what comes back.

Calls are made by grpc's futures: of what gRPC's public Python interface offers, they take the least
CPU and the least time between when a call is due and when it is sent.
"""

import functools
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc

from mlpserve.bench.load.recorder import Recorder
from mlpserve.bench.load.requests import Request
from mlpserve.bench.load.schedule import NANOSECONDS
from mlpserve.bench.load.target import Target
from mlpserve.connection.settings import Metadata
from mlpserve.errors import MlpserveError

MAX_BYTES_IN_FLIGHT = 512 * 1024 * 1024
"""What the requests in flight of a process may fill: gRPC holds a copy of each."""

_LOOK_SECONDS = 0.05
"""How often it is looked whether the run is to end early."""

_EARLY = 100_000
"""Nanoseconds by which a thread should wake before a call is due: sleep oversleeps as much."""

_PAUSE = NANOSECONDS // 10
"""How long a caller of a closed loop rests after a call that failed, which may take no time."""

_CANCELLED = 1
"""The code of grpc.StatusCode.CANCELLED."""

now = time.perf_counter_ns
"""The clock, which all processes of a machine share."""

Method = grpc.UnaryUnaryMultiCallable


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a process calls: a method for each of its connections, with requests without end."""

    methods: "tuple[Method[bytes, bytes], ...]"
    requests: Iterator[Request]
    target: Target
    timeout_seconds: float
    metadata: Metadata | None


class Sender:
    """Sends calls from `start` on, a time of the clock, until it is stopped."""

    def __init__(self, traffic: Traffic, recorder: Recorder, start: int) -> None:
        self._traffic = traffic
        self._recorder = recorder
        self._start = start
        self._stopped = threading.Event()
        self._to_rest: queue.SimpleQueue[tuple[int, int]] = queue.SimpleQueue()

    def stop(self) -> None:
        """Send no more calls; those in flight may be answered."""
        self._stopped.set()

    def send_at(self, times: Iterator[int], max_in_flight: int) -> None:
        """Send calls at these times after the start, in nanoseconds, late rather than never.

        What has no place in flight is recorded as not sent.
        """
        traffic, recorder, stopped = self._traffic, self._recorder, self._stopped
        n_methods = len(traffic.methods)
        for number, offset in enumerate(times):
            if not self._wait_until(self._start + offset):
                return
            if stopped.is_set():
                return
            request = next(traffic.requests)
            if recorder.has_place(max_in_flight, MAX_BYTES_IN_FLIGHT):
                self._send(traffic.methods[number % n_methods], request, offset)
            else:
                recorder.skip(offset, request.images)

    def keep_calling(self, callers: int, seconds: float) -> None:
        """Have callers that each send a call when their last one is answered, for so long."""
        self._wait_until(self._start)
        end = self._start + round(seconds * NANOSECONDS)
        for caller in range(callers):
            self._call_again(caller, end)
        while (left := end - now()) > 0 and not self._stopped.is_set():
            try:
                due, caller = self._to_rest.get(timeout=min(_LOOK_SECONDS, left / NANOSECONDS))
            except queue.Empty:
                continue
            # They rest equally long, so the first is the next.
            if self._wait_until(min(due, end)):
                self._call_again(caller, end)

    def _call_again(self, caller: int, end: int) -> None:
        if now() < end and not self._stopped.is_set():
            methods = self._traffic.methods
            request = next(self._traffic.requests)
            then = functools.partial(self._go_on, caller, end)
            self._send(methods[caller % len(methods)], request, None, then)

    def _go_on(self, caller: int, end: int, is_ok: bool) -> None:
        if is_ok:
            self._call_again(caller, end)
        else:
            self._to_rest.put((now() + _PAUSE, caller))

    def _send(
        self,
        method: "Method[bytes, bytes]",
        request: Request,
        intended: int | None,
        then: Callable[[bool], None] | None = None,
    ) -> None:
        """Send a request, which should have been sent when `intended` says, now without it; `then`
        gets to know whether the answer is OK.
        """
        traffic, recorder = self._traffic, self._recorder
        recorder.begin(len(request.message))
        sent = now() - self._start
        if intended is None:
            intended = sent
        try:
            call = method.future(
                request.message, timeout=traffic.timeout_seconds, metadata=traffic.metadata
            )
        except ValueError:
            # The channel was closed meanwhile.
            row = (intended, sent, sent, _CANCELLED, request.images, 0)
            recorder.end(row, len(request.message))
            return
        call.add_done_callback(functools.partial(self._end, intended, sent, request, then))

    def _end(
        self,
        intended: int,
        sent: int,
        request: Request,
        then: Callable[[bool], None] | None,
        call: Any,
    ) -> None:
        """Record a call of gRPC's that has ended, on one of its threads."""
        ended = now() - self._start
        code: int = call.code().value[0]
        wrong = 0
        if code:
            self._recorder.explain(code, call.details() or "")
        elif request.labels is not None:
            wrong = self._count_wrong(request, call.result())
        if then is not None:
            # Before this one is counted, so that not all have ended while there is more to come.
            then(code == 0)
        row = (intended, sent, ended, code, request.images, wrong)
        self._recorder.end(row, len(request.message))

    def _count_wrong(self, request: Request, response: bytes) -> int:
        assert request.labels is not None
        try:
            labels = self._traffic.target.read_labels(response)
        except MlpserveError:
            return request.images
        if len(labels) != request.images:
            return request.images
        return int((labels != request.labels).sum())

    def _wait_until(self, due: int) -> bool:
        """Return at a time of the clock whether the run goes on, and sooner when it doesn't."""
        while (left := due - now()) > 0:
            if self._stopped.is_set():
                return False
            if left > _EARLY:
                time.sleep(min(_LOOK_SECONDS, (left - _EARLY) / NANOSECONDS))
            else:
                # Lets other threads run.
                time.sleep(0)
        return True
