"""Joins the calls of tasks.

The first call is made by its own task. Groups have a task of their own, so that no caller's end is
that of others.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable

import grpc.aio

from mlpserve.connection.forks import PROCESS
from mlpserve.connection.loops import LoopMethod
from mlpserve.connection.settings import Settings
from mlpserve.images import Pixels
from mlpserve.joining.answers import Closed, receive, take, too_late
from mlpserve.joining.queues import ALONE, Group, Member, Queues
from mlpserve.joining.requests import Read, write
from mlpserve.prediction import Prediction
from mlpserve.timing import read_timing

Ask = Callable[[bytes, Pixels, float | None, str | None], Awaitable[Prediction]]


_Member = Member["asyncio.Future[None]"]
_Group = Group["asyncio.Future[None]"]


class Tasks:
    """Calls that travel together; `ask` makes one on its own, `begin` is the method, and `read`
    reads an answer; `is_timed` is whether they ask for their timing.
    """

    def __init__(
        self,
        ask: Ask,
        begin: LoopMethod,
        read: Read,
        settings: Settings,
        *,
        is_timed: bool = False,
    ) -> None:
        self._ask, self._begin, self._read = ask, begin, read
        self._settings, self._is_timed = settings.timed() if is_timed else settings, is_timed
        self._start()

    def _start(self) -> None:
        self._generation = PROCESS.generation
        self._queues = Queues["asyncio.Future[None]"]()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._alarm: asyncio.TimerHandle | None = None
        # The event loop itself keeps only weak references.
        self._senders: set[asyncio.Task[None]] = set()

    async def predict(
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
            # A forked process has none of its parent's tasks; its calls are told so.
            self._start()
        key = (head, pixels.dtype.char, pixels.size)
        loop = self._running_loop()
        if loop is None or not self._queues.is_joinable(key, pixels):
            return await self._ask(request, pixels, timeout_seconds, request_id)
        seconds = self._settings.seconds(timeout_seconds)
        member: _Member = Member(key, pixels, request_id)
        try:
            if self._queues.arrive(member):
                return await self._ask(request, pixels, timeout_seconds, request_id)
            member.content = request[-pixels.nbytes :]
            member.deadline = loop.time() + seconds
            member.wake = loop.create_future()
            if self._alarm is None or member.deadline < self._alarm.when():
                self._set_alarm(loop, member.deadline)
            await member.wake
            if member.outcome is None:
                raise too_late(self._settings.address)
            if member.outcome is not ALONE:
                return take(member, self._settings.address)
        finally:
            if member.outcome is None or member.group is None:
                self._leave(loop, member)
            # Otherwise both would keep each other in memory.
            member.group = None
        seconds = member.deadline - loop.time()
        if seconds <= 0:
            raise too_late(self._settings.address)
        return await self._ask(request, pixels, seconds, request_id)

    def _running_loop(self) -> asyncio.AbstractEventLoop | None:
        """Return the running loop if its calls may wait for each other: it is the one that the
        client belongs to, from its first call on or since another one was closed.
        """
        loop = self._loop
        # Asking asyncio takes a system call before Python 3.12.
        if loop is not None and threading.get_ident() == self._thread and loop.is_running():
            return loop
        running = asyncio.get_running_loop()
        if loop is not running:
            if loop is not None and not loop.is_closed():
                return None
            self._loop, self._alarm = running, None
            self._queues = Queues()
        self._thread = threading.get_ident()
        return running

    def _leave(self, loop: asyncio.AbstractEventLoop, member: _Member) -> None:
        """End a call, answered or not, and send the group that waited for its end."""
        following = self._queues.leave(member, loop.time())
        if following is not None:
            sender = loop.create_task(self._send(loop, following))
            self._senders.add(sender)
            sender.add_done_callback(self._senders.discard)
        self._rest()
        group = member.group
        if group is not None and group.is_abandoned and group.call is not None:
            group.call.cancel()

    def _rest(self) -> None:
        """Look after nobody's time while nothing is in flight."""
        if self._alarm is not None and not self._queues:
            self._alarm.cancel()
            self._alarm = None

    def _set_alarm(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        """Have calls looked after whose time is over, at a time by the loop's clock."""
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = loop.call_at(seconds, self._end_late, loop)

    def _end_late(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wake the callers whose time is over. One timer for each of them would cost a fifth of a
        call.
        """
        self._alarm = None
        now = loop.time()
        for member in self._queues.pending():
            if member.deadline <= now:
                _wake(member)
        later = [member.deadline for member in self._queues.pending() if member.deadline > now]
        if later:
            self._set_alarm(loop, min(later))

    async def _send(self, loop: asyncio.AbstractEventLoop, group: _Group | None) -> None:
        """Send a group, and those that wait for its end, one after the other."""
        while group is not None:
            try:
                answer = await self._exchange(loop, group)
                following = receive(self._queues, group, answer, self._settings.address)
                for member in group.members:
                    if member.outcome is not None:
                        _wake(member)
                if following is None:
                    # Those who are woken now may call again at once, and travel together as well.
                    await asyncio.sleep(0)
                    following = self._queues.finish(group, loop.time())
            except asyncio.CancelledError:
                # The event loop comes to its end.
                for member in self._queues.disband(group):
                    if member.wake is not None:
                        member.wake.cancel()
                raise
            group = following
        self._rest()

    async def _exchange(
        self, loop: asyncio.AbstractEventLoop, group: _Group
    ) -> Prediction | Exception:
        """Return the answer to a group, or why there is none."""
        try:
            request, metadata = write(group, self._settings)
            seconds = group.deadline - loop.time()
            group.call = self._begin(request, timeout=seconds, metadata=metadata)
            if group.is_abandoned:
                group.call.cancel()
            answer = self._read(await group.call)
            if self._is_timed:
                answer.timing = read_timing(await group.call.trailing_metadata())
            return answer
        except (grpc.aio.UsageError, ValueError):
            return Closed()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            if group.is_abandoned or self._begin.explain_cancelled() is not None:
                return Closed()
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, its callers wait for it
            return error


def _wake(member: _Member) -> None:
    """Have the caller of a call go on, if it still waits."""
    if member.wake is not None and not member.wake.done():
        member.wake.set_result(None)
