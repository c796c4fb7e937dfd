"""Joins the calls of threads.

The first call is made by its own thread. Groups are sent by whoever ends what was in flight before
them, and their answers are given out by gRPC's thread.
"""

import functools
import threading
import time
from collections.abc import Callable
from typing import Any

from mlpserve.connection.forks import PROCESS
from mlpserve.connection.settings import Settings
from mlpserve.images import Pixels
from mlpserve.joining.answers import Closed, receive, take, too_late
from mlpserve.joining.queues import ALONE, Group, Member, Queues
from mlpserve.joining.requests import Read, write
from mlpserve.prediction import Prediction
from mlpserve.timing import read_timing

Ask = Callable[[bytes, Pixels, float | None, str | None], Prediction]
_Member = Member[threading.Lock]
_Group = Group[threading.Lock]


class Threads:
    """Calls that travel together; `ask` makes one on its own, `begin` is the method's `future`, and
    `read` reads an answer; `is_timed` is whether they ask for their timing.
    """

    def __init__(
        self,
        ask: Ask,
        begin: Callable[..., Any],
        read: Read,
        settings: Settings,
        *,
        is_timed: bool = False,
    ) -> None:
        self._ask, self._begin, self._read = ask, begin, read
        self._settings, self._is_timed = settings.timed() if is_timed else settings, is_timed
        # One for each process: a forked one has neither the calls in flight of its parent nor the
        # thread that may have held the lock.
        self._states: dict[int, tuple[threading.Lock, Queues[threading.Lock]]] = {}
        self._renew()

    def predict(
        self,
        head: bytes,
        request: bytes,
        pixels: Pixels,
        timeout_seconds: float | None,
        request_id: str | None,
    ) -> Prediction:
        """Return the answer to a request, which begins with `head` and ends with `pixels` and may
        travel with others; raises MlpserveError.
        """
        if self._generation != PROCESS.generation:
            self._renew()
        if PROCESS.is_forking:
            # Else what is in flight would never end, since each group brings the next one.
            PROCESS.wait()
        key = (head, pixels.dtype.char, pixels.size)
        if not self._queues.is_joinable(key, pixels):
            return self._ask(request, pixels, timeout_seconds, request_id)
        seconds = self._settings.seconds(timeout_seconds)
        member: _Member = Member(key, pixels, request_id)
        # An interrupt may come anywhere, but each step may be repeated.
        try:
            with self._lock:
                is_first = self._queues.arrive(member)
                if not is_first:
                    wake = _prepare(member, request, seconds)
            if is_first:
                return self._ask(request, pixels, timeout_seconds, request_id)
            if not wake.acquire(timeout=seconds) and member.outcome is None:
                raise too_late(self._settings.address)
            if member.outcome is not ALONE:
                return take(member, self._settings.address)
        finally:
            try:
                self._leave(member)
            except BaseException:
                self._leave(member)
                raise
        seconds = member.deadline - time.monotonic()
        if seconds <= 0:
            raise too_late(self._settings.address)
        return self._ask(request, pixels, seconds, request_id)

    def _renew(self) -> None:
        """Begin with empty queues in a new process, once, whichever of its threads calls first."""
        generation = PROCESS.generation
        fresh = threading.Lock(), Queues[threading.Lock]()
        self._lock, self._queues = self._states.setdefault(generation, fresh)
        self._generation = generation

    def _leave(self, member: _Member) -> None:
        """End a call, answered or not, and send the group that waited for its end."""
        with self._lock:
            following = self._queues.leave(member, time.monotonic())
        if following is not None:
            self._send(following)
        if (group := member.group) is not None:
            # Otherwise both would keep each other in memory.
            member.group = None
            if group.is_abandoned and group.call is not None:
                group.call.cancel()

    def _send(self, group: _Group | None) -> None:
        """Send a group that was not sent yet, or those that follow when it can't be sent."""
        while group is not None and not group.is_sent:
            try:
                request, metadata = write(group, self._settings)
                seconds = group.deadline - time.monotonic()
                group.call = self._begin(request, timeout=seconds, metadata=metadata)
                group.call.add_done_callback(functools.partial(self._end, group))
                group.is_sent = True
            except ValueError:
                group = self._receive(group, Closed())
            except Exception as error:  # noqa: BLE001  # whatever it is, its callers wait for it
                group = self._receive(group, error)
            else:
                if group.is_abandoned:
                    group.call.cancel()
                return

    def _end(self, group: _Group, call: Any) -> None:
        """Give out what has come for a group, and send the next one."""
        answer: Prediction | Exception
        try:
            answer = self._read(call.result())
            if self._is_timed:
                answer.timing = read_timing(call.trailing_metadata())
        except Exception as error:  # noqa: BLE001  # whatever it is, its callers wait for it
            answer = error
        self._send(self._receive(group, answer))

    def _receive(self, group: _Group, answer: Prediction | Exception) -> _Group | None:
        """Wake the callers of a group; returns the group to be sent now."""
        with self._lock:
            waiting = [member for member in group.members if member.outcome is None]
            following = receive(self._queues, group, answer, self._settings.address)
            if following is None:
                following = self._queues.finish(group, time.monotonic())
        for member in waiting:
            if member.outcome is not None and member.wake is not None:
                member.wake.release()
        return following


def _prepare(member: _Member, request: bytes, seconds: float) -> threading.Lock:
    """Give a call what it needs to wait; returns the lock that is released once it has an end."""
    member.content = request[-member.pixels.nbytes :]
    member.deadline = time.monotonic() + seconds
    member.wake = wake = threading.Lock()
    wake.acquire()
    return wake
