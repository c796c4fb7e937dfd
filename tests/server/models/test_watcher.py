"""Reloads, stops and errors in every state of the watcher, in whatever order they come."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import watchfiles
from structlog.testing import capture_logs

from harness.waiting import wait_for
from modelfile.reference import UNMEASURED, Reference
from server.errors import NotReady, StartupError
from server.models import changes, watcher
from server.models.loader import Loader
from server.models.model import Model
from server.models.passes import Refreshed
from server.models.repository import Models, Versions
from server.models.served import Served, describe, retire
from server.models.watcher import ModelWatcher
from server.system import memory
from server.telemetry import metrics
from server.telemetry.version_stats import VERSIONS

WAIT_SECONDS = 60

NOTHING = Models({}, None)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class FakeModel:
    """What the watcher and its metrics read of a model."""

    version: int
    name: str = "small"
    labels: tuple[str, ...] = ("a", "b")
    layer_sizes: tuple[int, ...] = (4, 2)
    n_pixels: int = 4
    parameters: int = 10
    weights_sha256: str = "0" * 64
    load_seconds: float = 0.5
    reference: Reference = UNMEASURED


def serving(version: int) -> Models:
    model = cast(Model, FakeModel(version))
    return Models({"small": Versions({version: model}, {}, model)}, "small")


@dataclass(slots=True)
class Gate:
    """A place where a thread stops until it may go on."""

    reached: threading.Event = field(default_factory=threading.Event)
    open: threading.Event = field(default_factory=threading.Event)

    def __call__(self) -> None:
        self.reached.set()
        assert self.open.wait(WAIT_SECONDS)


@dataclass(slots=True)
class Scripted:
    """A loader that does what it is told, once for each refresh; the last goes on for ever."""

    steps: list[Callable[[], Refreshed]] = field(default_factory=lambda: [nothing])
    refreshes: list[bool] = field(default_factory=list)
    before_first: Callable[[], None] = lambda: None

    def first(self) -> Refreshed:
        self.before_first()
        return Refreshed(NOTHING)

    def refresh(self, models: Models, retry: bool) -> Refreshed:
        assert isinstance(models, Models)
        self.refreshes.append(retry)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        return step()


def nothing() -> Refreshed:
    return Refreshed(NOTHING)


def second() -> Refreshed:
    return Refreshed(serving(2), (), 1)


def failing(error: Exception) -> Callable[..., Any]:
    def fail(*_arguments: object, **_named: object) -> None:
        raise error

    return fail


def gated(gate: Gate, step: Callable[..., Any]) -> Callable[..., Any]:
    """Return what waits at a gate, and then does as before."""

    def wait(*arguments: Any, **named: Any) -> Any:
        gate()
        return step(*arguments, **named)

    return wait


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    """Begin without the series of other tests, and leave none behind."""
    forget_reloads()
    yield
    forget_reloads()
    describe(Models({}, None), [cast(Model, FakeModel(version)) for version in (1, 2)])
    for version in (1, 2):
        retire("small", version)


def sample(name: str, **labels: str) -> float | None:
    return metrics.REGISTRY.get_sample_value(name, labels)


def forget_reloads() -> None:
    for outcome in ("done", "failed"):
        metrics.RELOADS.remove("models", outcome)


def reloads(outcome: str) -> float:
    return sample("mlpserve_reloads_total", part="models", outcome=outcome) or 0


def is_successful() -> bool:
    return sample("mlpserve_last_reload_successful", part="models") == 1


def watching(loader: Scripted, served: Served) -> ModelWatcher:
    return ModelWatcher(cast(Loader, loader), served)


def started(loader: Scripted, served: Served | None = None) -> ModelWatcher:
    made = watching(loader, served or Served())
    made.first()
    made.start(None)
    return made


def ended(stopped: ModelWatcher) -> None:
    stopped.stop()
    assert stopped.wait(WAIT_SECONDS)
    assert not stopped.is_alive


@dataclass(slots=True)
class Asking:
    """Somebody who has asked for a reload, on a thread of their own."""

    watcher: ModelWatcher
    answers: list[str] = field(default_factory=list)
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._ask)
        self.thread.start()

    def _ask(self) -> None:
        self.answers.append(self.watcher.ask(WAIT_SECONDS))

    @property
    def answer(self) -> str:
        self.thread.join(WAIT_SECONDS)
        (answer,) = self.answers
        return answer


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (failing(StartupError("the repository is gone")), "the repository is gone"),
        (failing(ValueError("x")), "internal error (ValueError)"),
        (lambda: Refreshed(NOTHING, ["small 2 is bad"], 1), "small 2 is bad"),
        (lambda: Refreshed(NOTHING, ["one", "two"] * 5), "and 5 more"),
    ],
)
def test_a_reload_that_fails_is_told_until_all_is_well(
    step: Callable[[], Refreshed], words: str
) -> None:
    asked = started(Scripted([step, step, nothing]))
    assert is_successful()
    for failed in (1, 2):
        assert words in asked.ask(WAIT_SECONDS)
        assert (reloads("failed"), is_successful()) == (failed, False)
    assert asked.ask(WAIT_SECONDS) == ""
    assert (reloads("done"), is_successful()) == (1, True)
    ended(asked)


def test_a_reload_swaps_and_then_tells_how_it_went(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[tuple[str, int]] = []
    served = Served()

    def note(event: str, step: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*arguments: Any, **named: Any) -> Any:
            events.append((event, len(list(served.models or ()))))
            return step(*arguments, **named)

        return noted

    monkeypatch.setattr(Served, "swap", note("swap", Served.swap))
    for name in ("describe", "note_outcome"):
        monkeypatch.setattr(watcher, name, note(name, getattr(watcher, name)))
    monkeypatch.setattr(memory, "give_back", note("give_back", memory.give_back))
    asked = watching(Scripted([note("load", second)]), served)
    asked.first()
    events.clear()
    assert asked.reload(watcher.ASKED) == ""
    assert events == [
        *(("load", 0), ("swap", 0), ("describe", 1), ("give_back", 1), ("note_outcome", 1))
    ]


PLACES: dict[str, tuple[object, str, str]] = {
    "loading": (Scripted, "refresh", "internal error (RuntimeError)"),
    "swapping": (Served, "swap", "internal error (RuntimeError)"),
    "describing": (watcher, "describe", "internal error (RuntimeError)"),
    "logging": (watcher.log, "info", "internal error (RuntimeError)"),
    "giving memory back": (memory, "give_back", "internal error (RuntimeError)"),
    "noting the outcome": (watcher, "note_outcome", "internal error; "),
    "noting what is released": (ModelWatcher, "_note_released", ""),
}


@pytest.mark.parametrize("place", PLACES)
def test_an_error_anywhere_ends_no_thread(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name, words = PLACES[place]
    served = Served()
    asked = started(Scripted([lambda: Refreshed(serving(1), (), 1), second]), served)
    assert asked.ask(WAIT_SECONDS) == ""
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, failing(RuntimeError("no")))
        # Not even the line about it can be written.
        patch.setattr(watcher.log, "warning", failing(RuntimeError("no")))
        answer = asked.ask(WAIT_SECONDS)
        assert answer.startswith(words) if words else answer == ""
    assert asked.is_alive
    assert asked.ask(WAIT_SECONDS) == ""
    assert [model.version for model in served.require()] == [2]
    assert is_successful()
    ended(asked)


def test_looks_that_find_nothing_new_are_not_counted() -> None:
    problem = ["small 2 is bad"]
    steps = [nothing, lambda: Refreshed(NOTHING, problem, 1), lambda: Refreshed(NOTHING, problem)]
    asked = watching(Scripted([*steps, failing(StartupError("gone"))]), Served())
    asked.first()
    counts = []
    for _ in range(5):
        asked.reload(watcher.RESCAN)
        counts.append((reloads("done"), reloads("failed")))
    assert counts == [(0, 0), (0, 1), (0, 1), (0, 2), (0, 2)]


def test_requests_that_come_while_models_load_are_answered_by_one_more_look() -> None:
    gate = Gate()
    loader = Scripted([gated(gate, nothing), nothing])
    asked = started(loader)
    asked.wake(watcher.FILES_CHANGED)
    assert gate.reached.wait(WAIT_SECONDS)
    assert watcher.GOES_ON in asked.ask(0)
    for _ in range(20):
        asked.wake(watcher.FILES_CHANGED)
    asking = [Asking(asked) for _ in range(2)]
    wait_for(lambda: asked._requests.qsize() == 23)
    gate.open.set()
    assert [somebody.answer for somebody in asking] == ["", ""]
    assert loader.refreshes == [False, True]
    ended(asked)


STATES: dict[str, tuple[object, str] | None] = {
    "loading": (Scripted, "refresh"),
    "swapping": (Served, "swap"),
    "describing": (watcher, "describe"),
    "noting the outcome": (watcher, "note_outcome"),
    "noting what is released": (ModelWatcher, "_note_released"),
}


@pytest.mark.parametrize("state", STATES)
def test_a_stop_waits_for_nothing_and_lets_nothing_more_begin(
    state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, name = cast(tuple[object, str], STATES[state])
    served, loader = Served(), Scripted([second])
    asked = started(loader, served)
    gate = Gate()
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, gated(gate, getattr(owner, name)))
        first = Asking(asked)
        assert gate.reached.wait(WAIT_SECONDS)
        later = Asking(asked)
        wait_for(lambda: asked._requests.qsize() == 1)
        asked.stop()
        assert not asked.wait(0)
        assert asked.ask(WAIT_SECONDS) == changes.STOPPING
        asked.wake(watcher.RESCAN)
        gate.open.set()
        assert asked.wait(WAIT_SECONDS)
    is_late = state == "loading"
    assert first.answer == (changes.STOPPING if is_late else "")
    assert later.answer == changes.STOPPING
    assert [model.version for model in served.require()] == ([] if is_late else [2])
    assert len(loader.refreshes) == 1


def test_a_stop_before_the_start_and_twice() -> None:
    early = watching(Scripted(), Served())
    assert early.is_alive
    early.stop()
    assert early.wait(0)
    early.start(None)
    assert early.wait(WAIT_SECONDS)
    assert early.ask(WAIT_SECONDS) == changes.STOPPING
    twice = started(Scripted())
    ended(twice)
    ended(twice)


def test_a_stop_during_the_first_load() -> None:
    gate, served = Gate(), Served()
    loader = Scripted(before_first=gate)
    asked = watching(loader, served)
    first = threading.Thread(target=asked.first)
    first.start()
    assert gate.reached.wait(WAIT_SECONDS)
    with pytest.raises(NotReady):
        served.require()
    asked.stop()
    gate.open.set()
    first.join(WAIT_SECONDS)
    asked.start(None)
    assert asked.wait(WAIT_SECONDS)
    assert loader.refreshes == []


def test_a_first_load_that_fails_serves_nothing() -> None:
    served = Served()
    asked = watching(Scripted(before_first=failing(StartupError("no model"))), served)
    with pytest.raises(StartupError, match="no model"):
        asked.first()
    assert served.models is None


def test_a_version_is_released_after_its_last_run() -> None:
    served = Served()
    asked = watching(Scripted([lambda: Refreshed(serving(1), (), 1), second]), served)
    asked.first()
    asked.reload(watcher.ASKED)
    run: list[Model] = list(served.require())
    with capture_logs() as lines:
        asked.reload(watcher.ASKED)
        asked._note_released()
        assert [(line["event"], line["version"]) for line in lines if "version" in line] == [
            ("model unloaded", 1)
        ]
        assert sample("mlpserve_model_load_seconds", model="small", version="1") == 0.5
        run.clear()
        asked._note_released()
        asked._note_released()
    assert [line["version"] for line in lines if line["event"] == "model released"] == [1]
    assert sample("mlpserve_model_load_seconds", model="small", version="1") is None
    assert sample("mlpserve_model_load_seconds", model="small", version="2") == 0.5


def test_a_version_that_comes_back_keeps_its_series() -> None:
    served = Served()
    asked = watching(Scripted([second]), served)
    asked.first()
    asked.reload(watcher.ASKED)
    stats = VERSIONS.stats(cast(Model, FakeModel(2)))
    with capture_logs() as lines:
        # The same number, another file.
        asked.reload(watcher.ASKED)
        asked._note_released()
    assert [line["event"] for line in lines if "version" in line] == [
        *("model unloaded", "model released")
    ]
    assert VERSIONS.stats(cast(Model, FakeModel(2))) is stats


def test_a_stop_while_unloaded_versions_still_run() -> None:
    served = Served()
    asked = started(Scripted([lambda: Refreshed(serving(1), (), 1), second]), served)
    assert asked.ask(WAIT_SECONDS) == ""
    run = list(served.require())
    assert asked.ask(WAIT_SECONDS) == ""
    ended(asked)
    assert [model.version for model in run] == [1]


def test_the_watch_goes_on_after_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Panic(BaseException):
        """As Rust's are."""

    errors = iter([OSError("no inotify"), Panic("unwrap"), RuntimeError("no")])
    watched = threading.Event()

    def watch(_folder: Path, *, stop_event: threading.Event, **_named: object) -> Iterator[object]:
        for error in errors:
            raise error
        yield {"changed"}
        watched.set()
        stop_event.wait(WAIT_SECONDS)

    monkeypatch.setattr(watchfiles, "watch", watch)
    monkeypatch.setattr(watcher, "RESCAN_SECONDS", 0.01)
    loader = Scripted()
    asked = watching(loader, Served())
    asked.first()
    asked.start(tmp_path)
    assert watched.wait(WAIT_SECONDS)
    assert asked.is_alive
    wait_for(lambda: bool(loader.refreshes))
    ended(asked)


