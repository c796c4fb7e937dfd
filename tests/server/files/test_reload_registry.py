"""Parts are read again on request and files when they change, whatever goes wrong with others."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from harness.waiting import wait_for
from server.errors import StartupError
from server.files import reload_registry
from server.files.outcomes import Outcome
from server.files.reload_registry import ReloadRegistry
from server.files.watched_files import WatchedFiles
from server.telemetry import metrics

WAIT_SECONDS = 60


class FakeFiles:
    """Files that raise what they are told to; `looks` is released by each look at them."""

    def __init__(self, part: str, error: Exception | None = None) -> None:
        self.part, self.error = part, error
        self.looks = threading.Semaphore(0)
        self.reloads = 0

    def refresh(self) -> None:
        self.looks.release()
        self._raise()

    def reload(self) -> None:
        self.reloads += 1
        self._raise()

    def _raise(self) -> None:
        if self.error is not None:
            raise self.error


@pytest.fixture(autouse=True)
def _own_metrics(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(reload_registry, "WATCH_SECONDS", 0.001)
    yield
    for part in ("first", "second", "third", "slow", "files"):
        with contextlib.suppress(KeyError):
            metrics.LAST_RELOAD_SUCCESSFUL.remove(part)


def registry_of(*files: Any) -> ReloadRegistry:
    registry = ReloadRegistry()
    for its in files:
        registry.watch(its)
    return registry


def test_every_part_is_read_again_whatever_becomes_of_the_others() -> None:
    first = FakeFiles("first", StartupError("line 3 is wrong"))
    second = FakeFiles("second", RuntimeError("nobody knows why"))
    third = FakeFiles("third")
    registry = registry_of(first, second, third)
    registry.follow("models", lambda seconds: f"not within {seconds:g} s")
    with capture_logs() as logged:
        outcomes = registry.run(seconds=2)
    assert outcomes == [
        Outcome("first", "line 3 is wrong"),
        Outcome("second", "internal error; the server's log has the reason"),
        Outcome("third", ""),
        Outcome("models", "not within 2 s"),
    ]
    assert [line["event"] for line in logged] == [
        "reload failed, the previous content stays in use",
        "reload failed",
        "reload failed, the previous content stays in use",
        "reloaded",
    ]
    assert [its.reloads for its in (first, second, third)] == [1, 1, 1]


def test_without_files_nothing_watches() -> None:
    registry = registry_of()
    registry.start()
    assert registry.is_alive
    registry.stop()
    assert registry.run() == []


def test_the_watch_survives_errors_and_ends_with_a_stop() -> None:
    broken, well = FakeFiles("first", RuntimeError("nobody knows why")), FakeFiles("second")
    registry = registry_of(broken, well)
    registry.start()
    for _ in range(3):
        assert broken.looks.acquire(timeout=WAIT_SECONDS)
        assert well.looks.acquire(timeout=WAIT_SECONDS)
    assert registry.is_alive
    registry.stop()
    wait_for(lambda: not registry.is_alive)


def test_a_stop_waits_for_no_file_that_is_being_read() -> None:
    reading, may_end = threading.Event(), threading.Event()

    class Slow(FakeFiles):
        def refresh(self) -> None:
            reading.set()
            assert may_end.wait(WAIT_SECONDS)

    registry = registry_of(Slow("slow"))
    registry.start()
    assert reading.wait(WAIT_SECONDS)
    registry.stop()
    assert registry.is_alive
    may_end.set()
    wait_for(lambda: not registry.is_alive)


def test_a_change_is_noticed_and_an_invalid_one_keeps_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("first")
    told: list[str] = []
    was_told = threading.Semaphore(0)

    def read() -> str:
        if path.read_text() == "invalid":
            raise StartupError("it is invalid")
        return path.read_text()

    def tell(content: str) -> None:
        told.append(content)
        was_told.release()

    def replace(content: str) -> None:
        (tmp_path / "new").write_text(content)
        (tmp_path / "new").replace(path)

    registry = registry_of(files := WatchedFiles("files", (path,), read, tell))
    with capture_logs() as logged:
        registry.start()
        replace("invalid")
        wait_for(lambda: bool(logged))
        assert files.content == "first"
        replace("a valid one")
        for _ in range(2):
            assert was_told.acquire(timeout=WAIT_SECONDS)
        wait_for(lambda: len(logged) == 2)
    assert told == ["first", "a valid one"]
    assert [line["event"] for line in logged] == [
        "reload failed, the previous content stays in use",
        "reloaded",
    ]
    registry.stop()
    wait_for(lambda: not registry.is_alive)
