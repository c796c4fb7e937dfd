"""An interrupt, which Python raises between any two lines of its main thread, costs nobody else."""

import functools
import itertools
import linecache
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import numpy as np
import pytest

from harness.waiting import PATIENCE_SECONDS, wait_for
from mlpserve import Prediction
from mlpserve.connection.forks import PROCESS
from mlpserve.connection.settings import Settings
from mlpserve.joining import answers, queues, threads
from mlpserve.joining.queues import MAX_FLIGHTS
from mlpserve.joining.threads import Threads
from mlpserve.protocol.predict import encode_request

FILES = {module.__file__ for module in (answers, queues, threads)}
PIXELS = np.zeros(784, np.uint8)
SETTINGS = Settings.check("localhost:1", PATIENCE_SECONDS, None, None, None, False)


def predicted(n_images: int) -> Prediction:
    labels = np.zeros(n_images, np.int64)
    return Prediction(labels, np.zeros((n_images, 1), np.float32), ("a",), "one", 1)


class Call:
    """A call that is answered at once, by another thread as gRPC does it."""

    def __init__(self, request: bytes) -> None:
        self.n_images = len(request) // 784

    def add_done_callback(self, tell: Callable[["Call"], None]) -> None:
        threading.Thread(target=tell, args=(self,)).start()

    def result(self) -> bytes:
        return bytes(self.n_images)

    def cancel(self) -> None:
        pass


class Calls:
    """Joined calls, of which lone ones last until they are let go."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.answered: list[Prediction] = []
        self.during: Callable[[], None] | None = None
        self.go = threading.Event()
        self.joined = Threads(
            self._ask,
            lambda request, **_: Call(request),
            lambda message: predicted(len(message)),
            SETTINGS,
        )
        self.others: list[threading.Thread] = []

    def _ask(self, *_: object) -> Prediction:
        self.in_flight += 1
        if threading.current_thread() is not threading.main_thread():
            assert self.go.wait(PATIENCE_SECONDS)
        elif self.during is not None:
            self.during()
        return predicted(1)

    def call(self) -> Prediction:
        return self.joined.predict(b"", encode_request(b"", PIXELS), PIXELS, None, None)

    def begin(self) -> None:
        """Make a call in another thread."""

        def run() -> None:
            self.answered.append(self.call())

        self.others.append(threading.Thread(target=run))
        self.others[-1].start()

    def waiting(self) -> int:
        with self.joined._lock:
            return len(list(self.joined._queues.pending()))

    def are_waiting(self, wanted: int) -> bool:
        """Return whether so many calls wait."""
        return self.waiting() == wanted

    def begin_waiting(self, number: int) -> None:
        """Make calls in other threads that wait."""
        for _ in range(number):
            wanted = self.waiting() + 1
            self.begin()
            wait_for(functools.partial(self.are_waiting, wanted))

    def check(self) -> None:
        """Fail unless all others have their answers, and calls go on."""
        self.during = None
        self.go.set()
        for thread in self.others:
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive()
        assert len(self.answered) == len(self.others)
        wait_for(lambda: not self.joined._queues)
        assert len(self.call()) == 1


def interrupted(act: Callable[[], Any], at_line: int) -> bool:
    """Call a function and interrupt it at a line; returns whether it has so many."""
    lines = itertools.count()

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        # The test itself looks who is pending.
        if frame.f_code.co_filename not in FILES or frame.f_code.co_name == "pending":
            return None
        line = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
        # Python looks for interrupts when something is called, so never on the edge of a block.
        is_edge = line.strip().startswith(("with ", "try:"))
        if event == "line" and not is_edge and next(lines) == at_line:
            sys.settrace(None)
            raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        act()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def in_flight(calls: Calls, number: int) -> None:
    """Make calls in other threads that are in flight."""
    for _ in range(number):
        calls.begin()
    wait_for(lambda: calls.in_flight == number)


def test_in_a_lone_call_behind_which_others_wait() -> None:
    def has_line(at_line: int) -> bool:
        calls = Calls()
        in_flight(calls, MAX_FLIGHTS - 1)
        calls.during = lambda: calls.begin_waiting(3)
        was_interrupted = interrupted(calls.call, at_line)
        calls.check()
        return was_interrupted

    assert sum(1 for _ in itertools.takewhile(has_line, itertools.count())) > 40


def test_in_a_call_that_waits_with_others() -> None:
    def has_line(at_line: int) -> bool:
        calls, over = Calls(), threading.Event()
        in_flight(calls, MAX_FLIGHTS)
        calls.begin_waiting(3)

        def let_go() -> None:
            # The lone calls end once this one waits, or was interrupted before.
            wait_for(lambda: calls.waiting() == 4 or over.is_set())
            calls.go.set()

        helper = threading.Thread(target=let_go)
        helper.start()
        was_interrupted = interrupted(calls.call, at_line)
        over.set()
        helper.join()
        calls.check()
        return was_interrupted

    assert sum(1 for _ in itertools.takewhile(has_line, itertools.count())) > 30


def test_a_forked_process_does_not_wait_for_its_parents_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = Calls()
    in_flight(calls, MAX_FLIGHTS)
    calls.begin_waiting(2)
    with monkeypatch.context() as forked, calls.joined._lock:
        forked.setattr(PROCESS, "generation", PROCESS.generation + 1)
        assert len(calls.call()) == 1
    calls.joined._renew()
    calls.check()
