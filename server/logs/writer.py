"""Writes lines to a descriptor on a thread of its own, so that logging neither blocks nor fails.

Lines that can't be written, or for which the queue has no room, are dropped and counted.
"""

import _thread
import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

MAX_LINES, MAX_BYTES = 1024, 512 * 1024
"""What may wait to be written: a few tenths of a second if all calls are logged."""

WRITE_BYTES = select.PIPE_BUF
"""What is written at once, unless one line is longer: pipes take this much atomically, so that the
lines of several processes do not mix.
"""

NOTICE_SECONDS = 1.0
"""Minimum time between two lines that report lost ones."""

RETRY_SECONDS = 0.001


class Writer:
    """Writes lines in order; all methods may be called from any thread, and none raises.

    `descriptor` may be blocking, which blocks only the writer's thread, or not. Its flags are not
    changed, because other processes may share it. `lost` counts dropped lines; `describe` returns
    the line that reports them once lines can be written again.
    """

    def __init__(
        self,
        descriptor: int,
        describe: Callable[[int], bytes] | None = None,
        write: Callable[[int, bytes], int] = os.write,
    ) -> None:
        self.descriptor = descriptor
        self.describe = describe
        self.lost = 0
        self._write = write
        # `put` of this queue is reentrant: a finalizer or a signal handler may log.
        self._queue: SimpleQueue[bytes | threading.Event] = SimpleQueue()
        self._lock = threading.RLock()
        self._bytes = 0
        self._is_started = False
        # The rest belongs to the thread.
        self._held: bytes | threading.Event | None = None
        self._told, self._notice_time = 0, float("-inf")
        self._is_working, self._is_torn = True, False

    def start(self) -> None:
        """Start the thread, unless it runs; raises RuntimeError when the system gives none."""
        with self._lock:
            if not self._is_started:
                # Not a threading.Thread, which the interpreter might wait for at exit.
                _thread.start_new_thread(self._run, ())
                self._is_started = True

    def write(self, line: bytes) -> None:
        """Have a line, with its line end, written soon if there is room for it."""
        try:
            with self._lock:
                fits = self._queue.qsize() < MAX_LINES and self._bytes + len(line) <= MAX_BYTES
                if fits:
                    self._bytes += len(line)
                    self._queue.put(line)
                else:
                    self.lost += 1
        except Exception:
            # Out of memory or stack, which must not become the caller's problem.
            self.lost += 1
            return
        if not self._is_started:
            with contextlib.suppress(Exception):
                self.start()

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until all earlier lines are written or dropped; returns whether they are."""
        if not self._is_started:
            return True
        done = threading.Event()
        self._queue.put(done)
        return done.wait(timeout_seconds)

    def _run(self) -> None:
        # A terminal stops background processes that write to it, unless they block this signal.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        while True:
            try:
                self._turn()
            except Exception:
                # Out of memory.
                time.sleep(RETRY_SECONDS)

    def _turn(self) -> None:
        """Write some of the waiting lines at once."""
        lines, done = self._gather()
        if lines:
            written = self._write_out(b"".join(lines))
            self._count_lost(lines, written)
        lost = self.lost
        if lost > self._told and self._is_working:
            is_due = time.monotonic() - self._notice_time >= NOTICE_SECONDS
            # After a flush there may be no other chance.
            if is_due or done is not None:
                self._tell(lost)
        if done is not None:
            done.set()

    def _gather(self) -> tuple[list[bytes], threading.Event | None]:
        """Wait for lines, or until a notice is due; returns lines to be written at once, and the
        event of a flush.
        """
        lines: list[bytes] = []
        size = 0
        while True:
            item, self._held = self._held, None
            if item is None:
                try:
                    item = self._queue.get(not lines, self._patience_seconds())
                except Empty:
                    break
            if isinstance(item, threading.Event):
                return lines, item
            if lines and size + len(item) > WRITE_BYTES:
                self._held = item
                break
            with self._lock:
                self._bytes -= len(item)
            lines.append(item)
            size += len(item)
        with self._lock:
            # Corrects miscounts by lines that were logged while another was being counted.
            if self._held is None and self._queue.empty():
                self._bytes = 0
        return lines, None

    def _patience_seconds(self) -> float | None:
        """Return how long to wait for a line, None if there is no limit."""
        if self.lost == self._told or not self._is_working:
            return None
        return max(0.0, self._notice_time + NOTICE_SECONDS - time.monotonic())

    def _write_out(self, content: bytes) -> int:
        """Write some lines, after ending a torn one; returns how many of their bytes."""
        prefix = b"\n" if self._is_torn else b""
        content = prefix + content
        written = 0
        try:
            while written < len(content):
                try:
                    count = self._write(self.descriptor, content[written:])
                except BlockingIOError:
                    self._wait()
                    continue
                if not count:
                    break
                written += count
        except Exception:  # noqa: S110  # cannot be reported anywhere
            # A full disk, a closed terminal, or a reader that is gone.
            pass
        self._is_working = written == len(content)
        if written:
            self._is_torn = content[written - 1 : written] != b"\n"
        return max(0, written - len(prefix))

    def _wait(self) -> None:
        """Wait until a non-blocking descriptor may accept more."""
        poll = select.poll()
        poll.register(self.descriptor, select.POLLOUT)
        poll.poll(1000)
        # poll may be wrong.
        time.sleep(RETRY_SECONDS)

    def _count_lost(self, lines: Sequence[bytes], written: int) -> None:
        lost = 0
        end = 0
        for line in lines:
            end += len(line)
            lost += end > written
        if lost:
            with self._lock:
                self.lost += lost

    def _tell(self, lost: int) -> None:
        """Write how many lines were lost since the last time, given the total."""
        lines = lost - self._told
        notice = b"%d lines of the log were lost\n" % lines
        if self.describe is not None:
            notice = self.describe(lines)
        self._notice_time = time.monotonic()
        self._write_out(notice)
        if self._is_working:
            self._told = lost


STDERR = Writer(2)
"""Writes this process's log."""
