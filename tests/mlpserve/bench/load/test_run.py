"""What becomes of a run when calls, processes, servers and people do what they may do."""

import contextlib
import dataclasses
import itertools
import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt
import pytest

from harness.waiting import PATIENCE_SECONDS
from mlpserve.bench.load.processes import Interrupt, Interrupted, LoadError
from mlpserve.bench.load.run import Progress, load_settings, run
from mlpserve.bench.result import Form, Plan, Result
from mlpserve.errors import InvalidRequest, MlpserveError, ModelNotFound, Unavailable
from mlpserve.v1 import classifier_pb2
from tests.mlpserve.serving import N_PIXELS, Answer, classify, start_serving

PLAN = Plan("", rate=200.0, seconds=0.5, warmup_seconds=0.0, timeout_seconds=PATIENCE_SECONDS)
ENDLESS_SECONDS = 3600.0
Request = classifier_pb2.PredictRequest


def images(n_inputs: int) -> npt.NDArray[np.uint8]:
    """An image of each class, as the small server has it."""
    made = np.zeros((10, n_inputs), np.uint8)
    made[np.arange(10), np.arange(10)] = 255
    return made


class Switch:
    """Answers as usual until a run's first call is due, and then as a test says."""

    def __init__(self, measured: Answer) -> None:
        self._measured = measured
        self.is_on = threading.Event()

    def __call__(self, request: Request, context: grpc.ServicerContext) -> Any:
        answer = self._measured if self.is_on.is_set() else classify
        return answer(request, context)


def load(address: str, on_begin: Callable[[], None] = lambda: None, **changes: Any) -> Result:
    """Run a plan with some changes."""
    watch = changes.pop("watch", lambda _: None)
    interrupt = changes.pop("interrupt", None)
    plan = dataclasses.replace(PLAN, address=address, **changes)
    settings = load_settings(address, PATIENCE_SECONDS)
    return run(plan, settings, images, on_begin=on_begin, watch=watch, interrupt=interrupt)


FAILURES = [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK]


@pytest.mark.parametrize("changes", [{}, {"rate": None, "concurrency": 30}])
def test_each_status_is_counted(changes: dict[str, Any]) -> None:
    turns, answered, lock = itertools.cycle([None, *FAILURES]), Counter[str](), threading.Lock()

    def answer(request: Request, context: grpc.ServicerContext) -> Any:
        with lock:
            code = next(turns)
            answered["OK" if code is None else code.name] += 1
        if code is not None:
            context.abort(code, f"this is {code.name}")
        return classify(request)

    switch = Switch(answer)
    with start_serving(switch) as serving:
        result = load(serving.address, switch.is_on.set, **changes)
    assert result.codes == answered
    assert result.codes.keys() == {code.name for code in grpc.StatusCode}
    assert result.sent == answered.total()
    assert result.answered == result.images == answered["OK"]
    assert result.messages == {code.name: f"this is {code.name}" for code in FAILURES}
    assert result.intended.get_total_count() == answered["OK"]
    assert sum(window.failed for window in result.windows) == result.sent - result.answered
    assert result.lost_processes == ()


def test_calls_without_an_answer_end_at_their_deadline() -> None:
    over = threading.Event()

    def answer(_request: Request, context: grpc.ServicerContext) -> Any:
        over.wait(PATIENCE_SECONDS)

    switch = Switch(answer)
    with start_serving(switch) as serving:
        try:
            result = load(serving.address, switch.is_on.set, rate=20.0, timeout_seconds=0.2)
        finally:
            over.set()
    assert result.codes == {"DEADLINE_EXCEEDED": 10}
    assert result.answered == 0
    assert result.seconds > 0.2


def test_a_server_that_goes_away() -> None:
    interrupt = Interrupt()
    with contextlib.ExitStack() as running:
        serving = running.enter_context(start_serving())

        def watch(progress: Progress) -> None:
            if progress.answered:
                running.close()
            interrupt.count = int(progress.failed > 5)

        result = load(serving.address, seconds=ENDLESS_SECONDS, watch=watch, interrupt=interrupt)
    assert result.codes["UNAVAILABLE"] > 0
    assert result.codes.keys() <= {"OK", "UNAVAILABLE", "CANCELLED"}
    assert sum(result.codes.values()) == result.sent
    assert result.is_interrupted


