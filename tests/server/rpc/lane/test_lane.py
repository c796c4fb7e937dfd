"""What a handler on the ordinary server has, a call on the lane has too."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc._cython import cygrpc  # type: ignore[attr-defined]

from harness import certificate, http2
from harness.calls import BLACK, predict, violation
from harness.server_process import start_server
from harness.waiting import wait_for
from mlpserve.v1.classifier_pb2 import PredictRequest
from server.errors import InvalidField
from server.rpc import classifier
from server.rpc.admission import Admission, Method
from server.rpc.lane import call as lane_call
from server.rpc.lane import lane
from server.rpc.lane.call import LaneCall, Route
from server.rpc.lane.outbox import Outbox
from server.rpc.lane.versions import check
from server.telemetry.recording import Recorder, Recording

METHOD = "/test.Lane/Echo"
LIMITS = lane.Limits(calls=1000, messages=16, delay_seconds=0.0, joined_calls=64)


@dataclass(slots=True)
class Echo:
    """A server that answers on the lane with the message, or as a test wants."""

    answer: Callable[[LaneCall], None] = lambda call: call.answer(call.message)
    calls: list[LaneCall] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)
    port: int = 0

    def take(self, calls: Sequence[LaneCall]) -> None:
        self.taken.append(len(calls))
        for call in calls:
            self.calls.append(call)
            self.answer(call)


@contextlib.contextmanager
def serving(
    echo: Echo,
    credentials: grpc.ServerCredentials | None = None,
    limits: lane.Limits = LIMITS,
    make_lane: Callable[..., lane.Lane] = lane.Lane,
) -> Iterator[grpc.Server]:
    server = grpc.server(futures.ThreadPoolExecutor(2), options=[("grpc.so_reuseport", 0)])
    if credentials is None:
        echo.port = server.add_insecure_port("127.0.0.1:0")
    else:
        echo.port = server.add_secure_port("localhost:0", credentials)
    route = Route(Admission(Recording(0, 0)).method(METHOD), classifier.read_request)
    hot = make_lane(server, {METHOD: route}, echo.take, limits)
    server.start()
    hot.start()
    try:
        yield server
    finally:
        server.stop(5).wait()
        hot.join()


@contextlib.contextmanager
def calling(echo: Echo) -> Iterator["grpc.UnaryUnaryMultiCallable[bytes, bytes]"]:
    with grpc.insecure_channel(f"127.0.0.1:{echo.port}") as channel:
        yield channel.unary_unary(METHOD)


def test_metadata_deadline_and_peer_are_there() -> None:
    echo = Echo()
    metadata = (("x-request-id", "abc"), ("route-key-bin", b"\x00\xff"))
    with serving(echo), calling(echo) as call:
        begin = time.perf_counter()
        assert call(b"hello", timeout=50, metadata=metadata) == b"hello"
        assert call(b"", metadata=metadata) == b""
        first, second = echo.calls
        assert set(metadata) <= set(first.metadata)
        # gRPC rounds what is left upwards on its way.
        assert begin + 49 < first.deadline < time.perf_counter() + 51
        assert second.deadline > 1e18, "for ever"
        assert first.peer.startswith(("ipv4:127.0.0.1", "ipv4%3A127.0.0.1"))


def test_errors_carry_details_and_trailing_metadata() -> None:
    error = InvalidField("pixel_count", "pixels: é is wrong", "pixels")
    echo = Echo(lambda call: call.refuse(error))
    with serving(echo), calling(echo) as call:
        with pytest.raises(grpc.RpcError) as caught:
            call(b"", timeout=60)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert caught.value.details() == "pixels: é is wrong"
        assert violation(caught.value).field == "pixels"


def test_answers_may_come_later_from_another_thread() -> None:
    threads = futures.ThreadPoolExecutor(4)

    def answer_there(call: LaneCall) -> None:
        threads.submit(call.answer, call.message)

    echo = Echo(answer_there)
    with serving(echo), calling(echo) as call:
        sent = [str(number).encode() for number in range(200)]
        assert [one.result() for one in [call.future(m, timeout=60) for m in sent]] == sent
    threads.shutdown()


def test_a_caller_that_leaves_is_noticed() -> None:
    held = threading.Event()
    echo = Echo(lambda _: held.set())
    with serving(echo), calling(echo) as call:
        future = call.future(b"x", timeout=60)
        assert held.wait(60)
        (left,) = echo.calls
        noticed = [left.cancelled]
        future.cancel()
        end = time.monotonic() + 60
        while not noticed[-1]:
            assert time.monotonic() < end
            time.sleep(0.01)
            noticed.append(left.cancelled)
        assert not noticed[0]
        # The answer comes too late, and does no harm.
        left.answer(b"x")


def test_compressed_messages_are_read() -> None:
    echo = Echo()
    with serving(echo), calling(echo) as call:
        message = bytes(100_000)
        assert call(message, timeout=60, compression=grpc.Compression.Gzip) == message
        assert call(message, timeout=60, compression=grpc.Compression.Deflate) == message


def test_tls(tmp_path: Path) -> None:
    its = certificate.make(tmp_path)
    echo = Echo()
    with serving(echo, grpc.ssl_server_credentials([(its.key, its.certificate)])):
        trust = grpc.ssl_channel_credentials(its.certificate)
        with grpc.secure_channel(f"localhost:{echo.port}", trust) as channel:
            call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)
            assert call(b"secret", timeout=60) == b"secret"
        with grpc.insecure_channel(f"localhost:{echo.port}") as channel:
            plain: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)
            with pytest.raises(grpc.RpcError):
                plain(b"", timeout=60)
    assert [call.message for call in echo.calls] == [b"secret"]


def test_calls_that_wait_together_are_taken_together(monkeypatch: pytest.MonkeyPatch) -> None:
    release, first = threading.Event(), threading.Event()
    lanes: list[lane.Lane] = []
    expected = 0

    class Patient(cygrpc.CompletionQueue):  # type: ignore[misc]
        """Finds nothing more only when all have come, however long gRPC takes to bring them."""

        def poll(self, deadline: float) -> Any:
            is_complete = not 0 < len(lanes[0]._arrived) < expected
            return super().poll(deadline if is_complete else time.time() + 60)

    def make_lane(*arguments: Any) -> lane.Lane:
        with monkeypatch.context() as patch:
            patch.setattr(cygrpc, "CompletionQueue", Patient)
            lanes.append(lane.Lane(*arguments))
        return lanes[0]

    def answer(call: LaneCall) -> None:
        first.set()
        release.wait(60)
        call.answer(call.message)

    echo = Echo(answer)
    with serving(echo, make_lane=make_lane), calling(echo) as call:
        futures_ = [call.future(b"0", timeout=60)]
        assert first.wait(60)
        futures_ += [call.future(b"1", timeout=60) for _ in range(10)]
        expected = 10
        release.set()
        assert [one.result() for one in futures_] == [b"0", *[b"1"] * 10]
    assert echo.taken == [1, 10]


def test_a_delay_ends_early_when_enough_have_come() -> None:
    echo = Echo()
    limits = lane.Limits(calls=100, messages=16, delay_seconds=100.0, joined_calls=3)
    with serving(echo, limits=limits), calling(echo) as call:
        assert [one.result() for one in [call.future(b"", timeout=60) for _ in range(6)]] == [
            b""
        ] * 6
    assert echo.taken == [3, 3]


def test_a_crowd_that_is_turned_away_takes_nobodys_place() -> None:
    release, held = threading.Event(), threading.Event()
    threads = futures.ThreadPoolExecutor(2)

    def answer(call: LaneCall) -> None:
        def wait() -> None:
            held.set()
            release.wait(60)
            call.answer(b"")

        threads.submit(wait)

    echo = Echo(answer)
    limits = lane.Limits(calls=1, messages=16, delay_seconds=0.0, joined_calls=64)
    with serving(echo, limits=limits), calling(echo) as call:
        kept = call.future(b"", timeout=60)
        assert held.wait(60)
        crowd = [call.future(b"", timeout=60) for _ in range(500)]
        # While the last of them are still being told, the place is free again.
        assert crowd[0].code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        release.set()
        assert kept.result() == b""
        codes = {one.code() for one in crowd}
        assert codes <= {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.OK}
        assert call(b"", timeout=60) == b""
    threads.shutdown()


def test_an_error_in_a_handler_ends_no_other_call(capsys: pytest.CaptureFixture[str]) -> None:
    def answer(call: LaneCall) -> None:
        if call.message == b"bad":
            raise RuntimeError("a bug")
        call.answer(call.message)

    echo = Echo(answer)
    with serving(echo), calling(echo) as call:
        with pytest.raises(grpc.RpcError) as caught:
            call(b"bad", timeout=60)
        assert caught.value.code() is grpc.StatusCode.INTERNAL
        assert call(b"good", timeout=60) == b"good"
    assert "a bug" in capsys.readouterr().out


def test_stop_lets_calls_end_and_refuses_new_ones() -> None:
    release = threading.Event()
    threads = futures.ThreadPoolExecutor(1)
    held = threading.Event()

    def answer_later(call: LaneCall) -> None:
        def wait() -> None:
            held.set()
            release.wait(60)
            call.answer(b"late")

        threads.submit(wait)

    echo = Echo(answer_later)
    with serving(echo) as server, calling(echo) as call:
        future = call.future(b"", timeout=60)
        assert held.wait(60)
        stopped = server.stop(10)
        with pytest.raises(grpc.RpcError) as caught:
            call(b"", timeout=60)
        # gRPC says the second to a call that was on its way when the server stopped.
        assert caught.value.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
        release.set()
        assert future.result() == b"late"
        assert stopped.wait(60)
    threads.shutdown()


def test_stop_ends_calls_that_outlast_the_grace() -> None:
    held = threading.Event()
    echo = Echo(lambda _: held.set())
    with serving(echo) as server, calling(echo) as call:
        future = call.future(b"", timeout=60)
        assert held.wait(60)
        stopped = server.stop(0.2)
        assert future.code() in {grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE}
        # Whoever has it must end it all the same, as the batcher does.
        echo.calls[0].answer(b"")
        assert stopped.wait(60)


@pytest.mark.parametrize(
    ("version", "fits"),
    [
        ("1.85.1", True),
        ("1.82.0", True),
        ("1.85.0.dev0", True),
        ("1.85rc1", True),
        ("1.81.9", False),
        ("1.86.dev0", False),
        ("1.86.0rc1", False),
        ("1.100.0", False),
        ("2.0", False),
        ("2", False),
        ("unknown", False),
        ("", False),
    ],
)
def test_untested_grpcio_is_refused(version: str, fits: bool) -> None:
    reason = check(version)
    assert (reason is None) == fits
    assert fits or (version in str(reason) and "1.82 to 1.85" in str(reason))


def test_server_without_a_tested_grpcio_says_so_and_serves(
    repository: Path, tmp_path: Path
) -> None:
    # Python runs this file at its start, before the server.
    (tmp_path / "sitecustomize.py").write_text("import grpc\ngrpc.__version__ = '1.86.dev0'\n")
    with start_server(repository, "--lane", "on", PYTHONPATH=str(tmp_path)) as server:
        with grpc.insecure_channel(server.grpc_address) as channel:
            assert predict(channel, PredictRequest(pixels=BLACK)).labels
        (warning,) = (line for line in server.log if line["level"] == "warning")
        assert warning["event"] == "serving without the lane, which is slower"
        assert "grpcio is 1.86.dev0" in json.dumps(warning)


def test_a_delay_is_not_counted_by_the_time_of_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """gRPC's own waiting is: where the clock is set back meanwhile, it lasts as much longer."""
    echo = Echo()
    lanes: list[lane.Lane] = []
    waited: set[float] = set()

    class Watched(cygrpc.CompletionQueue):  # type: ignore[misc]
        def poll(self, deadline: float) -> Any:
            if lanes[0]._arrived:
                waited.add(deadline)
            return super().poll(deadline)

    def make_lane(*arguments: Any) -> lane.Lane:
        with monkeypatch.context() as patch:
            patch.setattr(cygrpc, "CompletionQueue", Watched)
            lanes.append(lane.Lane(*arguments))
        return lanes[0]

    limits = replace(LIMITS, delay_seconds=0.05)
    with serving(echo, limits=limits, make_lane=make_lane), calling(echo) as call:
        assert call(b"x", timeout=60) == b"x"
    assert waited == {0.0}, "it only looks, and sleeps"


