"""However a call on a thread ends, it is counted once, with the code that its caller sees."""

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.message import DecodeError

from server.errors import NotReady, Overloaded, RequestError
from server.rpc.threads import behaviors, inside
from server.rpc.threads.behaviors import Handler, Method, Refused, Sender
from server.rpc.threads.pools import SLOW_MESSAGE, GivenUp, Pool
from server.telemetry import metrics
from server.telemetry.recording import Recording

LIMIT = 10
NOT_READY = NotReady("not_ready", "not yet")


class Aborted(Exception):
    """What grpcio's abort raises."""


class Context:
    """What grpcio gives a handler."""

    def __init__(self) -> None:
        self.is_here = True
        self.remaining: float | None = None
        self.status: grpc.Status | None = None
        self.callbacks: list[Callable[[], None]] = []
        self.told: tuple[tuple[str, str | bytes], ...] = ()

    def is_active(self) -> bool:
        return self.is_here

    def time_remaining(self) -> float | None:
        return self.remaining

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return (("x-request-id", "me"),)

    def set_trailing_metadata(self, told: tuple[tuple[str, str | bytes], ...]) -> None:
        self.told = told

    def peer(self) -> str:
        return "ipv4:127.0.0.1:1"

    def add_callback(self, callback: Callable[[], None]) -> bool:
        self.callbacks.append(callback)
        return self.is_here

    def abort_with_status(self, status: grpc.Status) -> None:
        self.status = status
        raise Aborted


class Served(Pool):
    """Threads that nobody starts; messages are there at once."""

    def __init__(self) -> None:
        super().__init__("test", 1, 1)


def messages(*content: bytes, error: Exception | None = None) -> Iterator[bytes]:
    yield from content
    if error is not None:
        raise error


def fresh(request: pytest.FixtureRequest, kind: str = "unary") -> Method:
    """A method that has had no calls."""
    return Method.of(f"/test.{request.node.name}/{kind}", Recording(0, 0), kind)


def ended(method: Method) -> dict[str, int]:
    """Return how the method's calls have ended; fails if any is in progress."""
    counted = method.calls.read()
    assert counted.started == counted.counts[-1]
    return {code: count for code, count in counted.codes.items() if count}


def unary(behavior: Callable[[bytes, Any], Any], **codec: Any) -> Handler:
    return grpc.unary_unary_rpc_method_handler(behavior, **codec)


def call_unary(
    method: Method,
    handler: Handler,
    sent: Iterator[bytes],
    context: Context,
    pool: Pool | None = None,
) -> bytes | None:
    """Serve one call; returns the answer, None when it was aborted."""
    serve: Any = behaviors.unary(method, handler, pool or Served(), LIMIT)
    try:
        answer: bytes = serve(method.calls.start(), sent, context)
    except Aborted:
        return None
    return answer


def fail(error: BaseException) -> Callable[..., Any]:
    def behavior(*_: Any) -> Any:
        raise error

    return behavior


def test_an_answer(request: pytest.FixtureRequest) -> None:
    method, context = fresh(request), Context()
    assert call_unary(method, unary(lambda m, _: m * 2), messages(b"ab"), context) == b"abab"
    assert ended(method) == {"OK": 1}
    counted = method.calls.read()
    assert (counted.received, counted.sent) == (1, 1)
    assert context.told == (("x-request-id", "me"),)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NOT_READY, "Unavailable"),
        (Refused(NOT_READY), "Unavailable"),
        (ValueError("surprise"), "Internal"),
        (Refused(ValueError("surprise")), "Internal"),
        (MemoryError(), "Internal"),
        (SystemExit(1), "Internal"),
        (KeyboardInterrupt(), "Internal"),
        (grpc.RpcError("another server's"), "Internal"),
    ],
)
def test_handler_that_raises(
    request: pytest.FixtureRequest, error: BaseException, code: str
) -> None:
    method, context = fresh(request), Context()
    assert call_unary(method, unary(fail(error)), messages(b"a"), context) is None
    assert ended(method) == {code: 1}
    assert context.status is not None
    assert ("x-request-id", "me") in context.status.trailing_metadata


