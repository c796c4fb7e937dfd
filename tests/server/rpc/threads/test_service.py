"""However a call on a thread ends, it is counted once, with the code that its caller sees."""

from collections.abc import Callable, Iterator
from typing import Any, cast

import grpc
import pytest
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2

from server.errors import NotReady, Overloaded, RequestError
from server.rpc import status
from server.rpc.admission import SLOW_MESSAGE, Admission, Method
from server.rpc.lane.outbox import Outbox
from server.rpc.plain import Plain
from server.rpc.threads import inside, service
from server.rpc.threads.call import Refused, ThreadCall, ThreadMethod
from server.rpc.threads.pools import GivenUp, Pool
from server.rpc.threads.service import Sender
from server.telemetry import metrics
from server.telemetry.calls import Calls, Counted
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
    return Admission(Recording(0, 0)).method(f"/test.{request.node.name}/{kind}", kind)


def counts_of(method: Method) -> Counted:
    """Return what has been counted of a method's calls."""
    return cast(Calls, method.counts).read()


def ended(method: Method) -> dict[str, int]:
    """Return how the method's calls have ended; fails if any is in progress."""
    counted = counts_of(method)
    assert counted.started == counted.counts[-1]
    return {code: count for code, count in counted.codes.items() if count}


def begin(method: Method, context: Context, pool: Pool | None = None) -> tuple[ThreadCall, Any]:
    """Let a call in; returns what its thread is given."""
    served = ThreadMethod(method, pool or Served(), Outbox(LIMIT))
    return ThreadCall(served, context.invocation_metadata()), context


def call_unary(
    method: Method,
    answer: Callable[[bytes], bytes],
    sent: Iterator[bytes],
    context: Context,
    pool: Pool | None = None,
) -> bytes | None:
    """Serve one call; returns the answer, None when it was aborted."""
    call, its_context = begin(method, context, pool)
    try:
        return service.serve_unary(
            lambda _call, message, _context: answer(message), call, sent, its_context
        )
    except Aborted:
        return None


def fail(error: BaseException) -> Callable[..., Any]:
    def behavior(*_: Any) -> Any:
        raise error

    return behavior


def test_an_answer(request: pytest.FixtureRequest) -> None:
    method, context = fresh(request), Context()
    assert call_unary(method, lambda m: m * 2, messages(b"ab"), context) == b"abab"
    assert ended(method) == {"OK": 1}
    counted = counts_of(method)
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
    assert call_unary(method, fail(error), messages(b"a"), context) is None
    assert ended(method) == {code: 1}
    assert context.status is not None
    assert ("x-request-id", "me") in context.status.trailing_metadata


def test_error_that_was_counted_is_not_counted_again(request: pytest.FixtureRequest) -> None:
    reason = {"reason": "not_ready"}
    before = metrics.REGISTRY.get_sample_value("mlpserve_rejected_requests_total", reason)
    call_unary(fresh(request), fail(Refused(NOT_READY)), messages(b"a"), Context())
    after = metrics.REGISTRY.get_sample_value("mlpserve_rejected_requests_total", reason)
    assert after == before


def test_no_message(request: pytest.FixtureRequest) -> None:
    method, context = fresh(request), Context()
    assert call_unary(method, lambda m: m, messages(), context) is None
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
        assert call_unary(method, lambda m: m, messages(b"a"), context) == b"a"
    else:
        with pytest.raises(grpc.RpcError):
            call_unary(method, lambda m: m, messages(error=grpc.RpcError()), context)
    assert ended(method) == {code: 1}
    assert counts_of(method).sent == 0


def unwritable(_: Message) -> Any:
    return health_pb2.HealthCheckResponse(status=2**40)


@pytest.mark.parametrize(
    ("answer", "message", "code"),
    [
        (lambda message: message, b"\xff", "InvalidArgument"),
        (lambda message: message, bytes(300_000), "ResourceExhausted"),
        (fail(RuntimeError("no")), b"", "Internal"),
        (unwritable, b"", "Internal"),
        (lambda _: b"x" * (LIMIT + 1), b"", "ResourceExhausted"),
    ],
)
def test_messages_that_can_t_be_read_or_written(
    request: pytest.FixtureRequest, answer: Callable[..., Any], message: bytes, code: str
) -> None:
    method, context = fresh(request), Context()
    plain = Plain(health_pb2.HealthCheckRequest, answer)
    assert call_unary(method, plain.respond, messages(message), context) is None
    assert ended(method) == {code: 1}
    assert context.status is not None


def test_error_that_can_t_be_told(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "_status_of", fail(UnicodeEncodeError("utf-8", "", 0, 1, "")))
    method, context = fresh(request), Context()
    assert call_unary(method, fail(NOT_READY), messages(b"a"), context) is None
    assert ended(method) == {"Internal": 1}


def call_stream(
    method: Method,
    behavior: Callable[..., Iterator[bytes]],
    sent: Iterator[bytes],
    context: Context,
    pool: Pool | None = None,
) -> Iterator[bytes]:
    call, its_context = begin(method, context, pool)
    return service.serve_stream(behavior, call, sent, its_context)


def echo(_call: ThreadCall, sent: Iterator[bytes], _context: Any) -> Iterator[bytes]:
    yield from sent


def test_stream_to_its_end(request: pytest.FixtureRequest) -> None:
    method, context = fresh(request), Context()
    assert list(call_stream(method, echo, messages(b"a", b"b"), context)) == [b"a", b"b"]
    assert ended(method) == {"OK": 1}
    counted = counts_of(method)
    assert (counted.received, counted.sent) == (2, 2)
    assert context.told == (("x-request-id", "me"),)


def test_stream_that_is_closed_early(request: pytest.FixtureRequest) -> None:
    method = fresh(request)
    responses = call_stream(method, echo, messages(b"a", b"b"), Context())
    assert next(responses) == b"a"
    # As grpcio does, which lets go of it when the caller has left.
    del responses
    assert ended(method) == {"Canceled": 1}
    assert counts_of(method).sent == 1


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
    assert counts_of(method).sent == 0


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
            call_unary(method, lambda m: m, messages(), context, EndedMeanwhile())

    with pytest.raises(GivenUp):
        serve()
    # It has its status, and gets no other.
    assert context.status is None
    assert ended(method) == {"ResourceExhausted": 1}


def call_watch(
    method: Method, behavior: Callable[..., None], sent: Iterator[bytes], context: Context
) -> list[None]:
    call, its_context = begin(method, context)
    finished: list[None] = []
    service.serve_watch(behavior, call, sent, its_context, finished.append)
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
    sender.send(health_pb2.HealthCheckResponse(status="SERVING"), lambda: None)
    assert posted == [b"\x08\x01"]
    assert counts_of(method).counts[-1] == 0
    sender.end()
    assert finished == [None]
    assert context.told == (("x-request-id", "me"),)
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
    call, its_context = begin(method, context)
    call.refusal = error
    with pytest.raises(Aborted):
        service.turn_away(call, messages(), its_context)
    assert ended(method) == {code: 1}
