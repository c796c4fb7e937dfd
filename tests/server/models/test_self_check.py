"""Answers are checked before a model is served, and nothing stays of one that is not."""

import base64
import contextlib
import copy
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from exporter.network.network import Batch
from modelfile.check import BATCH_SIZES
from server.errors import Fault, ModelError
from server.models import model, runtime
from server.models.model import load_model
from server.models.self_check import Runner, check
from tests.server.models.odd_models import (
    IMAGES,
    NETWORK,
    SIZES,
    WHOLE,
    described,
    right,
    set_metadata,
    written,
)


def session_of(answer: Callable[[Batch], list[Batch]]) -> Any:
    """Return what looks like a session to a Runner."""
    return SimpleNamespace(run=lambda _names, feeds, _options: answer(feeds["pixels"]))


WRONG: dict[str, tuple[Callable[[Batch], list[Batch]], str]] = {
    "one row": (lambda batch: [layer[:1] for layer in right(batch)], "answers"),
    "one row of a hidden layer": (
        lambda batch: [right(batch)[0], right(batch)[1][:1]],
        "answers",
    ),
    "the first for all": (lambda batch: [layer[[0] * len(batch)] for layer in right(batch)], ""),
    "mean of the batch": (
        lambda batch: right(np.repeat(batch.mean(axis=0, keepdims=True), len(batch), axis=0)),
        "",
    ),
    "reversed": (lambda batch: [layer[::-1] for layer in right(batch)], ""),
    "right up to three": (
        lambda batch: right(batch) if len(batch) < 4 else [layer * 0 for layer in right(batch)],
        "",
    ),
    "wrong hidden layer in batches": (
        lambda batch: [right(batch)[0], right(batch)[1] / np.float32(len(batch))],
        "answers",
    ),
    "other type": (lambda batch: [layer.astype(np.float64) for layer in right(batch)], "answers"),
    "no numbers": (
        lambda batch: [layer / np.float32(batch.any()) for layer in right(batch)],
        "not_finite",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("golden", [1, 2, 8])
def test_answers_that_depend_on_the_batch_are_found(wrong: str, golden: int) -> None:
    answer, reason = WRONG[wrong]
    pixels = np.random.default_rng(3).random((golden, 4), np.float32)
    metadata = described(pixels, right(pixels)[0])
    with Runner(session_of(right), SIZES, 60) as runner:
        assert check(runner, NETWORK.layers, metadata) == 0
    with (
        np.errstate(divide="ignore", invalid="ignore"),
        Runner(session_of(answer), SIZES, 60) as runner,
        pytest.raises(Fault) as caught,
    ):
        check(runner, NETWORK.layers, metadata)
    assert caught.value.reason in ((reason,) if reason else ("answers", "golden_examples"))


def test_a_check_that_takes_too_long_is_ended() -> None:
    ended = threading.Event()

    def run(_names: object, _feeds: object, options: Any) -> None:
        while not options.terminate:
            ended.wait(0.001)
        raise RuntimeError("Exiting due to terminate flag being set to true.")

    session: Any = SimpleNamespace(run=run)
    with Runner(session, SIZES, 0.01) as runner, pytest.raises(Fault) as caught:
        runner.run(IMAGES)
    assert caught.value.reason == "too_slow"


def test_the_memory_that_runs_out_in_the_runtime_is_called_so() -> None:
    for error in (MemoryError(), RuntimeError("bad allocation"), RuntimeError("std::bad_alloc")):

        def run(*_arguments: object, error: Exception = error) -> None:
            raise error

        session: Any = SimpleNamespace(run=run)
        runner = Runner(session, SIZES, 60)
        with pytest.raises(Fault) as caught:
            runner.run(IMAGES)
        assert caught.value.reason == "memory"


def test_the_real_model_is_checked_in_every_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    real = Runner.run

    def run(self: Runner, batch: Batch) -> list[Batch]:
        sizes.append(len(batch))
        return real(self, batch)

    monkeypatch.setattr(Runner, "run", run)
    load_model(written(tmp_path, WHOLE), "small", 1)
    assert {1, *BATCH_SIZES, 8} <= {*sizes}


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Let nothing find what only refers to itself, as the server does for long."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("is_good", [True, False])
@pytest.mark.usefixtures("no_collector")
def test_nothing_stays_of_what_is_not_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_good: bool
) -> None:
    opened: list[weakref.ref[object]] = []
    real = runtime.open_session

    def open_session(content: bytes) -> Any:
        session = real(content)
        opened.append(weakref.ref(session))
        return session

    monkeypatch.setattr(model, "open_session", open_session)
    changed = copy.deepcopy(WHOLE)
    if not is_good:
        golden = base64.b64encode(np.ones((8, 3), "<f4").tobytes()).decode()
        set_metadata(changed, "golden_activations", golden)
    path = written(tmp_path, changed)
    # Without pytest.raises, which would keep the error and all that its functions know.
    with contextlib.suppress(ModelError):
        load_model(path, "small", 1)
    (session,) = opened
    assert session() is None
