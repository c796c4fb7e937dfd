"""Models are loaded and unloaded one after the other, and who asked is told how each went."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from harness.waiting import wait_for
from server.errors import NotLoaded, StartupError
from server.models import changes, watcher
from server.models.changes import LOAD, UNLOAD, Change, Outcome, unpack
from server.models.loader import Loader
from server.models.passes import Refreshed
from server.models.repository import Models
from server.models.served import Served
from server.models.watcher import ModelWatcher
from server.system import memory
from server.telemetry.version_stats import VERSIONS
from tests.server.models.test_watcher import (
    NOTHING,
    WAIT_SECONDS,
    Gate,
    clean,
    ended,
    failing,
    gated,
    serving,
)

__all__ = ["clean"]


@dataclass
class Scripted:
    """A loader that notes what it is asked for, and does what it is told to."""

    done: list[str] = field(default_factory=list)
    act: Callable[[str], Refreshed] = lambda _name: Refreshed(serving(1))

    def first(self) -> Refreshed:
        return Refreshed(serving(1))

    def refresh(self, models: Models, retry: bool) -> Refreshed:
        self.done.append(f"reload {retry}")
        return Refreshed(models)

    def load(self, _models: Models, name: str) -> Refreshed:
        self.done.append(f"load {name}")
        return self.act(name)

    def unload(self, _models: Models, name: str) -> Refreshed:
        self.done.append(f"unload {name}")
        return Refreshed(NOTHING)


@dataclass(slots=True)
class Running:
    loader: Scripted
    served: Served
    watcher: ModelWatcher

    def ask(self, kind: str, name: str = "small") -> "Future[Outcome]":
        outcome: Future[Outcome] = Future()
        self.watcher.change(Change(kind, name, outcome))
        return outcome

    def change(self, kind: str, name: str = "small") -> Outcome:
        return self.ask(kind, name).result(WAIT_SECONDS)


@pytest.fixture
def running() -> Iterator[Running]:
    loader, served = Scripted(), Served()
    its = ModelWatcher(cast(Loader, loader), served)
    its.first()
    its.start(None)
    yield Running(loader, served, its)
    ended(its)


def test_what_was_asked_for_is_done_in_its_order(running: Running) -> None:
    gate = Gate()
    running.loader.act = gated(gate, running.loader.act)
    first = running.ask(LOAD, "a")
    assert gate.reached.wait(WAIT_SECONDS)
    running.watcher.wake(watcher.RESCAN)
    running.watcher.wake(watcher.ASKED)
    rest = [running.ask(kind, "b") for kind in (UNLOAD, LOAD, UNLOAD)]
    running.watcher.wake(watcher.ASKED)
    assert not first.done()
    gate.open.set()
    assert [outcome.result(WAIT_SECONDS) for outcome in (first, *rest)] == [Outcome()] * 4
    wait_for(lambda: len(running.loader.done) == 6)
    assert running.loader.done == [
        *("load a", "reload True", "unload b", "load b", "unload b", "reload True")
    ]


@pytest.mark.parametrize(
    ("act", "outcome"),
    [
        (
            failing(NotLoaded("model_not_found", "none", {"models": "a, b"})),
            Outcome("model_not_found", "none", "a, b"),
        ),
        (failing(StartupError("gone")), Outcome("load_failed", "gone")),
        (lambda _name: Refreshed(serving(1), ["bad"], 1), Outcome("load_failed", "bad")),
        (
            failing(RuntimeError("?")),
            Outcome("internal", "internal error; the server's log has the reason"),
        ),
    ],
)
def test_who_asked_is_told_why_it_failed(
    running: Running, act: Callable[[str], Refreshed], outcome: Outcome
) -> None:
    running.loader.act = act
    assert running.change(LOAD) == outcome
    assert unpack(outcome.pack()) == outcome
    running.loader.act = lambda _name: Refreshed(serving(2))
    assert running.change(LOAD) == Outcome()
    assert [model.version for model in running.served.require()] == [2]


@pytest.mark.parametrize(
    ("owner", "name"),
    [(Served, "swap"), (watcher, "describe"), (memory, "give_back"), (watcher.log, "info")],
)
def test_an_error_anywhere_is_told_and_ends_no_thread(
    running: Running, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
) -> None:
    running.loader.act = lambda _name: Refreshed(serving(2), (), 1)
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, failing(RuntimeError("no")))
        assert running.change(LOAD).reason == "internal"
    assert running.watcher.is_alive
    assert running.change(LOAD) == Outcome()


def test_a_version_that_is_loaded_again_counts_anew(running: Running) -> None:
    (model,) = running.served.require()
    before = VERSIONS.stats(model)
    assert running.change(UNLOAD) == Outcome()
    assert list(running.served.require()) == []
    assert (model.name, model.version) not in VERSIONS.sums()
    assert VERSIONS.stats(model) is before
    running.loader.act = lambda _name: Refreshed(serving(model.version), (), 1)
    assert running.change(LOAD) == Outcome()
    assert VERSIONS.stats(model) is not before


def test_a_stop_answers_what_waits_and_what_comes_too_late(running: Running) -> None:
    gate = Gate()
    running.loader.act = gated(gate, lambda _name: Refreshed(serving(2)))
    first = running.ask(LOAD)
    assert gate.reached.wait(WAIT_SECONDS)
    later = running.ask(UNLOAD)
    running.watcher.stop()
    gate.open.set()
    assert running.watcher.wait(WAIT_SECONDS)
    stopping = Outcome("not_ready", changes.STOPPING)
    assert [outcome.result(WAIT_SECONDS) for outcome in (first, later)] == [stopping] * 2
    assert running.change(LOAD) == stopping
    assert [model.version for model in running.served.require()] == [1]
    assert running.loader.done == ["load small"]


def test_what_is_asked_before_the_first_load_has_ended_follows_it() -> None:
    gate, served, loader = Gate(), Served(), Scripted()
    its = ModelWatcher(cast(Loader, loader), served)
    loader.first = gated(gate, loader.first)  # type: ignore[method-assign]

    def start() -> None:
        its.first()
        its.start(None)

    starting = threading.Thread(target=start)
    starting.start()
    assert gate.reached.wait(WAIT_SECONDS)
    outcome = Running(loader, served, its).ask(UNLOAD)
    assert not outcome.done()
    gate.open.set()
    assert outcome.result(WAIT_SECONDS) == Outcome()
    starting.join()
    assert list(served.require()) == []
    ended(its)
