"""Joined calls of threads and of tasks: one request, single answers, errors, times and ids."""

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest

import mlpserve
from harness.waiting import PATIENCE_SECONDS, wait_for
from mlpserve.joining.queues import MAX_FLIGHTS
from mlpserve.v1 import classifier_pb2
from server.errors import InvalidField, NotLoaded, Overloaded, TooLarge, Unauthenticated
from tests.mlpserve.joining.held import (
    BAD,
    Caller,
    Held,
    callers,
    enqueue,
    holding,
    image,
    numbers,
    occupy,
    refuse,
)
from tests.mlpserve.serving import HIDDEN, N_CLASSES, classify

LONE = MAX_FLIGHTS * [1]


@pytest.fixture(params=["threads", "tasks"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def held() -> Iterator[Held]:
    with holding() as server:
        yield server


@pytest.fixture
def caller(held: Held, kind: str) -> Iterator[Caller]:
    with callers(kind, held.address) as made:
        yield made
        held.open()


def test_calls_that_wait_travel_together(held: Held, caller: Caller) -> None:
    first = occupy(held, caller)
    calls = enqueue(caller, [image(number) for number in range(10, 20)])
    assert held.sizes == LONE
    held.open(after=2 * MAX_FLIGHTS)
    assert numbers(calls) == list(range(10, 20))
    assert numbers(first) == list(range(MAX_FLIGHTS))
    assert sorted(held.sizes) == sorted([*LONE, 5, 5])


def test_nothing_waits_while_nothing_is_in_flight(held: Held, caller: Caller) -> None:
    held.open()
    for number in range(3):
        assert numbers([caller.call(image(number))]) == [number]
    assert held.sizes == [1, 1, 1]
    assert caller.waiting() == 0


def test_answers_are_each_callers_own(held: Held, caller: Caller) -> None:
    occupy(held, caller, hidden_activations=True)
    images = [image(number) for number in range(4)]
    calls = enqueue(caller, images, lambda _: {"hidden_activations": True})
    held.open()
    for one, call in zip(images, calls, strict=True):
        prediction = call.result(PATIENCE_SECONDS)
        (hidden,) = prediction.hidden_layers
        assert hidden.tolist() == [one[N_CLASSES : N_CLASSES + HIDDEN].tolist()]
        assert (prediction.model, prediction.version) == ("pixels", 3)
        prediction.activations[:] = 7
        prediction.labels[:] = 7
    assert all(call.result().activations.base is None for call in calls)


def test_images_as_seen_are_each_callers_own(held: Held, caller: Caller) -> None:
    asked = {"canonicalize": True, "canonical_pixels": True}
    occupy(held, caller, **asked)
    images = [image(number) for number in range(4)]
    calls = enqueue(caller, images, lambda _: asked)
    held.open()
    for one, call in zip(images, calls, strict=True):
        done = call.result(PATIENCE_SECONDS).canonicalization
        assert done is not None
        assert done.pixels is not None
        assert done.pixels.tolist() == [one.tolist()]
        done.pixels[:] = 7


@pytest.mark.parametrize(
    "options",
    [
        {"model": "other"},
        {"version": 8},
        {"label": "stable"},
        {"hidden_activations": True},
        {"canonicalize": True},
        {"canonicalize": True, "canonical_pixels": True},
    ],
    ids=str,
)
def test_kinds_never_share_a_request(held: Held, caller: Caller, options: dict[str, Any]) -> None:
    occupy(held, caller)
    enqueue(caller, [image(1), image(2), image(3), image(4)])
    # They wait for others of their kind alone.
    occupy(held, caller, **options)
    calls = enqueue(caller, [image(5), image(6), image(7), image(8)], lambda _: options)
    held.open(after=4 * MAX_FLIGHTS)
    assert numbers(calls) == [5, 6, 7, 8]
    wait_for(lambda: caller.waiting() == 0)
    kinds: dict[bytes, list[int]] = {}
    for one in held.arrived:
        pixels, head = np.array(one.request.pixels), classifier_pb2.PredictRequest()
        head.CopyFrom(one.request)
        head.ClearField("pixels")
        kinds.setdefault(head.SerializeToString(), []).append(len(pixels) // 784)
    assert sorted(map(sorted, kinds.values())) == [[1, 1, 2, 2]] * 2


def test_pixels_of_another_type_or_number_travel_on_their_own(held: Held, caller: Caller) -> None:
    occupy(held, caller)
    bytes_call = caller.call(np.full(784, 255, np.uint8))
    wide = caller.call(np.zeros(1568, np.float32))
    held.wait(MAX_FLIGHTS + 2)
    held.open()
    assert bytes_call.result(PATIENCE_SECONDS).activations.tolist() == [[1.0] * N_CLASSES]
    with pytest.raises(mlpserve.InvalidRequest, match=r"images has shape \(1568,\)"):
        wide.result(PATIENCE_SECONDS)


def test_an_invalid_image_fails_alone(held: Held, caller: Caller) -> None:
    occupy(held, caller)
    calls = enqueue(caller, [BAD if number in (3, 6) else image(number) for number in range(8)])
    held.open(after=2 * MAX_FLIGHTS)
    for number, call in enumerate(calls):
        if number in (3, 6):
            error = call.exception(PATIENCE_SECONDS)
            assert isinstance(error, mlpserve.InvalidRequest)
            # What it would be told alone: it is image 0.
            assert str(error) == "pixels: image 0, pixel 0 is nan"
            assert error.violations[0].reason == "NOT_FINITE"
            assert isinstance(error.__cause__, grpc.RpcError)
        else:
            assert numbers([call]) == [number]
    # One more call for each of them, and one for the rest of its group.
    assert sorted(held.sizes) == sorted([*LONE, 4, 4, 3, 3, 1, 1])


def test_all_invalid(held: Held, caller: Caller) -> None:
    occupy(held, caller)
    calls = enqueue(caller, [BAD] * 8)
    held.open(after=2 * MAX_FLIGHTS)
    errors = [call.exception(PATIENCE_SECONDS) for call in calls]
    assert {str(error) for error in errors} == {"pixels: image 0, pixel 0 is nan"}
    assert len({id(error) for error in errors}) == 8
    assert sorted(held.sizes) == sorted([*LONE, 4, 4, *8 * [1]])


@pytest.mark.parametrize(
    "refused",
    [
        None,
        {"images": "0,9-12", "batch": "4"},
        {"images": "-1", "batch": "4"},
        {"images": "2-1", "batch": "4"},
        {"images": "x", "batch": "4"},
        {"images": "0", "batch": "x"},
        {"images": "0", "batch": "0"},
        {"images": "0", "batch": "7"},
        {"images": "0-99999999999999", "batch": "4"},
        {"images": "", "batch": "4"},
        {"batch": "4"},
        {},
    ],
    ids=str,
)
def test_where_nobody_says_which_all_are_asked_alone(
    kind: str, refused: dict[str, str] | None
) -> None:
    def answer(request: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> Any:
        if np.isnan(request.pixels).any():
            refuse(context, InvalidField("not_finite", "one is nan", "pixels", refused))
        return classify(request)

    with holding(answer) as held, callers(kind, held.address) as caller:
        occupy(held, caller)
        calls = enqueue(caller, [*map(image, range(7)), BAD])
        held.open(after=2 * MAX_FLIGHTS)
        assert numbers(calls[:7]) == list(range(7))
        assert str(calls[7].exception(PATIENCE_SECONDS)) == "one is nan"
        assert sorted(held.sizes) == sorted([*LONE, 4, 4, *4 * [1]])


def test_a_server_that_names_one_after_the_other_is_not_asked_for_ever(kind: str) -> None:
    def answer(request: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> Any:
        n_images = len(request.pixels) // 784
        if n_images > 1:
            refused = {"images": "0", "batch": str(n_images)}
            refuse(context, InvalidField("overflow", "image 0", "pixels", refused))
        return classify(request)

    with holding(answer) as held, callers(kind, held.address) as caller:
        occupy(held, caller)
        calls = enqueue(caller, [image(number) for number in range(16)])
        held.open(after=2 * MAX_FLIGHTS)
        assert numbers(calls) == list(range(16))
        assert sorted(held.sizes) == sorted([*LONE, 8, 8, 7, 7, 6, 6, *16 * [1]])


@pytest.mark.parametrize("size", [392, 1176])
def test_images_that_are_right_only_together(held: Held, caller: Caller, size: int) -> None:
    """Half an image and half an image are none."""
    part = np.zeros(size, np.float32)
    occupied = [caller.call(part) for _ in range(MAX_FLIGHTS)]
    held.wait(MAX_FLIGHTS)
    calls = enqueue(caller, [part] * 4)
    held.open()
    for call in occupied + calls:
        error = call.exception(PATIENCE_SECONDS)
        assert isinstance(error, mlpserve.InvalidRequest)
        assert str(error) == f"pixels has {size} values"


def test_two_dimensions_may_be_a_batch(held: Held, caller: Caller) -> None:
    """Only the model knows; its answer is divided evenly, and such calls are joined no more."""
    batch = np.stack([image(1), image(2)])
    occupied = [caller.call(batch) for _ in range(MAX_FLIGHTS)]
    held.wait(MAX_FLIGHTS)
    calls = enqueue(caller, [np.stack([image(number), image(7)]) for number in range(4)])
    held.open(after=2 * MAX_FLIGHTS)
    for number, call in enumerate(calls):
        prediction = call.result(PATIENCE_SECONDS)
        assert prediction.activations.tolist() == [
            image(number)[:N_CLASSES].tolist(),
            image(7)[:N_CLASSES].tolist(),
        ]
    assert all(len(call.result(PATIENCE_SECONDS)) == 2 for call in occupied)
    assert sorted(held.sizes) == sorted([*MAX_FLIGHTS * [2], 4, 4])
    many = [caller.call(batch) for _ in range(5)]
    assert all(len(call.result(PATIENCE_SECONDS)) == 2 for call in many)
    assert held.sizes[MAX_FLIGHTS + 2 :] == 5 * [2]


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (NotLoaded("model_not_found", "there is none"), mlpserve.ModelNotFound),
        (Overloaded("queue_full", "retry later"), mlpserve.Overloaded),
        (Unauthenticated("no_token", "there is no token"), mlpserve.Unauthenticated),
        (ValueError(), mlpserve.MlpserveError),
    ],
    ids=["not found", "overloaded", "unauthenticated", "internal"],
)
def test_what_concerns_all_is_told_to_each(
    kind: str, made: Exception, expected: type[mlpserve.MlpserveError]
) -> None:
    def answer(_: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> Any:
        refuse(context, made)

    with holding(answer) as held, callers(kind, held.address) as caller:
        occupied = occupy(held, caller)
        calls = enqueue(caller, [image(number) for number in range(4)])
        held.open(after=2 * MAX_FLIGHTS)
        alone = occupied[0].exception(PATIENCE_SECONDS)
        errors = [call.exception(PATIENCE_SECONDS) for call in calls]
        assert {(type(error), str(error)) for error in errors} == {(expected, str(alone))}
        assert len({id(error) for error in errors}) == 4
        assert all(isinstance(error.__cause__, grpc.RpcError) for error in errors if error)
        assert held.sizes == [*LONE, 2, 2]


def too_many(request: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> Any:
    if len(request.pixels) > 3 * 784:
        refuse(context, InvalidField("batch_size", "one call may hold 3", "pixels"))
    return classify(request)


def too_large(request: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> Any:
    if len(request.pixels) > 3 * 784:
        refuse(context, TooLarge("answer_bytes", "the answer is too large"))
    return classify(request)


@pytest.mark.parametrize("answer", [too_many, too_large])
def test_what_is_too_large_together_is_split(kind: str, answer: Any) -> None:
    with holding(answer) as held, callers(kind, held.address) as caller:
        occupy(held, caller)
        calls = enqueue(caller, [image(number) for number in range(20)])
        held.open()
        assert numbers(calls) == list(range(20))
        # Once it is known, no request is too large any more.
        before = len(held.sizes)
        more = [caller.call(image(number)) for number in range(30)]
        assert numbers(more) == list(range(30))
        assert max(held.sizes[before:]) <= 3


def test_one_that_is_too_large_fails(kind: str) -> None:
    def answer(_: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> Any:
        refuse(context, TooLarge("answer_bytes", "the answer is too large"))

    with holding(answer) as held, callers(kind, held.address) as caller:
        occupy(held, caller)
        calls = enqueue(caller, [image(number) for number in range(5)])
        held.open()
        errors = [call.exception(PATIENCE_SECONDS) for call in calls]
        assert {type(error) for error in errors} == {mlpserve.TooLarge}


def test_an_answer_that_is_none(kind: str) -> None:
    with holding(lambda *_: b"\xff") as held, callers(kind, held.address) as caller:
        occupy(held, caller)
        calls = enqueue(caller, [image(number) for number in range(4)])
        held.open()
        errors = [call.exception(PATIENCE_SECONDS) for call in calls]
        assert {type(error) for error in errors} == {mlpserve.InvalidResponse}
        assert len({id(error) for error in errors}) == 4


def test_each_call_has_its_own_time(held: Held, caller: Caller) -> None:
    occupy(held, caller)
    waiting = enqueue(
        caller,
        [image(number) for number in range(4)],
        lambda number: {"timeout_seconds": 60.0 if number % 2 else 0.3},
    )
    late = waiting[::2]
    for call in late:
        error = call.exception(PATIENCE_SECONDS)
        assert isinstance(error, mlpserve.DeadlineExceeded)
        assert str(error) == f"{held.address} did not answer in time: Deadline Exceeded"
    assert caller.waiting() == 2
    held.open(after=2 * MAX_FLIGHTS)
    assert numbers(waiting[1::2]) == [1, 3]
    # Those whose time was over were not sent, and the others have theirs.
    assert held.sizes == [*LONE, 1, 1]
    assert all(10 < one.seconds <= 60 for one in held.arrived[MAX_FLIGHTS:])


def test_a_call_in_flight_has_its_own_time(held: Held, caller: Caller) -> None:
    occupied = occupy(held, caller)
    seconds = [0.3, 60.0, 0.3, 60.0]
    # As one group: the other flight goes on.
    calls = enqueue(
        caller,
        [image(number) for number in range(3)],
        lambda number: {"timeout_seconds": seconds[number]},
    )
    held.arrived[0].go.set()
    numbers(occupied[:1])
    held.wait(MAX_FLIGHTS + 1)
    assert isinstance(calls[0].exception(PATIENCE_SECONDS), mlpserve.DeadlineExceeded)
    held.open()
    assert numbers(calls[1:2]) == [1]


def test_words_of_a_time_that_is_over_are_those_of_a_lone_call(kind: str, held: Held) -> None:
    with callers(kind, held.address) as caller:
        alone = caller.call(image(0), timeout_seconds=0.2).exception(PATIENCE_SECONDS)
    assert str(alone) == f"{held.address} did not answer in time: Deadline Exceeded"


def test_a_group_that_nobody_waits_for_is_cancelled(held: Held, caller: Caller) -> None:
    for seconds in (0.5, 2, 8, 32, 128):
        before = len(held.arrived)
        occupied = occupy(held, caller)
        limit = {"timeout_seconds": seconds}
        calls = [caller.call(image(5), **limit)]
        wait_for(lambda calls=calls: caller.waiting() == 1 or calls[0].done())  # type: ignore[misc]
        held.arrived[before].go.set()
        numbers(occupied[:1])
        assert isinstance(calls[0].exception(PATIENCE_SECONDS), mlpserve.DeadlineExceeded)
        if len(held.arrived) > before + MAX_FLIGHTS:
            break
        # The machine is so slow that its time was over before it was sent.
        held.arrived[before + 1].go.set()
        numbers(occupied)
    assert held.arrived[-1].is_over.wait(PATIENCE_SECONDS)
    # It is in flight no more, and nobody waits for it.
    wait_for(lambda: caller.waiting() == 0)
    late = caller.call(image(9))
    held.open()
    assert numbers([late]) == [9]


def test_ids(held: Held, caller: Caller) -> None:
    occupy(held, caller, request_id="lone")
    calls = enqueue(
        caller,
        [BAD if number == 2 else image(number) for number in range(4)],
        lambda number: {"request_id": f"id-{number}"} if number else {},
    )
    held.open(after=2 * MAX_FLIGHTS)
    error = calls[2].exception(PATIENCE_SECONDS)
    assert isinstance(error, mlpserve.InvalidRequest)
    assert error.request_id == "id-2"
    numbers([calls[0], calls[1], calls[3]])
    ids = [one.request_ids for one in held.arrived]
    assert ids[:MAX_FLIGHTS] == MAX_FLIGHTS * ["lone"]
    assert sorted(filter(None, ids[MAX_FLIGHTS:])) == ["id-1", "id-2", "id-2,id-3", "id-3"]


@pytest.mark.parametrize("wrong", ["", "x" * 129, "naïve", "a\nb", " a", 7])
def test_an_id_that_cannot_be_sent_is_not_sent(held: Held, caller: Caller, wrong: Any) -> None:
    error = caller.call(image(1), request_id=wrong).exception(PATIENCE_SECONDS)
    assert isinstance(error, ValueError | TypeError)
    assert "request_id" in str(error)
    assert not held.arrived


@pytest.mark.parametrize("wrong", [0, -1.0, float("nan"), "1"])
def test_a_time_that_is_none_is_not_sent(held: Held, caller: Caller, wrong: Any) -> None:
    error = caller.call(image(1), timeout_seconds=wrong).exception(PATIENCE_SECONDS)
    assert isinstance(error, ValueError | TypeError)
    assert not held.arrived
    assert caller.waiting() == 0


def test_closing_ends_each_call(held: Held, caller: Caller) -> None:
    calls = occupy(held, caller) + enqueue(caller, [image(number) for number in range(4)])
    caller.close()
    for call in calls:
        error = call.exception(PATIENCE_SECONDS)
        assert isinstance(error, mlpserve.MlpserveError)
        assert "CANCELLED" in str(error) or "before the client was closed" in str(error)


def test_nobody_listens(kind: str, silent_address: str) -> None:
    with callers(kind, silent_address, options={"grpc.enable_retries": 0}) as caller:
        calls = [caller.call(image(number)) for number in range(20)]
        errors = [call.exception(PATIENCE_SECONDS) for call in calls]
    assert {type(error) for error in errors} == {mlpserve.Unavailable}
    assert len({id(error) for error in errors}) == 20


def test_many_callers(held: Held, caller: Caller) -> None:
    held.open()
    calls = [caller.call(BAD if number % 50 == 49 else image(number)) for number in range(500)]
    for number, call in enumerate(calls):
        if number % 50 == 49:
            assert isinstance(call.exception(PATIENCE_SECONDS), mlpserve.InvalidRequest)
        else:
            assert numbers([call]) == [number]
    assert len(held.sizes) < 500


def test_nothing_is_kept(held: Held, kind: str) -> None:
    """Without the help of the garbage collector, which a program may have switched off."""
    with callers(kind, held.address) as caller:
        first = occupy(held, caller)
        pixels = [image(number) for number in range(6)]
        gone = [weakref.ref(one) for one in pixels]
        calls = enqueue(caller, pixels)
        gc.collect()
        gc.disable()
        try:
            held.open()
            numbers(first + calls)
            del calls, first
            pixels.clear()
            # Threads of the pool let go of what they called with last.
            assert caller.waiting() == 0
            again = [caller.call(image(1)) for _ in range(8)]
            numbers(again)
        finally:
            gc.enable()
        assert sum(ref() is not None for ref in gone) == 0
