"""Writes lines to a descriptor on a thread of its own: who logs neither waits nor fails.

Lines that can't be written, or that the queue has no room for, are dropped and counted.
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
"""What may wait to be written: some tenths of a second of calls that are all logged."""

WRITE_BYTES = select.PIPE_BUF
"""What is written at once, unless one line has more: a pipe takes it whole, so that the lines of
several processes do not mix.
"""

NOTICE_SECONDS = 1.0
"""Least time between two lines that tell how many were lost."""

RETRY_SECONDS = 0.001


class Writer:
    """Writes lines in their order; all methods may be called from any thread, and none raises.

    `descriptor` may block, which blocks the writer's thread alone, or not. It is left as it is: its
    flags are those of whoever shares it. `lost` counts the lines that were dropped, and `describe`
    returns the line that tells so, once lines can be written again.
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
        # `put` of this queue may interrupt itself: a finalizer or a signal's handler may log.
        self._queue: SimpleQueue[bytes | threading.Event] = SimpleQueue()
        self._lock = threading.RLock()
        self._bytes = 0
        self._is_started = False
        # What follows is the thread's own.
        self._held: bytes | threading.Event | None = None
        self._told, self._notice_time = 0, float("-inf")
        self._is_working, self._is_torn = True, False

    def start(self) -> None:
        """Start the thread, unless it runs; raises RuntimeError when the system gives none."""
        with self._lock:
            if not self._is_started:
                # It ends with the process alone: nobody who waits for all threads waits for it.
                _thread.start_new_thread(self._run, ())
                self._is_started = True

    def write(self, line: bytes) -> None:
        """Have a line written soon, its end included, if there is room for it."""
        try:
            with self._lock:
                fits = self._queue.qsize() < MAX_LINES and self._bytes + len(line) <= MAX_BYTES
                if fits:
                    self._bytes += len(line)
                    self._queue.put(line)
                else:
                    self.lost += 1
        except Exception:
            # Memory, or the stack, is at its end. That must not be the caller's.
            self.lost += 1
            return
        if not self._is_started:
            with contextlib.suppress(Exception):
                self.start()

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until what was to be written before has been, or dropped; returns whether it is."""
        if not self._is_started:
            return True
        done = threading.Event()
        self._queue.put(done)
        return done.wait(timeout_seconds)

    def _run(self) -> None:
        # A terminal may stop processes in the background that write to it, but not those that
        # block the signal.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        while True:
            try:
                self._turn()
            except Exception:
                # Memory is at its end.
                time.sleep(RETRY_SECONDS)

    def _turn(self) -> None:
        """Write what waits, as much as goes at once."""
        lines, done = self._gather()
        if lines:
            written = self._write_out(b"".join(lines))
            self._count_lost(lines, written)
        lost = self.lost
        if lost > self._told and self._is_working:
            is_due = time.monotonic() - self._notice_time >= NOTICE_SECONDS
            # When somebody waits for the end there may be no later.
            if is_due or done is not None:
                self._tell(lost)
        if done is not None:
            done.set()

    def _gather(self) -> tuple[list[bytes], threading.Event | None]:
        """Wait for lines, or until a notice is due; returns those to be written at once, and whom
        to tell that they were.
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
            # A line that was logged while another was being counted may have miscounted both.
            if self._held is None and self._queue.empty():
                self._bytes = 0
        return lines, None

    def _patience_seconds(self) -> float | None:
        """Return how long to wait for a line, None for as long as it takes."""
        if self.lost == self._told or not self._is_working:
            return None
        return max(0.0, self._notice_time + NOTICE_SECONDS - time.monotonic())

    def _write_out(self, content: bytes) -> int:
        """Write some lines, after the end of one that was torn; returns how many bytes of them."""
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
        except Exception:  # noqa: S110  # there is nobody to tell
            # A full disk, a closed terminal, a reader that is gone.
            pass
        self._is_working = written == len(content)
        if written:
            self._is_torn = content[written - 1 : written] != b"\n"
        return max(0, written - len(prefix))

    def _wait(self) -> None:
        """Wait until a descriptor that does not block may take more."""
        poll = select.poll()
        poll.register(self.descriptor, select.POLLOUT)
        poll.poll(1000)
        # Not all that says so does.
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
        """Write how many lines were lost since the last time, given how many it is in all."""
        lines = lost - self._told
        notice = b"%d lines of the log were lost\n" % lines
        if self.describe is not None:
            notice = self.describe(lines)
        self._notice_time = time.monotonic()
        self._write_out(notice)
        if self._is_working:
            self._told = lost


STDERR = Writer(2)
"""The writer of this process's log."""
