"""Which error a refusal is: code and google.rpc details tell, whatever the server's words are."""

from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

import mlpserve
from mlpserve import Client
from mlpserve.errors import in_command, placed
from mlpserve.protocol.details import NO_DETAILS, read_details
from mlpserve.remedies import reach
from mlpserve.v1 import classifier_pb2
from server import errors
from server.reasons.requests import RequestReason
from server.rpc.status import status_of
from tests.mlpserve.serving import start_serving

IMAGE = np.zeros(784, np.uint8)

REFUSALS = [
    (errors.InvalidField("pixel_range", "", "pixels"), mlpserve.InvalidRequest),
    (errors.NotLoaded("model_not_found", ""), mlpserve.ModelNotFound),
    (errors.NotLoaded("label_not_found", "", {"models": "digits"}), mlpserve.ModelNotFound),
    (errors.NotReady("not_ready", ""), mlpserve.Unavailable),
    (errors.WrongState("watched", ""), mlpserve.MlpserveError),
    (errors.Overloaded("queue_full", ""), mlpserve.Overloaded),
    (errors.Overloaded("too_many_calls", "", 2.5), mlpserve.Overloaded),
    (errors.Overloaded("unread_answers", ""), mlpserve.Overloaded),
    (errors.TooLarge("message_bytes", "", 9, 8), mlpserve.TooLarge),
    (errors.TooLarge("message_bytes", ""), mlpserve.TooLarge),
    (errors.TooLarge("answer_bytes", "", 9, 8), mlpserve.TooLarge),
    (errors.Unauthenticated("no_token", ""), mlpserve.Unauthenticated),
    (errors.Unauthenticated("unknown_token", ""), mlpserve.Unauthenticated),
    (errors.Expired("deadline", ""), mlpserve.DeadlineExceeded),
    (errors.Cancelled("cancelled", ""), mlpserve.MlpserveError),
    (RuntimeError("anything"), mlpserve.MlpserveError),
]

WORDS = [
    *("", "je ne peux pas", "larger than max_message_bytes"),
    "CLIENT: Received message larger than max (9 vs. 8)",
    "the server has as many calls as it takes; retry later",
]


def refusal(code: grpc.StatusCode, words: str, content: bytes | None) -> mlpserve.MlpserveError:
    """Return what the client makes of a refusal."""

    def answer(_: classifier_pb2.PredictRequest, context: grpc.ServicerContext) -> Any:
        if content is not None:
            context.set_trailing_metadata((("grpc-status-details-bin", content),))
        context.abort(code, words)

    with (
        start_serving(answer) as serving,
        Client(serving.address) as client,
        pytest.raises(mlpserve.MlpserveError) as caught,
    ):
        client.predict(IMAGE)
    return caught.value


def pack(*details: Message) -> bytes:
    """Return a serialized google.rpc.Status with some details."""
    status = status_pb2.Status()
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return bytes(status.SerializeToString())


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize(("error", "kind"), REFUSALS, ids=lambda it: getattr(it, "reason", ""))
def test_the_class_does_not_depend_on_words(
    error: Exception, kind: type[mlpserve.MlpserveError], words: str
) -> None:
    status = status_of(error)
    ((_, content),) = status.trailing_metadata
    assert isinstance(content, bytes)
    found = refusal(status.code, words, content)
    assert type(found) is kind
    if isinstance(error, errors.Overloaded):
        assert isinstance(found, mlpserve.Overloaded)
        assert found.retry_after_seconds == pytest.approx(error.retry_seconds)
    if isinstance(error, errors.TooLarge) and error.limit:
        assert " 9 bytes, and the server " in str(found)
        assert "at most 8; send fewer images" in str(found)


@pytest.mark.parametrize("error", [error for error, _ in REFUSALS])
def test_every_refusal_has_a_reason_for_programs(error: Exception) -> None:
    ((_, content),) = status_of(error).trailing_metadata
    assert isinstance(content, bytes)
    details = read_details(content)
    reasons = {details.reason, *(reason for _, _, reason in details.violations)} - {""}
    assert reasons == {errors.reason_of(error).upper()}


