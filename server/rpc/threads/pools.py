"""Threads for the methods that are not on the lane, with bounds on the calls that they take.

grpcio lets a thread wait for a call's message. So that no caller can occupy all threads by sending
none, spare ones step in while messages stall, and messages that stall for too long are given up;
see `arrivals`.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import grpc
import structlog

from server.errors import RequestError
from server.rpc.admission import ARRIVAL_SECONDS, IDLE_STREAM, SLOW_MESSAGE, Gate
from server.rpc.status import status_of
from server.rpc.threads import inside

log = structlog.get_logger()

SPARE_THREADS = 16
"""Threads that step in while messages stall, and wait for these."""

STALL_SECONDS = 0.1
"""How long a thread waits for a message before one of these stands in for it."""

LOOK_SECONDS = 0.05
"""How often the pool checks for stalled messages while calls wait."""

_DONE: "Future[Any]" = Future()
_DONE.set_result(None)
"""grpcio only asks for a result that is done: the pool counts the calls itself."""


class GivenUp(Exception):
    """The call has been ended, with this error, while its thread waited for a message."""

    def __init__(self, error: RequestError) -> None:
        super().__init__(str(error))
        self.error = error


class Work:
    """A call, and the function that grpcio wants run for it.

    `refusal` is why it must not be answered, `given_up` why it has been ended; `is_over` says that
    nothing is left to do but to send its answer.
    """

    __slots__ = ("_arguments", "_peer", "_run", "context", "given_up", "is_over", "refusal")

    def __init__(
        self, run: Callable[..., Any], arguments: tuple[Any, ...], peer: str | None = None
    ) -> None:
        self._run, self._arguments, self._peer = run, arguments, peer
        self.context: grpc.ServicerContext | None = None
        self.refusal: RequestError | None = None
        self.given_up: RequestError | None = None
        self.is_over = False

    @property
    def peer(self) -> str:
        """The connection that the call came by, such as ipv4:127.0.0.1:40000."""
        if self._peer is None:
            self._peer = inside.peer_of(self._arguments)
        return self._peer

    def run(self) -> None:
        """Do it; no error comes out."""
        try:
            self._run(*self._arguments)
        except BaseException:
            log.exception("a call's thread failed")
        # They hold the call.
        self._arguments = ()


class Pool(ThreadPoolExecutor):
    """A thread pool that knows whether it has as many calls, running and waiting, as it may take.

    A subclass, since grpc takes nothing else for a method's own threads.
    """

    def __init__(
        self,
        name: str,
        threads: int,
        calls: int,
        spare: int = SPARE_THREADS,
        patience_seconds: float = ARRIVAL_SECONDS,
    ) -> None:
        """`threads` answer calls, of which `calls` may be there. While messages stall, up to
        `spare` more wait for messages, each of which may take `patience_seconds`.
        """
        super().__init__(threads + spare, thread_name_prefix=name)
        is_stream = name == "stream"
        self.gate = Gate[Work](calls, threads + spare, patience_seconds, are_streams=is_stream)
        self._arrivals = self.gate.arrivals
        self._answering, self._spare = threads, spare
        # Those whose threads wait for a message, by when they began to, and so in that order.
        self._reading: dict[Work, float] = {}
        self._busy = self._stalled = 0
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._served = threading.local()
        self._watch = threading.Thread(target=self._look, name=f"{name} watch", daemon=True)
        self._is_watched = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **_: Any) -> "Future[Any]":
        """Serve a call on one of the threads, as soon as one is free."""
        work = Work(fn, args)
        with self._lock:
            self.gate.in_progress += 1
            at_once = False
            if self._arrivals.is_contended or not self._has_thread():
                self._arrivals.wait(work)
            else:
                at_once = self._arrivals.enter(work, time.perf_counter())
            if at_once:
                self._busy += 1
            else:
                self._wake()
        if at_once:
            self._start(work)
        return _DONE

    def receive(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes | None:
        """Return the next message of the call that this thread serves, None when there is none.

        Raises what the iterator does, GivenUp when the call has been ended meanwhile, or the reason
        why it must not be answered.
        """
        work: Work | None = getattr(self._served, "work", None)
        if work is None:
            # This grpcio takes no pools of methods.
            return next(requests, None)
        with self._lock:
            refusal = work.refusal or work.given_up
            if refusal is None:
                work.context = context
                self._reading[work] = time.perf_counter()
        if refusal is not None:
            raise refusal
        message = None
        try:
            message = next(requests, None)
        finally:
            with self._lock:
                self._reading.pop(work, None)
                if message is not None and work.given_up is None:
                    # Nothing is arriving any more.
                    work.context = None
                self._leave(work)
                self._stalled = min(self._stalled, len(self._reading))
            if work.given_up is not None:
                # The error is kept until the next collection, with all that this function holds.
                message = None
                raise GivenUp(work.given_up)
        return message

    def finish(self) -> None:
        """Count the call that this thread serves no longer: whoever has its answer may make another
        before the thread goes on.
        """
        work: Work | None = getattr(self._served, "work", None)
        if work is not None:
            with self._lock:
                self._finish(work)

    def make_room(self, peer: str) -> None:
        """Take a place from the connection that has the most of them, if another's call has been
        turned away that came by the connection `peer`, and will come back.
        """
        with self._lock:
            displaced = self._arrivals.displace(Work(_nothing, (), peer))
            idle = None if displaced else self._idlest_beyond_share(peer)
            if idle is not None:
                idle.given_up = IDLE_STREAM
                del self._reading[idle]
        if displaced is not None:
            displaced.refusal = self.gate.too_many
            self._run(displaced)
            with self._lock:
                self._forget(displaced)
        if idle is not None:
            self._end(idle)

    def _start(self, work: Work) -> None:
        try:
            super().submit(self._serve, work)
        except RuntimeError:
            # The call waits for the threads there are.
            log.exception("no further thread could be started")

    def _has_thread(self) -> bool:
        return self._busy < self._answering + min(self._stalled, self._spare)

    def _serve(self, work: Work | None) -> None:
        """Serve a call on this thread, and then others that wait."""
        while work is not None:
            self._run(work)
            with self._lock:
                self._forget(work)
                self._busy -= 1
                # It counts no more, so that the thread may go on unless there are too many.
                work = self._arrivals.next(time.perf_counter()) if self._has_thread() else None
                self._busy += work is not None

    def _run(self, work: Work) -> None:
        before = getattr(self._served, "work", None)
        self._served.work = work
        work.run()
        self._served.work = before

    def _forget(self, work: Work) -> None:
        """Forget a call that has ended; the caller holds the lock."""
        self._finish(work)
        self._leave(work)

    def _finish(self, work: Work) -> None:
        if not work.is_over:
            work.is_over = True
            self.gate.in_progress -= 1

    def _leave(self, work: Work) -> None:
        """Free a call's place once its message can't be there; the caller holds the lock."""
        if work.context is not None and inside.let_go(work.context):
            self._arrivals.end(work, time.perf_counter())
            self._wake()
        else:
            self._arrivals.leave(work)

    def _wake(self) -> None:
        """Have calls looked after that wait or end; the caller holds the lock."""
        if not self._is_watched:
            self._is_watched = True
            self._watch.start()
        self._changed.notify()

    def _look(self) -> None:
        while True:
            try:
                self._look_after_stalled()
            except Exception:
                log.exception("stalled calls are no longer checked")
            time.sleep(LOOK_SECONDS)

    def _look_after_stalled(self) -> None:
        """Wait until calls wait for threads, or end. Then free the places of messages that are
        gone, give up what stalls for too long, and let threads that are at hand stand in for the
        others.
        """
        started = []
        with self._lock:
            while not self._arrivals.is_contended and not self._arrivals.ending:
                self._changed.wait()
            now = time.perf_counter()
            for work in self._arrivals.ending:
                self._leave(work)
            overdue = self._arrivals.overdue(now)
            given_up = self._arrivals.give_up(now)
            for work in given_up:
                work.given_up = SLOW_MESSAGE
            self._stalled = sum(now - since > STALL_SECONDS for since in self._reading.values())
            while self._has_thread() and (waiting := self._arrivals.next(now)) is not None:
                self._busy += 1
                started.append(waiting)
        for work in started:
            self._start(work)
        for work in given_up:
            self._end(work)
        for work in overdue:
            if work.context is not None:
                work.context.cancel()

    def _idlest_beyond_share(self, peer: str) -> Work | None:
        """Return the stream that has waited the longest of a connection with more than half of all;
        None when `peer` is that connection, or it hasn't waited for long.
        """
        if self._spare:
            return None
        held = Counter(work.peer for work in self._reading)
        (greedy, streams), *_ = held.most_common(1) or [("", 0)]
        if greedy == peer or streams <= self.gate.max_calls // 2:
            return None
        work = next(work for work in self._reading if work.peer == greedy)
        is_idle = time.perf_counter() - self._reading[work] > ARRIVAL_SECONDS
        return work if is_idle else None

    @staticmethod
    def _end(work: Work) -> None:
        # Without a context its thread has not begun to wait, and refuses it.
        if work.context is not None and work.given_up is not None:
            inside.end(work.context, status_of(work.given_up))


def _nothing() -> None:
    """Do nothing, for a call that has been turned away already."""
