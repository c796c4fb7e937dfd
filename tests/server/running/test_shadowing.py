"""What waits for a shadow is bounded and let go of, and each image is counted exactly once."""

import threading
import weakref
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from structlog.testing import capture_logs

from harness.waiting import wait_for
from modelfile.reference import UNMEASURED
from server.errors import InvalidField
from server.models.model import Model
from server.models.repository import Models
from server.running import run, shadowing
from server.running.request import Request
from server.running.shadowing import OVERHEAD_BYTES, SPARE_BYTES, Answered, Shadow
from server.telemetry.version_stats import VERSIONS

PATIENCE_SECONDS = 60.0
PIXELS = 4


class Message(bytearray):
    """A message that tells when it is let go of."""

    __slots__ = ("__weakref__",)


class Runs:
    """Stands for the model's runs: each waits until it may go on, then answers label 0."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Semaphore(0), threading.Semaphore(0)
        self.parts: list[tuple[int, int, Request]] = []
        self.error: Exception | None = None
        self.errors: list[InvalidField] = []

    def run(self, _model: Model, parts: list[Answered]) -> Any:
        self.begun.release()
        assert self.go_on.acquire(timeout=PATIENCE_SECONDS)
        (part,) = parts
        self.parts.append((len(part.pixels), memoryview(part.pixels.obj).nbytes, part.request))
        if self.error is not None:
            raise self.error
        labels = np.zeros(part.size, int)
        return SimpleNamespace(labels=labels, errors=self.errors)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    made = Runs()
    monkeypatch.setattr(run, "run", made.run)
    return made


def model(
    version: int,
    n_pixels: int = PIXELS,
    labels: tuple[str, ...] = ("a", "b"),
    *,
    takes_pixels: bool = True,
) -> Model:
    fake = SimpleNamespace(
        name="small",
        version=version,
        n_pixels=n_pixels,
        labels=labels,
        takes_pixels=takes_pixels,
        reference=UNMEASURED,
    )
    return cast(Model, fake)


FIRST = model(1)


def shadowed_by(shadow: Model, share: float = 1.0) -> Models:
    its = SimpleNamespace(shadowing=SimpleNamespace(model=shadow, share=share))
    return cast(Models, SimpleNamespace(by_name={"small": its}))


def request(*, hidden: bool = False, is_bytes: bool = True) -> Request:
    return Request(
        "",
        0,
        is_bytes=is_bytes,
        field="pixels_u8",
        write=lambda _answer, _identifier: b"",
        measure=lambda _model, _images: 0,
        hidden_activations=hidden,
    )


def answered(
    size: int = 1, message: bytearray | None = None, label: int = 0, *, hidden: bool = False
) -> Answered:
    content = bytearray(PIXELS * size) if message is None else message
    pixels = memoryview(content)[: PIXELS * size]
    return Answered(FIRST, request(hidden=hidden), pixels, size, [label] * size)


def counted(version: int) -> tuple[int, int, int]:
    """Return the images classified, those with another label, and those skipped."""
    stats = VERSIONS.stats(model(version))
    images, differing, skipped = (
        int(sum(count for _, count in stats.shadowed(place))) for place in range(3)
    )
    return images, differing, skipped


@pytest.fixture
def second() -> Iterator[Model]:
    """A version with series of its own."""
    VERSIONS.load(model(2))
    yield model(2)
    VERSIONS.retire("small", 2)


def test_labels_that_differ_are_counted(runs: Runs, second: Model) -> None:
    shadow = Shadow(100)
    runs.go_on.release(2)
    shadow.offer(shadowed_by(second), answered(3, label=0))
    shadow.offer(shadowed_by(second), answered(2, label=1))
    wait_for(lambda: counted(2) == (5, 2, 0))
    wait_for(lambda: (shadow._waiting_images, shadow._waiting_bytes) == (0, 0))


def test_images_that_wait_are_bounded(runs: Runs, second: Model) -> None:
    shadow = Shadow(5)
    for _ in range(4):
        shadow.offer(shadowed_by(second), answered(2))
    assert counted(2) == (0, 0, 4)
    runs.go_on.release(2)
    wait_for(lambda: counted(2) == (4, 0, 4))
    wait_for(lambda: shadow._waiting_images == 0)
    runs.go_on.release()
    shadow.offer(shadowed_by(second), answered(5))
    wait_for(lambda: counted(2) == (9, 0, 4))


def test_bytes_that_wait_are_bounded(runs: Runs, second: Model) -> None:
    # A little more than the pixels is kept as it is, and counted whole.
    message = bytearray(PIXELS + SPARE_BYTES)
    shadow = Shadow(1000, max_bytes=2 * (len(message) + OVERHEAD_BYTES))
    for _ in range(3):
        shadow.offer(shadowed_by(second), answered(1, message))
    assert counted(2) == (0, 0, 1)
    runs.go_on.release(2)
    wait_for(lambda: counted(2) == (2, 0, 1))
    assert runs.parts[0][:2] == (PIXELS, len(message))
    wait_for(lambda: shadow._waiting_bytes == 0)


def test_of_a_large_message_only_the_pixels_are_kept(runs: Runs, second: Model) -> None:
    message = Message(60 * 1024 * 1024)
    is_kept = weakref.ref(message)
    shadow = Shadow(1000, max_bytes=PIXELS + OVERHEAD_BYTES)
    shadow.offer(shadowed_by(second), answered(1, message))
    assert runs.begun.acquire(timeout=PATIENCE_SECONDS)
    del message
    assert is_kept() is None
    runs.go_on.release()
    wait_for(lambda: counted(2) == (1, 0, 0))
    assert runs.parts[0][:2] == (PIXELS, PIXELS)


def test_a_message_is_let_go_of_once_it_is_classified(runs: Runs, second: Model) -> None:
    message = Message(PIXELS)
    is_kept = weakref.ref(message)
    shadow = Shadow(1000)
    shadow.offer(shadowed_by(second), answered(1, message))
    del message
    assert runs.begun.acquire(timeout=PATIENCE_SECONDS)
    assert is_kept() is not None
    runs.go_on.release()
    wait_for(lambda: is_kept() is None)


def test_nobody_needs_the_hidden_activations(runs: Runs, second: Model) -> None:
    shadow = Shadow(1000)
    runs.go_on.release()
    shadow.offer(shadowed_by(second), answered(1, hidden=True))
    wait_for(lambda: counted(2) == (1, 0, 0))
    assert not runs.parts[0][2].hidden_activations


def test_another_number_of_pixels_is_skipped(runs: Runs, second: Model) -> None:
    shadow = Shadow(1000)
    shadow.offer(shadowed_by(model(2, n_pixels=5)), answered(3))
    assert counted(2) == (0, 0, 3)
    assert shadow._waiting_images == 0


def test_bytes_are_not_for_a_version_of_other_numbers(runs: Runs, second: Model) -> None:
    shadow = Shadow(1000)
    other = model(2, takes_pixels=False)
    shadow.offer(shadowed_by(other), answered(3))
    assert counted(2) == (0, 0, 3)
    floats = answered(1)
    floats.request = request(is_bytes=False)
    runs.go_on.release()
    shadow.offer(shadowed_by(other), floats)
    wait_for(lambda: counted(2) == (1, 0, 3))


def test_what_another_range_refuses_is_skipped_without_a_word(runs: Runs, second: Model) -> None:
    shadow = Shadow(1000)
    runs.errors = [InvalidField("pixel_range", "pixel 0 is 2", "pixels")]
    runs.go_on.release()
    with capture_logs() as logged:
        shadow.offer(shadowed_by(second), answered(2))
        wait_for(lambda: counted(2) == (0, 0, 2))
    assert logged == []


def test_runs_that_fail_are_skipped_and_end_nothing(runs: Runs, second: Model) -> None:
    shadow = Shadow(1000)
    runs.go_on.release(4)
    runs.error = MemoryError()
    shadow.offer(shadowed_by(second), answered(3))
    wait_for(lambda: counted(2) == (0, 0, 3))
    runs.error, runs.errors = None, [InvalidField("pixel_range", "bad image", "pixels")]
    shadow.offer(shadowed_by(second), answered(2))
    wait_for(lambda: counted(2) == (0, 0, 5))
    runs.errors = []
    # The answer's model has fewer labels than its answer says.
    shadow.offer(shadowed_by(second), answered(1, label=9))
    wait_for(lambda: counted(2) == (0, 0, 6))
    shadow.offer(shadowed_by(second), answered(1))
    wait_for(lambda: counted(2) == (1, 0, 6))
    wait_for(lambda: (shadow._waiting_images, shadow._waiting_bytes) == (0, 0))


def test_errors_reach_no_call(runs: Runs, second: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    shadow = Shadow(1000)

    def fail(*_arguments: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(shadow._thread, "submit", fail)
    shadow.offer(shadowed_by(second), answered(2))
    assert counted(2) == (0, 0, 2)
    assert (shadow._waiting_images, shadow._waiting_bytes) == (0, 0)
    monkeypatch.setattr(shadowing, "_skip", fail)
    shadow.offer(shadowed_by(model(2, n_pixels=5)), answered(2))
    shadow.offer(cast(Models, None), answered(2))


def test_what_is_not_shadowed_is_not_counted(runs: Runs, second: Model) -> None:
    shadow = Shadow(1000)
    shadow.offer(shadowed_by(second, share=0.0), answered(2))
    shadow.offer(shadowed_by(FIRST), answered(2))
    shadow.offer(cast(Models, SimpleNamespace(by_name={})), answered(2))
    assert counted(2) == (0, 0, 0)
    assert shadow._waiting_images == 0