@pytest.mark.parametrize("words", WORDS)
def test_an_older_server_says_when_to_come_back_and_no_more(words: str) -> None:
    retry = error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(nanos=100_000_000))
    found = refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, words, pack(retry))
    assert isinstance(found, mlpserve.Overloaded)
    assert found.retry_after_seconds == pytest.approx(0.1)


@pytest.mark.parametrize("words", WORDS)
def test_without_details_grpc_itself_refuses_a_message(words: str) -> None:
    found = refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, words, None)
    assert type(found) is mlpserve.TooLarge


@pytest.mark.parametrize(
    ("reason", "in_python", "by_command"),
    [
        ("no_token", "it has no bearer token; give Client(..., token=TOKEN)", "--token-file FILE"),
        ("unknown_token", "doesn't know its token; give the client another token=", "--token-file"),
    ],
)
def test_what_to_do_about_a_token(reason: RequestReason, in_python: str, by_command: str) -> None:
    status = status_of(errors.Unauthenticated(reason, ""))
    ((_, content),) = status.trailing_metadata
    assert isinstance(content, bytes)
    refused = refusal(status.code, "the server's words are for all callers", content)
    assert in_python in str(refused)
    assert by_command in in_command(refused)
    assert "token=" not in in_command(refused)
    assert "all callers" not in str(refused)
    assert in_command(placed(refused, "item 3")).startswith("item 3: ")
    assert str(placed(refused, "item 3")) == f"item 3: {refused}"


UNREACHABLE = [
    ("Failed parsing HTTP/2 (Trying to connect an http1.x server)", "h:50051", "h:50051"),
    ("Cannot check peer: missing selected ALPN property.", "h:50051", "h:50051"),
    ("SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER", "leave tls= out", "leave out --tls"),
    ("CERTIFICATE_VERIFY_FAILED: self signed certificate", "Tls(ca=FILE)", "--ca FILE"),
    ("CERTIFICATE_VERIFY_FAILED: certificate has expired", "be renewed", "be renewed"),
    ("Hostname Verification Check failed.", "name that its certificate", "name that its"),
    ("TLSV1_ALERT_CERTIFICATE_REQUIRED", "Tls(certificate=, key=)", "--certificate and --key"),
    ("UNAVAILABLE: ipv4:127.0.0.1:1: Socket closed", "speak TLS? Give tls=", "Give --tls or --ca"),
    (
        "Connection refused",
        "(8080 is a usual port of HTTP",
        "--tls or --ca",
    ),
]


@pytest.mark.parametrize(("words", "in_python", "by_command"), UNREACHABLE)
def test_what_to_do_about_a_server_out_of_reach(
    words: str, in_python: str, by_command: str
) -> None:
    words = f"failed to connect to all addresses; last error: {words}"
    error = reach("h:8080", words)
    assert in_python in error.python
    assert by_command in error.command
    assert "tls=" not in error.command


def test_a_server_that_answers_is_within_reach() -> None:
    status = status_of(errors.NotReady("not_ready", "the server is loading; try again shortly"))
    ((_, content),) = status.trailing_metadata
    assert isinstance(content, bytes)
    words = str(refusal(status.code, status.details, content))
    assert words.endswith("is unavailable: the server is loading; try again shortly")
    assert "restarting" in str(refusal(status.code, "Socket closed", None))


def test_all_that_details_say() -> None:
    info = error_details_pb2.ErrorInfo(reason="R", domain="d", metadata={"a": "1", "b": "2"})
    retry = error_details_pb2.RetryInfo(
        retry_delay=duration_pb2.Duration(seconds=3, nanos=5 * 10**8)
    )
    bad = error_details_pb2.BadRequest()
    for number in "12":
        bad.field_violations.add(field=f"f{number}", description="d", reason=f"r{number}")
    unknown = error_details_pb2.DebugInfo(detail="x")
    details = read_details(pack(unknown, bad, retry, info))
    assert (details.reason, details.metadata) == ("R", {"a": "1", "b": "2"})
    assert details.retry_after_seconds == 3.5
    assert details.violations == (("f1", "d", "r1"), ("f2", "d", "r2"))
    assert read_details(pack()) == read_details(b"") == read_details(b"\xff") == NO_DETAILS
    assert read_details(pack(error_details_pb2.RetryInfo())).retry_after_seconds == 0