def test_error_that_was_counted_is_not_counted_again(request: pytest.FixtureRequest) -> None:
    reason = {"reason": "not_ready"}
    before = metrics.REGISTRY.get_sample_value("mlpserve_rejected_requests_total", reason)
    call_unary(fresh(request), unary(fail(Refused(NOT_READY))), messages(b"a"), Context())
    after = metrics.REGISTRY.get_sample_value("mlpserve_rejected_requests_total", reason)
    assert after == before


def test_no_message(request: pytest.FixtureRequest) -> None:
    method, context = fresh(request), Context()
    assert call_unary(method, unary(lambda m, _: m), messages(), context) is None
    assert ended(method) == {"Canceled": 1}


@pytest.mark.parametrize(("remaining", "code"), [(None, "Canceled"), (0.0, "DeadlineExceeded")])
@pytest.mark.parametrize("when", ["before", "after"])
def test_caller_that_leaves(
    request: pytest.FixtureRequest, when: str, remaining: float | None, code: str
) -> None:
    method, context = fresh(request), Context()
    context.remaining = remaining
    context.is_here = False
    if when == "after":
        assert call_unary(method, unary(lambda m, _: m), messages(b"a"), context) == b"a"
    else:
        with pytest.raises(grpc.RpcError):
            call_unary(method, unary(lambda m, _: m), messages(error=grpc.RpcError()), context)
    assert ended(method) == {code: 1}
    assert method.calls.read().sent == 0


def undecodable(_: bytes) -> Any:
    raise DecodeError("no")


@pytest.mark.parametrize(
    ("codec", "code"),
    [
        ({"request_deserializer": undecodable}, "InvalidArgument"),
        ({"request_deserializer": fail(RuntimeError("no"))}, "Internal"),
        ({"response_serializer": fail(ValueError("no"))}, "Internal"),
        ({"response_serializer": lambda _: b"x" * (LIMIT + 1)}, "ResourceExhausted"),
    ],
)
def test_messages_that_can_t_be_read_or_written(
    request: pytest.FixtureRequest, codec: dict[str, Any], code: str
) -> None:
    method, context = fresh(request), Context()
    assert call_unary(method, unary(lambda m, _: m, **codec), messages(b"a"), context) is None
    assert ended(method) == {code: 1}
    assert context.status is not None


def test_error_that_can_t_be_told(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(behaviors, "status_of", fail(UnicodeEncodeError("utf-8", "", 0, 1, "")))
    method, context = fresh(request), Context()
    assert call_unary(method, unary(fail(NOT_READY)), messages(b"a"), context) is None
    assert ended(method) == {"Internal": 1}


def call_stream(
    method: Method,
    behavior: Callable[..., Iterator[bytes]],
    sent: Iterator[bytes],
    context: Context,
    pool: Pool | None = None,
) -> Iterator[bytes]:
    handler: Handler = grpc.stream_stream_rpc_method_handler(behavior)
    serve: Any = behaviors.stream(method, handler, pool or Served(), LIMIT)
    responses: Iterator[bytes] = serve(method.calls.start(), sent, context)
    return responses


def echo(sent: Iterator[bytes], _: Any) -> Iterator[bytes]:
    yield from sent


def test_stream_to_its_end(request: pytest.FixtureRequest) -> None:
    method = fresh(request)
    assert list(call_stream(method, echo, messages(b"a", b"b"), Context())) == [b"a", b"b"]
    assert ended(method) == {"OK": 1}
    counted = method.calls.read()
    assert (counted.received, counted.sent) == (2, 2)


def test_stream_that_is_closed_early(request: pytest.FixtureRequest) -> None:
    method = fresh(request)
    responses = call_stream(method, echo, messages(b"a", b"b"), Context())
    assert next(responses) == b"a"
    # As grpcio does, which lets go of it when the caller has left.
    del responses
    assert ended(method) == {"Canceled": 1}
    assert method.calls.read().sent == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [(NOT_READY, "Unavailable"), (ValueError(), "Internal"), (SystemExit(), "Internal")],
)
@pytest.mark.parametrize("answers", [0, 1])
def test_stream_that_raises(
    request: pytest.FixtureRequest, answers: int, error: BaseException, code: str
) -> None:
    def behavior(*_: Any) -> Iterator[bytes]:
        yield from [b"a"] * answers
        raise error

    method, context = fresh(request), Context()
    responses = call_stream(method, behavior, messages(), context)
    assert [next(responses) for _ in range(answers)] == [b"a"] * answers
    with pytest.raises(Aborted):
        next(responses)
    assert ended(method) == {code: 1}