def test_what_is_gone_is_looked_at_again_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent() -> Refreshed:
        return Refreshed(NOTHING, has_absent=True)

    def watch(_folder: Path, *, stop_event: threading.Event, **_named: object) -> Iterator[object]:
        yield {"changed"}
        stop_event.wait(WAIT_SECONDS)

    monkeypatch.setattr(watchfiles, "watch", watch)
    # Too late for this test.
    monkeypatch.setattr(watcher, "RESCAN_SECONDS", 10 * WAIT_SECONDS)
    monkeypatch.setattr(watcher, "RETIRE_SECONDS", 0.01)
    loader = Scripted([absent, absent, nothing])
    asked = watching(loader, Served())
    asked.first()
    asked.start(tmp_path)
    wait_for(lambda: len(loader.refreshes) == 3)
    assert loader.refreshes == [False] * 3
    # Unloaded versions that still run don't put it off.
    loader.steps = [lambda: Refreshed(serving(1), (), 1), second, absent, nothing]
    for _ in range(2):
        assert asked.ask(WAIT_SECONDS) == ""
        run = list(asked._served.require())
    asked.wake(watcher.FILES_CHANGED)
    wait_for(lambda: len(loader.refreshes) == 7)
    assert run
    ended(asked)


def test_a_stop_while_the_repository_can_not_be_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = threading.Event()

    def watch(*_arguments: object, **_named: object) -> None:
        failed.set()
        raise OSError("no inotify")

    monkeypatch.setattr(watchfiles, "watch", watch)
    asked = watching(Scripted(), Served())
    asked.first()
    asked.start(tmp_path)
    assert failed.wait(WAIT_SECONDS)
    ended(asked)