def test_nothing_is_sent_beyond_the_calls_in_flight() -> None:
    """It is counted instead."""
    over, interrupt = threading.Event(), Interrupt()

    def answer(request: Request, context: grpc.ServicerContext) -> Any:
        over.wait(PATIENCE_SECONDS)
        return classify(request)

    def watch(progress: Progress) -> None:
        if progress.unsent >= 5:
            assert progress.in_flight <= 2
            interrupt.count = 1
            over.set()

    switch = Switch(answer)
    with start_serving(switch) as serving:
        result = load(
            serving.address,
            switch.is_on.set,
            seconds=ENDLESS_SECONDS,
            max_in_flight=2,
            watch=watch,
            interrupt=interrupt,
        )
    assert result.unsent >= 5
    assert result.unsent == sum(window.unsent for window in result.windows)
    assert result.codes == {"OK": result.sent}
    assert result.sent >= 2


def test_callers_of_a_closed_loop_wait() -> None:
    lock, in_progress, most = threading.Lock(), 0, 0

    def answer(request: Request, context: grpc.ServicerContext) -> Any:
        nonlocal in_progress, most
        with lock:
            in_progress += 1
            most = max(most, in_progress)
        response = classify(request)
        with lock:
            in_progress -= 1
        return response

    interrupt = Interrupt()

    def watch(progress: Progress) -> None:
        interrupt.count = int(progress.answered > 100)

    with start_serving(answer) as serving:
        result = load(
            serving.address,
            rate=None,
            concurrency=3,
            seconds=ENDLESS_SECONDS,
            processes=2,
            connections=2,
            watch=watch,
            interrupt=interrupt,
        )
    assert 1 <= most <= 3
    assert result.codes == {"OK": result.sent}
    assert result.intended.get_total_count() == result.service.get_total_count() == result.sent


def test_callers_rest_after_failures() -> None:
    """A server that refuses at once would otherwise be called as fast as it can refuse."""

    def answer(_request: Request, context: grpc.ServicerContext) -> Any:
        context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "full")

    switch = Switch(answer)
    with start_serving(switch) as serving:
        result = load(serving.address, switch.is_on.set, rate=None, concurrency=2, seconds=0.45)
    assert result.codes == {"RESOURCE_EXHAUSTED": result.sent}
    assert 2 <= result.sent <= 2 * 5


def wrong_label(request: Request, _context: grpc.ServicerContext) -> Any:
    response = classify(request)
    response.labels[0] = (response.labels[0] + 1) % 10
    return response


def too_few(request: Request, _context: grpc.ServicerContext) -> Any:
    response = classify(request)
    del response.labels[1:], response.activations[10:]
    return response


@pytest.mark.parametrize(
    ("answer", "share"),
    [
        (lambda request, _: classify(request), 0),
        (wrong_label, 1 / 3),
        (too_few, 1),
        (lambda *_: b"", 1),
        (lambda *_: b"\xff\xff", 1),
    ],
)
def test_labels_are_checked(answer: Answer, share: float) -> None:
    switch = Switch(answer)
    with start_serving(switch) as serving:
        result = load(serving.address, switch.is_on.set, check=True, batch=((3, 1.0),))
    assert result.codes == {"OK": 100}
    assert result.images == 300
    assert result.wrong_labels == 300 * share


def test_who_does_not_check_has_no_wrong_labels() -> None:
    with start_serving() as serving:
        result = load(serving.address)
    assert result.wrong_labels is None
    # One to see whether the server takes such calls, one to connect.
    assert result.unmeasured == 2
    assert len(serving.requests) == result.sent + 2


@pytest.mark.parametrize("form", Form)
def test_what_arrives(form: Form) -> None:
    with start_serving() as serving:
        load(serving.address, form=form, batch=((2, 1.0),), model="other", version=8, seed=5)
    sent = serving.requests[-1]
    assert (sent.model, sent.version) == ("other", 8)
    numbers = len(sent.pixels_u8) if form is Form.BYTES else len(sent.pixels)
    assert numbers == 2 * N_PIXELS


def test_the_warm_up_is_not_measured() -> None:
    with start_serving() as serving:
        result = load(serving.address, warmup_seconds=0.25, processes=2)
    assert result.sent == 100
    assert result.unmeasured == 1 + 2 + 50
    assert len(serving.requests) == result.sent + result.unmeasured