def test_stream_whose_answer_is_too_large(request: pytest.FixtureRequest) -> None:
    method, context = fresh(request), Context()
    with pytest.raises(Aborted):
        next(call_stream(method, echo, messages(b"x" * (LIMIT + 1)), context))
    assert ended(method) == {"ResourceExhausted": 1}
    assert method.calls.read().sent == 0


def test_stream_whose_caller_leaves(request: pytest.FixtureRequest) -> None:
    method, context = fresh(request), Context()
    responses = call_stream(method, echo, messages(b"a", error=grpc.RpcError()), context)
    next(responses)
    context.is_here = False
    with pytest.raises(grpc.RpcError):
        next(responses)
    assert ended(method) == {"Canceled": 1}


class EndedMeanwhile(Served):
    """Threads that find their call ended when they wait for its message."""

    def receive(self, *_: Any) -> bytes | None:
        raise GivenUp(SLOW_MESSAGE)


@pytest.mark.parametrize("is_stream", [False, True])
def test_call_that_was_given_up(request: pytest.FixtureRequest, is_stream: bool) -> None:
    method, context = fresh(request), Context()

    def serve() -> None:
        if is_stream:
            next(call_stream(method, echo, messages(), context, EndedMeanwhile()))
        else:
            call_unary(method, unary(lambda m, _: m), messages(), context, EndedMeanwhile())

    with pytest.raises(GivenUp):
        serve()
    # It has its status, and gets no other.
    assert context.status is None
    assert ended(method) == {"ResourceExhausted": 1}


def call_watch(
    method: Method, behavior: Callable[..., None], sent: Iterator[bytes], context: Context
) -> list[None]:
    handler: Handler = grpc.unary_stream_rpc_method_handler(behavior)
    serve: Any = behaviors.watch(method, handler, Served(), LIMIT)
    finished: list[None] = []
    serve(method.calls.start(), sent, context, finished.append)
    return finished


def test_watch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    method, context = fresh(request), Context()
    posted: list[bytes] = []
    monkeypatch.setattr(inside, "post", lambda _context, data, _on_left: posted.append(data))
    senders: list[Sender] = []
    finished = call_watch(
        method, lambda _m, _c, sender: senders.append(sender), messages(b"a"), context
    )
    (sender,) = senders
    sender.send(b"x", lambda: None)
    assert posted == [b"x"]
    assert method.calls.read().counts[-1] == 0
    sender.end()
    assert finished == [None]
    for callback in context.callbacks:
        callback()
    assert ended(method) == {"OK": 1}


@pytest.mark.parametrize("is_here", [True, False])
def test_watch_that_is_refused(request: pytest.FixtureRequest, is_here: bool) -> None:
    method, context = fresh(request), Context()
    context.is_here = is_here
    with pytest.raises(Aborted):
        call_watch(
            method, fail(Overloaded("too_many_watchers", "too many")), messages(b"a"), context
        )
    for callback in context.callbacks:
        callback()
    assert list(ended(method).values()) == [1]


@pytest.mark.parametrize(
    ("error", "code"),
    [(NOT_READY, "Unavailable"), (Overloaded("queue_full", "full"), "ResourceExhausted")],
)
def test_call_that_is_turned_away(
    request: pytest.FixtureRequest, error: RequestError, code: str
) -> None:
    method, context = fresh(request), Context()
    serve = behaviors.refusal(method, Served(), error)
    with pytest.raises(Aborted):
        serve(method.calls.start(), messages(), context)
    assert ended(method) == {code: 1}
