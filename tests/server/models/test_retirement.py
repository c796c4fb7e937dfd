"""Models and versions whose folders are gone are unloaded, and nothing is by accident."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from exporter.export import graph
from harness.networks import random_network
from server.errors import NotLoaded, StartupError
from server.models.disk.folder import RETIRE_SECONDS
from server.models.loader import Loader
from server.models.onnx.file import stamp_of
from server.models.passes import Refreshed
from server.models.policy import Policies, read_policies
from tests.server.versions import publish

LATEST = read_policies("latest 1", "", "", "")


@dataclass(slots=True)
class Repository:
    """A repository, its loader, what that has loaded, and the loader's clock."""

    folder: Path
    policies: Policies = LATEST
    default: str = ""
    is_successor: bool = False
    now: float = 100.0
    loader: Loader = field(init=False)
    refreshed: Refreshed = field(init=False)

    def start(self) -> "Repository":
        self.loader = Loader(
            self.folder,
            self.default,
            self.policies,
            is_successor=self.is_successor,
            clock=lambda: self.now,
        )
        self.refreshed = self.loader.first()
        return self

    def look(self, seconds: float = 0.0, *, retry: bool = False) -> "Repository":
        self.now += seconds
        self.refreshed = self.loader.refresh(self.refreshed.models, retry=retry)
        return self

    @property
    def loaded(self) -> dict[str, list[int]]:
        by_name = self.refreshed.models.by_name
        return {name: [*versions.by_number] for name, versions in by_name.items()}

    def remove(self, name: str, version: int | None = None) -> None:
        shutil.rmtree(self.folder / name / (str(version) if version else ""))


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Models a and b, of which a has two versions."""
    folder = tmp_path / "models"
    for name, version in (("a", 1), ("a", 2), ("b", 1)):
        publish(folder, version, name)
    return Repository(folder)


def remove_versions(model: Path) -> None:
    for version in model.iterdir():
        shutil.rmtree(version)


def remove_files(model: Path) -> None:
    for version in model.iterdir():
        (version / "model.onnx").unlink()


def put_a_file_in_its_place(model: Path) -> None:
    shutil.rmtree(model)
    model.write_bytes(b"")


GONE: dict[str, Callable[[Path], object]] = {
    "the model's folder": shutil.rmtree,
    "its versions": remove_versions,
    "its files": remove_files,
    "moved away": lambda model: model.rename(model.parent.parent / "away"),
    "hidden": lambda model: model.rename(model.with_name(".a")),
    "a file in its place": put_a_file_in_its_place,
}


@pytest.mark.parametrize("how", GONE)
def test_a_model_that_is_gone_at_two_looks_is_retired(repository: Repository, how: str) -> None:
    repository.start()
    before = repository.refreshed.models.by_name["a"].newest
    GONE[how](repository.folder / "a")
    assert repository.look().loaded == {"a": [2], "b": [1]}
    assert (repository.refreshed.problems, repository.refreshed.has_absent) == ([], True)
    repository.look(RETIRE_SECONDS / 2)
    assert repository.refreshed.models.by_name["a"].newest is before
    with capture_logs() as lines:
        repository.look(RETIRE_SECONDS / 2)
    assert [(line["event"], line["model"]) for line in lines if "model" in line] == [
        ("model retired", "a")
    ]
    assert (repository.loaded, repository.refreshed.problems) == ({"b": [1]}, [])
    refreshed = repository.refreshed
    assert not refreshed.has_absent
    models = refreshed.models
    assert (models.errors, models.unserved, models.unloaded) == ({}, {}, {})
    with pytest.raises(NotLoaded, match="model 'a' is not loaded; name one of: b"):
        models.find("a", 0)
    with capture_logs() as lines:
        repository.look(RETIRE_SECONDS)
    assert lines == []
    if (repository.folder / "a").is_file():
        (repository.folder / "a").unlink()
    publish(repository.folder, 3, "a")
    assert repository.look().loaded == {"a": [3], "b": [1]}


def test_what_is_asked_for_is_done_at_once(repository: Repository) -> None:
    repository.start().remove("a")
    repository.look(retry=True)
    assert (repository.loaded, repository.refreshed.has_absent) == ({"b": [1]}, False)


def test_a_version_that_is_gone_gives_way_to_the_one_before(repository: Repository) -> None:
    repository.start().remove("a", 2)
    assert repository.look().loaded == {"a": [2], "b": [1]}
    assert repository.look(RETIRE_SECONDS).loaded == {"a": [1], "b": [1]}


def test_a_file_that_is_replaced_by_hand_is_never_missing(repository: Repository) -> None:
    repository.start()
    before = repository.refreshed.models.by_name["a"].newest
    version = repository.folder / "a" / "2"
    content = (version / "model.onnx").read_bytes()
    shutil.rmtree(version)
    repository.look()
    version.mkdir()
    repository.look(RETIRE_SECONDS - 0.1)
    # Half of it is not a model, but one that comes: what is loaded stays for that.
    (version / "model.onnx").write_bytes(content[:100])
    assert repository.look(RETIRE_SECONDS).refreshed.models.by_name["a"].newest is before
    (version / "model.onnx").write_bytes(content)
    assert repository.look().loaded == {"a": [2], "b": [1]}
    # The time counts anew.
    shutil.rmtree(version)
    assert repository.look(RETIRE_SECONDS).loaded == {"a": [2], "b": [1]}


def test_what_is_gone_stays_while_its_successor_is_bad(repository: Repository) -> None:
    repository.start().remove("a")
    bad = repository.folder / "a" / "3"
    bad.mkdir(parents=True)
    (bad / "model.onnx").write_bytes(b"no model")
    for _ in range(3):
        repository.look(RETIRE_SECONDS)
        assert repository.loaded == {"a": [2], "b": [1]}
    assert "model.onnx is gone; the version stays loaded, since nothing else of a can be" in str(
        repository.refreshed.problems
    )
    # The time counts from the last change, lest there be none while the successor is replaced.
    repository.remove("a")
    assert repository.look().loaded == {"a": [2], "b": [1]}
    assert repository.look(RETIRE_SECONDS).loaded == {"b": [1]}


def test_versions_that_are_not_wanted_keep_nothing_alive(repository: Repository) -> None:
    repository.policies = read_policies("2; b: latest 1", "", "", "")
    repository.start().remove("a", 2)
    assert repository.look().loaded == {"a": [2], "b": [1]}
    assert repository.look(RETIRE_SECONDS).loaded == {"b": [1]}
    assert list(repository.refreshed.models.unserved) == ["a"]


def test_settings_that_name_what_is_gone_are_told_once(repository: Repository) -> None:
    repository.policies = read_policies(
        "latest 2", "a: old 1, new 2", "a: old 1, new 1", "a: old 50"
    )
    repository.start()
    repository.remove("a", 1)
    with capture_logs() as lines:
        repository.look(retry=True)
    told = [line["message"] for line in lines if line["event"] == "repository problem"]
    assert [message.split(":")[0] for message in told] == ["--labels", "--shadow", "--traffic"]
    versions = repository.refreshed.models.by_name["a"]
    assert ({*versions.by_label}, versions.shadowing) == ({"new"}, None)
    assert versions.split is not None
    assert {model.version for model in versions.split.models} == {2}
    repository.remove("a")
    with capture_logs() as lines:
        repository.look(retry=True)
    told = [line["message"] for line in lines if line["event"] == "repository problem"]
    assert told == ["the settings name the model 'a', which is not loaded"]
    models = repository.refreshed.models
    assert not models.are_shadowed
    assert not models.are_spread


@pytest.mark.parametrize("how", ["missing", "unmounted", "unreadable"])
def test_a_repository_that_is_gone_retires_nothing(
    repository: Repository, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.start()
    away = repository.folder.with_name("away")
    with monkeypatch.context() as patch:
        if how == "unreadable":
            patch.setattr(Path, "iterdir", no_permission)
        else:
            repository.folder.rename(away)
        if how == "unmounted":
            repository.folder.mkdir()
        for retry in (False, True, False):
            with pytest.raises(StartupError, match=str(repository.folder)):
                repository.look(RETIRE_SECONDS, retry=retry)
    if how == "unmounted":
        repository.folder.rmdir()
    if how != "unreadable":
        away.rename(repository.folder)
    assert repository.look(RETIRE_SECONDS).loaded == {"a": [2], "b": [1]}
    assert not repository.refreshed.has_absent


def no_permission(_path: Path) -> None:
    raise PermissionError(13, "Permission denied")


def test_another_folder_with_models_is_the_repository(repository: Repository) -> None:
    """As when a link is switched to a new copy."""
    repository.start()
    repository.folder.rename(repository.folder.with_name("away"))
    publish(repository.folder, 7, "c")
    assert repository.look().loaded == {"a": [2], "b": [1], "c": [7]}
    assert repository.look(RETIRE_SECONDS).loaded == {"c": [7]}
    repository.remove("c")
    assert repository.look(retry=True).loaded == {}


def test_a_model_whose_folder_can_not_be_read_stays(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.start()
    listed = Path.iterdir
    with monkeypatch.context() as patch:
        patch.setattr(
            Path, "iterdir", lambda path: no_permission(path) if path.name == "a" else listed(path)
        )
        for retry in (False, True, False):
            assert repository.look(RETIRE_SECONDS, retry=retry).loaded == {"a": [2], "b": [1]}
        (problem,) = repository.refreshed.problems
        assert problem.endswith(f"{repository.folder / 'a'} can't be read: Permission denied")
    assert repository.look(RETIRE_SECONDS).loaded == {"a": [2], "b": [1]}
    assert repository.refreshed.problems == []


def test_nothing_is_left_when_all_is_removed(repository: Repository) -> None:
    repository.start()
    for name in ("a", "b"):
        repository.remove(name)
    repository.look()
    assert repository.look(RETIRE_SECONDS).loaded == {}
    with pytest.raises(NotLoaded, match="there is no default; no other is loaded"):
        repository.refreshed.models.find("", 0)
    # A worker that comes later waits for a model, since it can't tell why there is none.
    with pytest.raises(StartupError, match="holds no model"):
        Repository(repository.folder, is_successor=True).start()
    publish(repository.folder, 1, "b")
    assert repository.look().loaded == {"b": [1]}


def test_the_default_that_is_gone_is_the_default_when_it_comes_back(
    repository: Repository,
) -> None:
    repository.default = "a"
    repository.start().remove("a")
    repository.look(retry=True)
    with pytest.raises(NotLoaded, match="named, and the default 'a' is not loaded; name one of: b"):
        repository.refreshed.models.find("", 0)
    publish(repository.folder, 5, "a")
    assert repository.look().refreshed.models.find("", 0).version == 5


@pytest.mark.parametrize("default", ["a", ""])
def test_a_new_worker_serves_what_the_others_do(repository: Repository, default: str) -> None:
    """With a default model that is gone, or, without one, with the only model that is left."""
    repository.default = default
    repository.start().remove("a")
    repository.look(retry=True)
    later = Repository(repository.folder, default=default, is_successor=True).start()
    assert later.loaded == repository.loaded == {"b": [1]}
    assert (
        later.refreshed.models.default == repository.refreshed.models.default == (default or None)
    )
    publish(repository.folder, 1, "a")
    for each in (repository, later):
        each.look()
        assert each.loaded == {"a": [1], "b": [1]}
    assert later.refreshed.models.default == repository.refreshed.models.default
    # The first ones insist on what the settings ask for.
    repository.remove("a")
    if default:
        with pytest.raises(StartupError, match="the default model 'a' is not in"):
            Repository(repository.folder, default=default).start()


def test_a_version_that_goes_while_it_is_looked_at_waits_as_well(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.start()

    def vanish(path: Path) -> tuple[int, ...]:
        if path.parent.parent.name == "a":
            raise FileNotFoundError(path)
        return stamp_of(path)

    with monkeypatch.context() as patch:
        patch.setattr("server.models.loader.stamp_of", vanish)
        assert repository.look().loaded == {"a": [2], "b": [1]}


def test_a_version_that_is_loaded_by_hand_is_found(tmp_path: Path) -> None:
    """A file that is written in place is loaded once it is whole."""
    repository = Repository(tmp_path)
    publish(tmp_path, 1, "b")
    repository.start()
    (tmp_path / "a" / "1").mkdir(parents=True)
    assert repository.look().loaded == {"b": [1]}
    content = graph.build(random_network((4, 5, 3), seed=1)).SerializeToString()
    (tmp_path / "a" / "1" / "model.onnx").write_bytes(content)
    os.utime(tmp_path / "a" / "1" / "model.onnx")
    assert repository.look().loaded == {"a": [1], "b": [1]}
