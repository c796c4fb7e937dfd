"""What is loaded, what is told of the rest, and that nothing ends the threads that load."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import watchfiles

from server.errors import ModelError, StartupError
from server.models import watcher
from server.models.journal import Journal
from server.models.loader import Loader, Refreshed
from server.models.model import Model, load_model
from server.models.policy import MAX_VERSION, read_policies
from server.models.repository import Models
from server.models.watcher import Reloader
from server.telemetry import metrics
from tests.server.versions import publish

POLICIES = read_policies("latest 1", "", "", "")
WAIT_SECONDS = 60


@dataclass(slots=True)
class Fake:
    """Loads as the server does, but raises what it is told to for some versions."""

    errors: dict[int, BaseException] = field(default_factory=dict)
    tried: list[int] = field(default_factory=list)

    def __call__(self, path: Path, name: str, version: int) -> Model:
        self.tried.append(version)
        if error := self.errors.get(version):
            raise error
        return load_model(path, name, version)


def loader_of(repository: Path, load: Fake, journal: Journal | None = None) -> Loader:
    return Loader(repository, "", POLICIES, load, journal)


def numbers(refreshed: Refreshed) -> list[int]:
    return [model.version for model in refreshed.models]


@pytest.mark.parametrize(
    "error", [ModelError("bad", "format"), OSError("x"), MemoryError(), KeyError("x")]
)
def test_whatever_a_file_brings_about_the_version_before_stays(
    tmp_path: Path, error: Exception
) -> None:
    publish(tmp_path, 1)
    load = Fake({2: error})
    loader = loader_of(tmp_path, load)
    assert numbers(loader.first()) == [1]
    publish(tmp_path, 2)
    refreshed = loader.refresh(retry=False)
    assert numbers(refreshed) == [1]
    assert refreshed.models.errors["small"].keys() == {2}
    (problem,) = refreshed.problems
    assert problem == refreshed.models.errors["small"][2]
    # It stays a problem, but is not tried again by itself.
    again = loader.refresh(retry=False)
    assert (numbers(again), again.problems, again.tried) == ([1], [problem], 0)
    assert loader.refresh(retry=True).tried == 1
    publish(tmp_path, 3)
    good = loader.refresh(retry=False)
    assert (numbers(good), good.problems) == ([3], [])


def test_a_folder_that_can_not_be_looked_at_is_no_end(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    loader = loader_of(tmp_path, Fake())
    loader.first()
    (tmp_path / "file").write_text("no model")
    (tmp_path / "loop").symlink_to("loop")
    looping = tmp_path / "small" / "2"
    looping.mkdir()
    (looping / "model.onnx").symlink_to("model.onnx")
    refreshed = loader.refresh(retry=False)
    assert numbers(refreshed) == [1]
    assert "can't be read" in refreshed.problems[0]


def test_a_file_that_has_killed_a_worker_waits_until_it_is_asked_for(tmp_path: Path) -> None:
    for version in (1, 2):
        publish(tmp_path, version)
    told: list[Any] = []
    loader_of(tmp_path, Fake(), Journal(told.append)).first()
    entry, end = told
    assert (entry[:2], end) == (["small", 2], None)
    # As the parent hands it to the next worker.
    crashed = json.loads(json.dumps([entry]))
    load = Fake()
    loader = loader_of(tmp_path, load, Journal(crashed=crashed))
    refreshed = loader.first()
    assert (numbers(refreshed), load.tried) == ([1], [1])
    assert "was being loaded when a worker died" in refreshed.problems[0]
    assert numbers(loader.refresh(retry=False)) == [1]
    os.utime(tmp_path / "small" / "2" / "model.onnx")
    assert numbers(loader.refresh(retry=False)) == [2]
    other = loader_of(tmp_path, Fake(), Journal(crashed=crashed))
    other.first()
    assert numbers(other.refresh(retry=True)) == [2]


def test_it_is_tried_again_where_there_is_nothing_else(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    told: list[Any] = []
    loader_of(tmp_path, Fake(), Journal(told.append)).first()
    assert numbers(loader_of(tmp_path, Fake(), Journal(crashed=told[:1])).first()) == [1]
    with pytest.raises(StartupError, match="bad"):
        loader_of(
            tmp_path, Fake({1: ModelError("bad", "format")}), Journal(crashed=told[:1])
        ).first()


def test_what_is_being_loaded_is_told_until_it_ends_in_any_way(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    told: list[Any] = []
    with pytest.raises(StartupError):
        loader_of(tmp_path, Fake({1: ValueError("bad")}), Journal(told.append)).first()
    assert [bool(entry) for entry in told] == [True, False]


def test_weights_that_are_not_those_promised_replace_nothing(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    whole = publish(tmp_path / "other", 2).read_bytes()
    changed = whole.replace(hash_of(whole), b"0" * 64)
    folder = tmp_path / "small" / "2"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(changed)
    refreshed = loader_of(tmp_path, Fake()).first()
    assert numbers(refreshed) == [1]
    assert "its metadata says 0000" in refreshed.problems[0]


def hash_of(content: bytes) -> bytes:
    begin = content.index(b"weights_sha256") + len(b"weights_sha256") + 2
    return content[begin : begin + 64]


def test_odd_names_are_told_and_passed_over(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    whole = (tmp_path / "small" / "1" / "model.onnx").read_bytes()
    for folder in (
        os.fsencode(tmp_path) + b"/small/20241231235959123456789",
        os.fsencode(tmp_path) + b"/small/9\xff",
        os.fsencode(tmp_path) + b"/small/9\n",
        os.fsencode(tmp_path) + b"/b\xffd/1",
        os.fsencode(tmp_path) + b"/b\x1b[31md/1",
        os.fsencode(tmp_path) + b"/large/" + str(MAX_VERSION + 1).encode(),
        os.fsencode(tmp_path) + b"/stray\xff/notes",
    ):
        path = Path(os.fsdecode(folder))
        path.mkdir(parents=True)
        (path / "model.onnx").write_bytes(whole)
    publish(tmp_path, MAX_VERSION, "largest")
    refreshed = loader_of(tmp_path, Fake()).first()
    assert [(model.name, model.version) for model in refreshed.models] == [
        ("largest", MAX_VERSION),
        ("small", 1),
    ]
    assert {name: [*its] for name, its in refreshed.models.errors.items()} == {
        "small": [0],
        "large": [0],
    }
    assert "has the version 20241231235959123456789" in refreshed.models.errors["small"][0]
    assert len(refreshed.problems) == 2
    for message in refreshed.problems:
        message.encode()


def test_a_repository_of_odd_names_alone_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "small" / str(MAX_VERSION + 1)
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"")
    with pytest.raises(StartupError, match="has the version 9223372036854775808, and the largest"):
        loader_of(tmp_path, Fake()).first()


def test_versions_up_to_the_largest_can_be_named_in_settings() -> None:
    largest = str(MAX_VERSION)
    policies = read_policies(
        f"1, {largest}", f"a: stable {largest}", f"a: {largest} 1, stable 2", f"a: {largest} 5"
    )
    assert policies.of("a").labels == {"stable": MAX_VERSION}
    assert policies.of("b").choice.numbers == (1, MAX_VERSION)
    for text in (str(MAX_VERSION + 1), "1" * 30):
        with pytest.raises(StartupError, match="can't be used"):
            read_policies(text, "", "", "")
        with pytest.raises(StartupError, match="can't be used"):
            read_policies("", f"stable {text}", "", "")


NOTHING = Models({}, None)


@dataclass(slots=True)
class Scripted:
    """A loader that does what it is told, once for each refresh; the last goes on for ever."""

    steps: list[Callable[[], Refreshed]] = field(default_factory=lambda: [nothing])
    refreshes: list[bool] = field(default_factory=list)

    def first(self) -> Refreshed:
        return Refreshed(NOTHING)

    def refresh(self, retry: bool) -> Refreshed:
        self.refreshes.append(retry)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        return step()


def nothing() -> Refreshed:
    return Refreshed(NOTHING)


def failing(error: Exception) -> Callable[[], Refreshed]:
    def fail() -> Refreshed:
        raise error

    return fail


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    """Leave no series behind for other tests."""
    yield
    for outcome in ("done", "failed"):
        metrics.RELOADS.remove("models", outcome)


def reloads(outcome: str) -> float:
    (line, *_) = [
        *(
            line
            for line in "".join(f.lines for f in metrics.RELOADS.write()).splitlines()
            if 'part="models"' in line and f'outcome="{outcome}"' in line
        ),
        "x 0",
    ]
    return float(line.split()[-1])


def is_successful() -> bool:
    lines = "".join(family.lines for family in metrics.LAST_RELOAD_SUCCESSFUL.write())
    (line,) = (line for line in lines.splitlines() if 'part="models"' in line)
    return float(line.split()[-1]) == 1


def started(loader: Scripted, publish: Callable[[Models], None] = lambda _: None) -> Reloader:
    reloader = Reloader(loader, publish)
    reloader.first()
    reloader.start(None)
    return reloader


def ended(reloader: Reloader) -> None:
    reloader.stop()
    assert reloader.wait(WAIT_SECONDS)
    assert not reloader.is_alive


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
    reloader = started(Scripted([step, step, nothing]))
    assert is_successful()
    for failed in (1, 2):
        assert words in reloader.ask(WAIT_SECONDS)
        assert (reloads("failed"), is_successful()) == (failed, False)
    assert reloader.ask(WAIT_SECONDS) == ""
    assert (reloads("done"), is_successful()) == (1, True)
    ended(reloader)


def test_what_publishing_or_metrics_raise_ends_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object, **_named: object) -> None:
        raise RuntimeError("no")

    is_bad = threading.Event()
    reloader = started(Scripted(), lambda _models: fail() if is_bad.is_set() else None)
    is_bad.set()
    assert "internal error" in reloader.ask(WAIT_SECONDS)
    assert not is_successful()
    is_bad.clear()
    with monkeypatch.context() as patched:
        patched.setattr(watcher, "note_outcome", fail)
        patched.setattr(watcher.log, "warning", fail)
        assert "internal error" in reloader.ask(WAIT_SECONDS)
    with monkeypatch.context() as patched:
        patched.setattr(Reloader, "_note_released", fail)
        assert reloader.ask(WAIT_SECONDS) == ""
    assert reloader.is_alive
    assert reloader.ask(WAIT_SECONDS) == ""
    assert is_successful()
    ended(reloader)


def test_looks_that_find_nothing_new_are_not_counted() -> None:
    problem = ["small 2 is bad"]
    steps = [nothing, lambda: Refreshed(NOTHING, problem, 1), lambda: Refreshed(NOTHING, problem)]
    reloader = Reloader(Scripted([*steps, failing(StartupError("gone"))]), lambda _: None)
    reloader.first()
    counts = []
    for _ in range(5):
        reloader.reload(watcher.RESCAN)
        counts.append((reloads("done"), reloads("failed")))
    assert counts == [(0, 0), (0, 1), (0, 1), (0, 2), (0, 2)]


def test_requests_that_come_meanwhile_are_answered_by_one_look() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> Refreshed:
        begun.set()
        assert go_on.wait(WAIT_SECONDS)
        return nothing()

    loader = Scripted([slow, nothing])
    reloader = started(loader)
    reloader.wake(watcher.FILES_CHANGED)
    assert begun.wait(WAIT_SECONDS)
    assert watcher.GOES_ON in reloader.ask(0)
    for _ in range(20):
        reloader.wake(watcher.FILES_CHANGED)
    go_on.set()
    assert reloader.ask(WAIT_SECONDS) == ""
    assert loader.refreshes[0] is False
    assert len(loader.refreshes) <= 3
    assert loader.refreshes[1] is True
    ended(reloader)


def test_a_stop_waits_for_no_load_and_publishes_nothing_more() -> None:
    begun, go_on = threading.Event(), threading.Event()
    published: list[Models] = []

    def slow() -> Refreshed:
        begun.set()
        assert go_on.wait(WAIT_SECONDS)
        return nothing()

    reloader = started(Scripted([slow]), published.append)
    reloader.wake(watcher.FILES_CHANGED)
    assert begun.wait(WAIT_SECONDS)
    reloader.stop()
    assert not reloader.wait(0)
    assert reloader.ask(WAIT_SECONDS) == watcher.STOPPING
    reloader.wake(watcher.RESCAN)
    go_on.set()
    assert reloader.wait(WAIT_SECONDS)
    assert len(published) == 1


def test_a_stop_before_the_start_and_twice() -> None:
    reloader = Reloader(Scripted(), lambda _: None)
    assert reloader.is_alive
    reloader.stop()
    assert reloader.wait(0)
    reloader = started(Scripted())
    ended(reloader)
    ended(reloader)


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
    reloader = Reloader(Scripted(), lambda _: None)
    reloader.first()
    reloader.start(tmp_path)
    assert watched.wait(WAIT_SECONDS)
    assert reloader.is_alive
    ended(reloader)
