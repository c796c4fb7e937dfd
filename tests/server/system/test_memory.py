"""Memory stays within the bounds that the settings give, whatever is sent and whoever reads."""

import contextlib
import gzip
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from harness import http2
from harness.calls import PREDICT
from harness.changes import write_changes
from harness.memory_bound import COPIES, MIB, messages_bytes
from harness.server_process import ServerProcess, mode, start_server
from mlpserve.v1.classifier_pb2 import PredictRequest
from server.system.memory import POOLS

MAX_MESSAGE, MAX_ARRIVING, MAX_QUEUED = 4 * MIB, 2, 8 * MIB
THREADS = 4
"""Of a server without a lane, on each of which a message may be arriving, too."""

IMPATIENT = """
STALL_SECONDS, MIN_PATIENCE_SECONDS, init = 0.0, 0.02, Arrivals.__init__
Arrivals.__init__ = lambda self, places, _: init(self, places, MIN_PATIENCE_SECONDS)
"""
"""Gives up messages as a machine does on which all of them take too long."""

CALLERS = 80
"""Whose messages take far more than the bound together."""

DATA, HEADERS = 0, 1
END_STREAM = 1
FRAME_BYTES = 16_000


@pytest.fixture(scope="module", params=["patient", "impatient"])
def bounded(
    repository: Path,
    lane: bool,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ServerProcess]:
    """A server with small bounds."""
    variables = {}
    if request.param == "impatient":
        changes = tmp_path_factory.mktemp("impatient") / "changes"
        variables["PYTHONPATH"] = write_changes(changes, {"server.rpc.arrivals": IMPATIENT})
    limits = [
        *("--max-message-bytes", str(MAX_MESSAGE), "--max-queued-bytes", str(MAX_QUEUED)),
        *("--max-arriving-messages", str(MAX_ARRIVING)),
    ]
    with start_server(repository, *limits, *mode(lane), **variables) as running:
        yield running


def status(server: ServerProcess, key: str) -> int:
    """Return a number of bytes from the status of the worker's process."""
    (worker,) = server.workers
    for line in Path(f"/proc/{worker}/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(key)


def test_a_worker_has_the_pools_that_are_counted(server: ServerProcess) -> None:
    for worker in server.workers:
        variables = Path(f"/proc/{worker}/environ").read_bytes().split(b"\0")
        assert f"MALLOC_ARENA_MAX={POOLS}".encode() in variables


@pytest.fixture
def growth(bounded: ServerProcess, lane: bool) -> Iterator[None]:
    """Hold the worker's largest memory during a test against the bound."""
    bound = messages_bytes(MAX_MESSAGE, MAX_ARRIVING, MAX_QUEUED)
    if not lane:
        # gRPC may hand one over to each thread at the same time, which the lane takes in turns.
        bound = messages_bytes(MAX_MESSAGE, MAX_ARRIVING + THREADS, MAX_QUEUED)
        bound += THREADS * COPIES * MAX_MESSAGE
    (worker,) = bounded.workers
    before = status(bounded, "VmRSS")
    # The peak is forgotten.
    Path(f"/proc/{worker}/clear_refs").write_text("5")
    yield
    assert bound < CALLERS * MAX_MESSAGE * 0.9
    assert status(bounded, "VmHWM") - before < bound


def send(connection: http2.Connection, body: bytes) -> None:
    """Make a call with a message that is compressed."""
    connection.begin(PREDICT, 1, (b"grpc-encoding", b"gzip"))
    content = b"\1" + len(body).to_bytes(4) + body
    for begin in range(0, len(content), FRAME_BYTES):
        flags = END_STREAM if begin + FRAME_BYTES >= len(content) else 0
        connection.send(DATA, content[begin : begin + FRAME_BYTES], flags, stream=1)


def wait_for_headers(connection: http2.Connection) -> None:
    """Wait until the call is being answered."""
    for frame in connection.frames():
        if frame.kind == HEADERS:
            return
    raise AssertionError("the connection ended")


@pytest.mark.usefixtures("growth")
@pytest.mark.parametrize("bounded", ["patient"], indirect=True)
def test_callers_that_read_no_answers_keep_no_messages(bounded: ServerProcess) -> None:
    # As many as the answer has room for, which has them too.
    images = (MAX_MESSAGE - 1000) // (4 * (784 + 60))
    pixels = np.zeros(784 * images, np.float32)
    # It takes long, and so leaves the lane.
    request = PredictRequest(
        pixels=pixels, hidden_activations=True, canonicalize=True, canonical_pixels=True
    )
    body = gzip.compress(request.SerializeToString(), 1)
    with contextlib.ExitStack() as opened:
        for _ in range(CALLERS):
            connection = opened.enter_context(http2.connect(bounded.grpc_address))
            send(connection, body)
            # The answer is larger than what gRPC may send of it.
            wait_for_headers(connection)


@pytest.mark.usefixtures("growth")
@pytest.mark.parametrize("size", [2 * MAX_MESSAGE, MAX_MESSAGE])
def test_messages_that_are_small_until_they_arrive(bounded: ServerProcess, size: int) -> None:
    # A field that nobody knows, with an image before it.
    image = PredictRequest(pixels_u8=bytes(784)).SerializeToString()
    size -= 1000
    digits = [size >> 7 * place & 0x7F for place in range(4)]
    length = bytes([*(digit | 0x80 for digit in digits[:-1]), digits[-1]])
    body = gzip.compress(image + b"\xfa\x06" + length + bytes(size), 1)
    errors: list[Exception] = []

    def call() -> None:
        try:
            with http2.connect(bounded.grpc_address) as connection:
                send(connection, body)
                wait_for_headers(connection)
        except (OSError, AssertionError) as error:
            errors.append(error)

    threads = [threading.Thread(target=call) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