def only_child() -> multiprocessing.process.BaseProcess:
    (child,) = multiprocessing.active_children()
    return child


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_that_dies_is_named(number: signal.Signals) -> None:
    interrupt, killed = Interrupt(), threading.Event()

    def watch(progress: Progress) -> None:
        children = multiprocessing.active_children()
        if progress.answered and not killed.is_set():
            os.kill(children[0].pid or 0, number)
            killed.set()
        interrupt.count = int(len(children) == 1)

    with start_serving() as serving:
        result = load(
            serving.address,
            seconds=ENDLESS_SECONDS,
            processes=2,
            watch=watch,
            interrupt=interrupt,
        )
    assert result.lost_processes == (f"by {number.name}",)
    assert result.codes == {"OK": result.sent}
    assert result.sent > 0


def test_nobody_waits_for_processes_that_are_gone() -> None:
    def watch(progress: Progress) -> None:
        if progress.answered:
            for child in multiprocessing.active_children():
                child.kill()

    with start_serving() as serving:
        result = load(serving.address, seconds=ENDLESS_SECONDS, watch=watch)
    assert result.lost_processes == ("by SIGKILL",)
    assert not result.is_interrupted


def test_a_process_that_dies_before_the_load() -> None:
    calls = itertools.count(1)

    def answer(request: Request, context: grpc.ServicerContext) -> Any:
        if next(calls) == 2:
            only_child().kill()
        return classify(request)

    with start_serving(answer) as serving, pytest.raises(LoadError, match="by SIGKILL before"):
        load(serving.address)
    assert not multiprocessing.active_children()


def test_a_server_that_refuses_a_process_before_the_load() -> None:
    calls = itertools.count(1)

    def answer(request: Request, context: grpc.ServicerContext) -> Any:
        if next(calls) == 2:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "enough")
        return classify(request)

    with start_serving(answer) as serving, pytest.raises(LoadError, match="enough"):
        load(serving.address)


def test_the_first_interrupt_waits_for_answers_and_the_second_gives_them_up() -> None:
    over, interrupt = threading.Event(), Interrupt()
    heard: list[int] = []

    def answer(_request: Request, _context: grpc.ServicerContext) -> Any:
        over.wait(PATIENCE_SECONDS)

    def watch(progress: Progress) -> None:
        if interrupt.count == 1:
            heard.append(progress.in_flight)
        # Several looks later no call has been sent or given up.
        if progress.in_flight and (interrupt.count, len(heard)) in ((0, 0), (1, 10)):
            interrupt.count += 1

    switch = Switch(answer)
    with start_serving(switch) as serving:
        try:
            result = load(
                serving.address,
                switch.is_on.set,
                seconds=ENDLESS_SECONDS,
                watch=watch,
                interrupt=interrupt,
            )
        finally:
            over.set()
    assert interrupt.count == 2
    assert result.codes == {"CANCELLED": result.sent}
    assert heard[-1] == heard[-2] == result.sent > 0
    assert result.is_interrupted


def test_an_interrupt_before_the_load() -> None:
    with start_serving() as serving, pytest.raises(Interrupted):
        load(serving.address, interrupt=Interrupt(1))
    assert not multiprocessing.active_children()


def test_nobody_listens(silent_address: str) -> None:
    with pytest.raises(Unavailable, match="Connection refused"):
        load(silent_address)


def test_the_server_refuses_such_calls() -> None:
    def answer(request: Request, context: grpc.ServicerContext) -> Any:
        # The largest batch is tried first.
        if len(request.pixels_u8) > 64 * N_PIXELS:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "too many images")
        return classify(request)

    with start_serving(answer) as serving, pytest.raises(MlpserveError, match="too many images"):
        load(serving.address, batch=((1, 1000.0), (65, 1.0)))


def test_a_model_that_is_not_there() -> None:
    with start_serving() as serving:
        with pytest.raises(ModelNotFound, match="not loaded model 'x'; it has models with ver"):
            load(serving.address, model="x")
        with pytest.raises(ModelNotFound, match="not loaded model 'other' with version 7"):
            load(serving.address, model="other", version=7)


def test_images_of_another_size() -> None:
    with start_serving() as serving:
        settings = load_settings(serving.address, PATIENCE_SECONDS)
        with pytest.raises(InvalidRequest, match="each has 4 numbers and the model takes 784"):
            run(PLAN, settings, lambda _: np.zeros((2, 2, 2), np.uint8))
