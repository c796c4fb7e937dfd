"""An interrupt, which Python raises between any two lines of its main thread, costs nobody else."""

import itertools
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import numpy as np

from harness.waiting import PATIENCE_SECONDS, wait_for
from mlpserve import Prediction
from mlpserve.connection.settings import Settings
from mlpserve.images import Pixels
from mlpserve.joining import answers, queues, threads
from mlpserve.joining.queues import MAX_FLIGHTS
from mlpserve.joining.threads import Threads

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
        self.during: dict[int, Callable[[], None]] = {}
        self.go = threading.Event()
        self.joined = Threads(
            self._ask,
            lambda request, **_: Call(request),
            lambda message: predicted(len(message)),
            SETTINGS,
        )
        self.others: list[threading.Thread] = []

    def _ask(
        self, request: bytes, pixels: Pixels, seconds: float | None, request_id: str | None
    ) -> Prediction:
        self.in_flight += 1
        if threading.current_thread() is not threading.main_thread():
            assert self.go.wait(PATIENCE_SECONDS)
        elif (act := self.during.pop(0, None)) is not None:
            act()
        return predicted(1)

    def call(self) -> Prediction:
        return self.joined.predict(b"", PIXELS, None, None)

    def begin(self) -> None:
        """Make a call in another thread."""

        def run() -> None:
            self.answered.append(self.call())

        self.others.append(threading.Thread(target=run))
        self.others[-1].start()

    def waiting(self) -> int:
        return len(list(self.joined._queues.pending()))

    def begin_waiting(self, number: int) -> None:
        """Make calls in other threads that wait."""
        for _ in range(number):
            before = self.waiting()
            self.begin()
            wait_for(lambda before=before: self.waiting() == before + 1)  # type: ignore[misc]

    def check(self) -> None:
        """Fail unless all others have their answers, and calls go on."""
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
        if frame.f_code.co_filename not in FILES:
            return None
        if event == "line" and next(lines) == at_line:
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


def test_in_a_lone_call_behind_which_others_wait() -> None:
    for at_line in itertools.count():
        calls = Calls()
        for _ in range(MAX_FLIGHTS - 1):
            calls.begin()
        wait_for(lambda calls=calls: calls.in_flight == MAX_FLIGHTS - 1)  # type: ignore[misc]
        calls.during[0] = lambda calls=calls: calls.begin_waiting(3)  # type: ignore[misc]
        is_over = not interrupted(calls.call, at_line)
        calls.check()
        if is_over:
            break
    assert at_line > 20


def test_in_a_call_that_waits_with_others() -> None:
    for at_line in itertools.count():
        calls = Calls()
        for _ in range(MAX_FLIGHTS):
            calls.begin()
        wait_for(lambda calls=calls: calls.in_flight == MAX_FLIGHTS)  # type: ignore[misc]
        calls.begin_waiting(3)
        # The others end once the call waits, or is interrupted before.
        over = threading.Event()

        def let_go(calls: Calls = calls, over: threading.Event = over) -> None:
            wait_for(lambda: calls.waiting() == 4 or over.is_set())
            calls.go.set()

        helper = threading.Thread(target=let_go)
        helper.start()
        is_over = not interrupted(calls.call, at_line)
        over.set()
        helper.join()
        calls.check()
        if is_over:
            break
    assert at_line > 10
