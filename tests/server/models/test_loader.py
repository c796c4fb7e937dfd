"""What is loaded and why the rest is not, whatever a file or a step of loading brings about."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from modelfile.layout import MAX_VERSION
from server.errors import Fault, ModelError, NotLoaded, StartupError
from server.models import model as model_module
from server.models.disk import folder as folder_module
from server.models.disk.listing import list_models
from server.models.journal import Journal
from server.models.loader import Loader
from server.models.model import Model, load_model
from server.models.passes import Refreshed
from server.models.policy import read_policies
from tests.server.versions import publish

POLICIES = read_policies("latest 1", "", "", "")


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
    first = loader.first().models
    publish(tmp_path, 2)
    refreshed = loader.refresh(first, retry=False)
    assert numbers(refreshed) == [1]
    assert refreshed.models.errors["small"].keys() == {2}
    (problem,) = refreshed.problems
    assert problem == refreshed.models.errors["small"][2]
    # It stays a problem, but is not tried again by itself.
    again = loader.refresh(refreshed.models, retry=False)
    assert (numbers(again), again.problems, again.tried) == ([1], [problem], 0)
    assert loader.refresh(again.models, retry=True).tried == 1
    publish(tmp_path, 3)
    good = loader.refresh(again.models, retry=False)
    assert (numbers(good), good.problems) == ([3], [])


def test_a_folder_that_can_not_be_looked_at_is_no_end(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    loader = loader_of(tmp_path, Fake())
    first = loader.first().models
    (tmp_path / "file").write_text("no model")
    (tmp_path / "loop").symlink_to("loop")
    looping = tmp_path / "small" / "2"
    looping.mkdir()
    (looping / "model.onnx").symlink_to("model.onnx")
    refreshed = loader.refresh(first, retry=False)
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
    assert numbers(loader.refresh(refreshed.models, retry=False)) == [1]
    os.utime(tmp_path / "small" / "2" / "model.onnx")
    assert numbers(loader.refresh(refreshed.models, retry=False)) == [2]
    other = loader_of(tmp_path, Fake(), Journal(crashed=crashed))
    assert numbers(other.refresh(other.first().models, retry=True)) == [2]


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
    with pytest.raises(StartupError, match="has the version 9223372036854775808, larger than"):
        loader_of(tmp_path, Fake()).first()


def test_versions_up_to_the_largest_can_be_named_in_settings() -> None:
    largest = str(MAX_VERSION)
    policies = read_policies(
        f"1, {largest}", f"a: stable {largest}", f"a: {largest} 1, stable 2", f"a: {largest} 5"
    )
    assert policies.policy("a").labels == {"stable": MAX_VERSION}
    assert policies.policy("b").choice.numbers == (1, MAX_VERSION)
    for text in (str(MAX_VERSION + 1), "1" * 30):
        with pytest.raises(StartupError, match="can't be used"):
            read_policies(text, "", "", "")
        with pytest.raises(StartupError, match="can't be used"):
            read_policies("", f"stable {text}", "", "")


STEPS = (
    *("size_of", "read_file", "read_model", "read_metadata", "read_layers", "open_session"),
    *("check", "warm_up"),
)
"""What loading a file calls, in this order."""


def raising(error: BaseException) -> Callable[..., Any]:
    def fail(*_arguments: object, **_named: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("error", [Fault("is bad", "graph"), OSError("x"), MemoryError()])
@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_fails_keeps_the_version_before(
    tmp_path: Path, step: str, error: Exception
) -> None:
    publish(tmp_path, 1)
    told: list[Any] = []
    loader = Loader(tmp_path, "", POLICIES, journal=Journal(told.append))
    first = loader.first().models
    publish(tmp_path, 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_module, step, raising(error))
        refreshed = loader.refresh(first, retry=False)
    assert numbers(refreshed) == [1]
    assert refreshed.models.by_name["small"].newest is first.by_name["small"].newest
    assert len(refreshed.problems) == 1
    # The parent knows that nothing is being loaded any more.
    assert told[-1] is None
    assert numbers(loader.refresh(refreshed.models, retry=True)) == [2]


@pytest.mark.parametrize("failing_call", [1, 2])
def test_a_journal_that_fails_keeps_the_version_before(tmp_path: Path, failing_call: int) -> None:
    publish(tmp_path, 1)
    told: list[Any] = []

    def tell(entry: object) -> None:
        told.append(entry)
        if len(told) == 2 + failing_call:
            raise OSError("the parent is gone")

    loader = loader_of(tmp_path, Fake(), Journal(tell))
    first = loader.first().models
    publish(tmp_path, 2)
    refreshed = loader.refresh(first, retry=False)
    assert numbers(refreshed) == [1]
    assert "the parent is gone" in refreshed.problems[0]
    assert numbers(loader.refresh(refreshed.models, retry=True)) == [2]


@pytest.mark.parametrize("kind", ["missing", "unreadable"])
def test_a_repository_that_can_not_be_scanned_changes_nothing(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = tmp_path / "models"
    publish(repository, 1)
    loader = loader_of(repository, Fake())
    first = loader.first()
    with monkeypatch.context() as patch:
        if kind == "missing":
            repository.rename(tmp_path / "elsewhere")
        else:
            patch.setattr(Path, "iterdir", raising(PermissionError(13, "Permission denied")))
        with pytest.raises(StartupError, match=str(repository)):
            loader.refresh(first.models, retry=False)
        with pytest.raises(StartupError, match=str(repository)):
            loader_of(repository, Fake()).first()
    if kind == "missing":
        (tmp_path / "elsewhere").rename(repository)
    again = loader.refresh(first.models, retry=False)
    assert (numbers(again), again.tried) == ([1], 0)


def test_a_version_that_vanishes_while_it_is_looked_at_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in (1, 2):
        publish(tmp_path, version)
    listing = list_models(tmp_path)
    shutil.rmtree(tmp_path / "small" / "2")
    monkeypatch.setattr(folder_module, "list_models", lambda _repository: listing)
    load = Fake()
    refreshed = loader_of(tmp_path, load).first()
    assert (numbers(refreshed), load.tried, refreshed.problems) == ([1], [1], [])


def test_a_file_that_changes_while_it_is_loaded_is_loaded_again(tmp_path: Path) -> None:
    file = publish(tmp_path, 1)

    def load(path: Path, name: str, version: int) -> Model:
        model = load_model(path, name, version)
        os.utime(file, (1, 1))
        return model

    loader = Loader(tmp_path, "", POLICIES, load)
    first = loader.first().models
    assert loader.refresh(first, retry=False).tried == 1


def test_the_newest_are_tried_first_and_the_journal_says_which(tmp_path: Path) -> None:
    for version in range(1, 6):
        publish(tmp_path, version)
    events: list[Any] = []

    def load(path: Path, name: str, version: int) -> Model:
        events.append(version)
        if version == 4:
            raise ModelError("bad", "format")
        return load_model(path, name, version)

    policies = read_policies("latest 2", "stable 1", "", "")
    loader = Loader(tmp_path, "", policies, load, Journal(lambda entry: events.append(entry)))
    assert numbers(loader.first()) == [1, 3, 5]
    tried = [event for event in events if isinstance(event, int)]
    assert tried == [5, 4, 3, 1]
    assert [entry and entry[1] for entry in events if not isinstance(entry, int)] == [
        *(5, None, 4, None, 3, None, 1, None)
    ]
    assert events.index(5) == 1


def test_what_was_never_served_is_loaded_again(tmp_path: Path) -> None:
    """As when a stop, or an error, has come between the load and the swap."""
    publish(tmp_path, 1)
    load = Fake()
    loader = loader_of(tmp_path, load)
    first = loader.first().models
    publish(tmp_path, 2)
    for _ in range(2):
        assert numbers(loader.refresh(first, retry=False)) == [2]
    assert load.tried == [1, 2, 2]


def test_weights_that_are_not_those_promised_are_better_than_none(tmp_path: Path) -> None:
    file = publish(tmp_path, 1)
    whole = file.read_bytes()
    file.write_bytes(whole.replace(hash_of(whole), b"0" * 64))
    loader = loader_of(tmp_path, Fake())
    first = loader.first()
    assert (numbers(first), first.problems) == ([1], [])
    assert "its metadata says 0000" in first.models.errors["small"][1]
    file.write_bytes(whole)
    second = loader.refresh(first.models, retry=False)
    assert (numbers(second), second.models.errors) == ([1], {})


def test_the_default_stays_when_other_models_appear(tmp_path: Path) -> None:
    publish(tmp_path, 1, "only")
    loader = loader_of(tmp_path, Fake())
    first = loader.first().models
    publish(tmp_path, 1, "digits")
    models = loader.refresh(first, retry=False).models
    assert (models.default, sorted(models.by_name)) == ("only", ["digits", "only"])
    shutil.rmtree(tmp_path / "only")
    after = loader.refresh(models, retry=True)
    assert (after.models.default, {*after.models.by_name}) == ("only", {"digits"})
    with pytest.raises(NotLoaded, match="named, and the default 'only' is not loaded; name one of"):
        after.models.find("", 0)


def names(refreshed: Refreshed) -> dict[str, list[int]]:
    return {name: [*its.by_number] for name, its in refreshed.models.by_name.items()}


def test_one_model_is_looked_at_and_the_others_stay(tmp_path: Path) -> None:
    publish(tmp_path, 1, "a")
    file = publish(tmp_path, 1, "b")
    load = Fake()
    loader = Loader(tmp_path, "a", POLICIES, load)
    first = loader.first().models
    publish(tmp_path, 2, "a")
    publish(tmp_path, 2, "b")
    (tmp_path / "c" / "1").mkdir(parents=True)
    shutil.copy(file, tmp_path / "c" / "1" / file.name)
    loaded = loader.load(first, "b")
    assert names(loaded) == {"a": [1], "b": [2]}
    assert loaded.models.by_name["a"] is first.by_name["a"]
    assert (loaded.problems, loaded.tried) == ([], 1)
    assert names(loader.load(loaded.models, "c")) == {"a": [1], "b": [2], "c": [1]}


def test_what_is_wrong_with_others_stays_known(tmp_path: Path) -> None:
    publish(tmp_path, 1, "a")
    publish(tmp_path, 2, "b")
    load = Fake({2: ModelError("bad", "format")})
    loader = Loader(tmp_path, "a", POLICIES, load)
    first = loader.first().models
    assert first.errors.keys() == {"b"}
    loaded = loader.load(first, "a").models
    assert loaded.errors == first.errors
    load.tried.clear()
    again = loader.refresh(loaded, retry=False)
    assert again.models.errors == first.errors
    assert load.tried == [], "a file that has failed is tried once"
    failed = loader.load(again.models, "b")
    assert (len(failed.problems), failed.tried, load.tried) == (1, 1, [2])
    load.errors.clear()
    good = loader.load(failed.models, "b")
    assert (names(good), good.problems, good.models.errors) == ({"a": [1], "b": [2]}, [], {})


def test_a_model_that_is_unloaded_stays_so_until_it_is_loaded(tmp_path: Path) -> None:
    for version in (1, 2):
        publish(tmp_path, version, "a")
    publish(tmp_path, 1, "b")
    loader = Loader(tmp_path, "a", POLICIES, Fake())
    gone = loader.unload(loader.first().models, "a").models
    for models in (gone, loader.refresh(gone, retry=True).models, loader.load(gone, "b").models):
        assert models.by_name.keys() == {"b"}
        assert models.unloaded == {"a": [1, 2]}
        assert models.default == "a"
        with pytest.raises(NotLoaded, match="model 'a' is unloaded; load it with") as failed:
            models.find("", 0)
        assert failed.value.reason == "model_unloaded"
    assert loader.unload(gone, "b").models.by_name == {}
    back = loader.load(loader.unload(gone, "b").models, "a").models
    assert {*back.by_name} == {"a"}
    assert back.unloaded == {"b": [1]}


def test_errors_of_a_model_that_is_unloaded_are_forgotten(tmp_path: Path) -> None:
    publish(tmp_path, 1, "a")
    publish(tmp_path, 2, "b")
    loader = Loader(tmp_path, "a", POLICIES, Fake({2: ModelError("bad", "format")}))
    gone = loader.unload(loader.first().models, "b")
    assert (gone.models.errors, gone.problems, gone.models.unloaded) == ({}, [], {"b": [2]})


def test_a_model_can_be_unloaded_without_its_repository(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    publish(folder, 1, "a")
    loader = Loader(folder, "a", POLICIES, Fake())
    first = loader.first().models
    folder.rename(tmp_path / "elsewhere")
    gone = loader.unload(first, "a").models
    assert (gone.by_name, gone.unloaded) == ({}, {"a": ()})
    with pytest.raises(StartupError, match="is not a folder"):
        loader.load(gone, "a")


def test_a_name_that_is_not_in_the_repository(tmp_path: Path) -> None:
    publish(tmp_path, 1, "a")
    loader = Loader(tmp_path, "a", POLICIES, Fake())
    with pytest.raises(NotLoaded, match=r"no '\.\./a' in the repository; it holds: a") as failed:
        loader.load(loader.first().models, "../a")
    assert failed.value.known == {"models": "a"}


def test_versions_that_the_settings_do_not_want_are_no_success(tmp_path: Path) -> None:
    publish(tmp_path, 1, "a")
    publish(tmp_path, 1, "b")
    policies = read_policies("latest 1; b: 7", "", "", "")
    loader = Loader(tmp_path, "a", policies, Fake())
    loaded = loader.load(loader.first().models, "b")
    (problem,) = loaded.problems
    assert "--versions: b should have 7, but the repository" in problem


def test_a_new_worker_serves_what_the_others_do(tmp_path: Path) -> None:
    publish(tmp_path, 1, "a")
    publish(tmp_path, 2, "b")
    for unloaded, left in ({"a"}, {"b"}), ({"a", "b"}, set()), ({"elsewhere"}, {"a", "b"}):
        loader = Loader(tmp_path, "a", POLICIES, Fake(), unloaded=unloaded)
        first = loader.first().models
        assert ({*first.by_name}, {*first.unloaded}) == (left, unloaded)
        assert first.default == "a"
    loader = Loader(tmp_path, "", POLICIES, Fake({2: ModelError("bad", "format")}), unloaded={"a"})
    with pytest.raises(ModelError, match="bad"):
        loader.first()