def test_silence_is_told_while_a_call_keeps_the_lane_busy() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def answer(call: LaneCall) -> None:
        begun.set()
        go_on.wait(60)
        call.answer(b"")

    echo = Echo(answer)
    lanes: list[lane.Lane] = []

    def make_lane(*arguments: Any) -> lane.Lane:
        lanes.append(lane.Lane(*arguments))
        return lanes[0]

    with serving(echo, make_lane=make_lane), calling(echo) as call:
        hot = lanes[0]
        assert hot.silent_seconds() == 0.0
        future = call.future(b"", timeout=60)
        assert begun.wait(60)
        told = [hot.silent_seconds()]
        end = time.monotonic() + 60
        while told[-1] < 0.2:
            assert time.monotonic() < end
            time.sleep(0.01)
            told.append(hot.silent_seconds())
        assert told == sorted(told)
        go_on.set()
        assert future.result() == b""
        while hot.silent_seconds() > 0.0:
            assert time.monotonic() < end
            time.sleep(0.01)


def test_an_answer_that_grpc_does_not_take_ends_the_call(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def answer(call: LaneCall) -> None:
        call.answer("no bytes" if call.message == b"bad" else b"good")  # type: ignore[arg-type]

    echo = Echo(answer)
    with serving(echo), calling(echo) as call:
        with pytest.raises(grpc.RpcError) as caught:
            call(b"bad", timeout=60)
        assert caught.value.code() is not grpc.StatusCode.DEADLINE_EXCEEDED
        assert call(b"", timeout=60) == b"good"
    # The lane has ended, so each call is known to have.


def test_errors_that_have_no_status_end_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    def status_of(_error: Exception) -> None:
        raise UnicodeEncodeError("utf-8", "\udc80", 0, 1, "surrogates not allowed")

    monkeypatch.setattr(lane_call, "status_of", status_of)
    echo = Echo(lambda call: call.refuse(ValueError()))
    with serving(echo), calling(echo) as call, pytest.raises(grpc.RpcError) as caught:
        call(b"", timeout=60)
    assert caught.value.code() is grpc.StatusCode.INTERNAL


@pytest.mark.parametrize("place", ["begin", "arm", "receive", "admit"])
def test_an_error_before_the_message_ends_that_call_alone(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = threading.Event()
    broken.set()

    def breaking(real: Callable[..., Any]) -> Callable[..., Any]:
        def maybe(*arguments: Any) -> Any:
            if broken.is_set():
                raise MemoryError
            return real(*arguments)

        return maybe

    owner: Any = {"begin": Recorder, "receive": LaneCall, "admit": Method}.get(place, lane.Lane)
    name = {"arm": "_arm"}.get(place, place)
    echo = Echo()
    with serving(echo), calling(echo) as call:
        monkeypatch.setattr(owner, name, breaking(getattr(owner, name)))
        with pytest.raises(grpc.RpcError) as caught:
            call(b"", timeout=60)
        assert caught.value.code() is grpc.StatusCode.INTERNAL
        broken.clear()
        assert call(b"x", timeout=60) == b"x"


def test_an_answer_beyond_the_limit_is_an_error_and_counts_as_one() -> None:
    echo = Echo(lambda call: call.answer(bytes(1001)))
    words = "1001 bytes, more than max_message_bytes"
    with (
        serving(echo, limits=replace(LIMITS, outbox=Outbox(1000))),
        calling(echo) as call,
        pytest.raises(grpc.RpcError, match=words) as caught,
    ):
        call(b"", timeout=60)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_answers_that_nobody_reads_are_bounded_by_their_bytes() -> None:
    answer = bytes(10 * 1024 * 1024)
    sizes: list[int] = []
    lanes: list[lane.Lane] = []

    def make_lane(*arguments: Any) -> lane.Lane:
        lanes.append(lane.Lane(*arguments))
        return lanes[0]

    def reply(call: LaneCall) -> None:
        sizes.append(lanes[0]._outbox.unread_bytes)
        call.answer(answer)

    echo = Echo(reply)
    limits = replace(LIMITS, outbox=Outbox(max_unread_bytes=3 * len(answer)))
    with serving(echo, limits=limits, make_lane=make_lane):
        options = [("grpc.max_receive_message_length", -1), ("grpc.http2.bdp_probe", 0)]
        with http2.connect(f"127.0.0.1:{echo.port}") as deaf:
            for number in range(8):
                deaf.begin(METHOD, 2 * number + 1)
                deaf.send(0, bytes(5), 1, stream=2 * number + 1)
            with grpc.insecure_channel(f"127.0.0.1:{echo.port}", options) as channel:
                call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)
                wait_for(lambda: len(sizes) == 8)
                with pytest.raises(grpc.RpcError) as caught:
                    call(b"", timeout=60)
                assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
                assert max(sizes) == 3 * len(answer)
        with grpc.insecure_channel(f"127.0.0.1:{echo.port}", options) as channel:
            call = channel.unary_unary(METHOD)
            # Its end frees what the deaf one kept.
            wait_for(lambda: lanes[0]._outbox.unread_bytes == 0)
            assert call(b"", timeout=60) == answer
