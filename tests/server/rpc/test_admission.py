"""Calls are let in by the same rules and refused in the same words, however they are served."""

from pathlib import Path

import pytest

from server.errors import RequestError, Unauthenticated
from server.files.tokens import Tokens
from server.rpc.admission import MAX_PATH, Admission, Gate, Method
from server.rpc.lane.call import LaneCall
from server.rpc.threads.pools import Pool
from server.telemetry.calls import METHODS
from server.telemetry.recording import Recorder, Recording

CALLER, ADMIN = "caller-0123456789abcdef", "boss-0123456789abcdef"

ADMINS = {"test.Admin", "/test.Hot/Load"}


@pytest.fixture
def admission(tmp_path: Path) -> Admission:
    """Tokens for callers and for the admin, and one service that needs none."""
    files = {"tokens": CALLER, "admin_tokens": ADMIN}
    for name, token in files.items():
        (tmp_path / name).write_text(f"{name}: {token}\n")
        (tmp_path / name).chmod(0o600)
    tokens, admin_tokens = (Tokens(name, tmp_path / name, "its tokens") for name in files)
    return Admission(Recording(0, 0), tokens, ADMINS, admin_tokens, {"test.Open"})


def refusal(method: Method, token: str = "") -> RequestError | None:
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    _, error = method.admit(0.0, metadata, None)
    return error


@pytest.mark.parametrize(
    ("path", "let_in"),
    [
        ("/test.Hot/Predict", {CALLER}),
        ("/test.Admin/Reload", {ADMIN}),
        ("/test.Hot/Load", {ADMIN}),
        ("/test.Open/Check", {"", CALLER, ADMIN}),
    ],
)
def test_each_service_asks_for_its_tokens(
    admission: Admission, path: str, let_in: set[str]
) -> None:
    method = admission.method(path)
    refused = {token: refusal(method, token) for token in ("", CALLER, ADMIN)}
    assert {token for token in refused if refused[token] is None} == let_in
    assert all(isinstance(error, Unauthenticated | None) for error in refused.values())


def test_a_call_that_need_not_be_recorded_has_no_record() -> None:
    method = Admission(Recording(0, 0)).method("/test.Hot/Predict")
    assert method.admit(0.0, (("user-agent", "test"),), None) == (None, None)
    record, error = method.admit(0.0, (("x-request-id", "me"),), None)
    assert record is not None
    assert (record.request_id, error) == ("me", None)


def test_a_call_is_counted_where_its_method_is() -> None:
    method = Admission(Recording(0, 0)).method("/test.Counted/Watch", "server_stream")
    method.end(method.start(), "OK", 1, 2)
    counted = METHODS.calls("server_stream", "test.Counted", "Watch").read()
    assert (counted.started, counted.codes["OK"]) == (1, 1)
    assert (counted.received, counted.sent) == (1, 2)


def test_names_that_callers_make_up_get_no_series(monkeypatch: pytest.MonkeyPatch) -> None:
    paths: list[str] = []
    monkeypatch.setattr(
        Recorder, "__init__", lambda _self, _recording, path, _exemplars: paths.append(path)
    )
    monkeypatch.setattr(Recorder, "end", lambda *_: None)
    other = METHODS.calls("unary", "other", "other")
    before = other.read().started
    Admission(Recording(0, 0)).unknown_method("/" + "x" * 100_000).start()
    assert other.read().started == before + 1
    assert list(map(len, paths)) == [MAX_PATH]


def test_a_lane_and_threads_refuse_too_many_calls_in_the_same_words() -> None:
    method = Admission(Recording(0, 0)).method("/test.Hot/Predict")
    words = set()
    for gate in (Gate[LaneCall](3, 1), Pool("predict", 1, 3).gate):
        gate.in_progress = 2
        assert method.admit(0.0, (), gate) == (None, None)
        gate.in_progress = 3
        _, error = method.admit(0.0, (), gate)
        assert error is not None
        words.add((error.reason, str(error)))
    ((reason, message),) = words
    assert reason == "too_many_calls"
    assert message.startswith("3 calls are in progress, the server's maximum")
    assert Pool("stream", 1, 3, spare=0).gate.too_many.reason == "too_many_streams"


def test_who_may_not_call_is_told_so_even_when_there_are_too_many(admission: Admission) -> None:
    gate = Gate[LaneCall](0, 1)
    method = admission.method("/test.Hot/Predict")
    _, error = method.admit(0.0, (), gate)
    assert isinstance(error, Unauthenticated)
    _, error = method.admit(0.0, (("authorization", f"Bearer {CALLER}"),), gate)
    assert error is gate.too_many
