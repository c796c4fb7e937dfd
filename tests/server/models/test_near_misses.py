"""What is almost a model in the repository gets one line in the log that names the remedy."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from server.errors import StartupError
from server.models.disk.listing import MAX_MISSES, list_models
from server.models.loader import Loader
from server.models.policy import read_policies
from tests.server.versions import publish

MISSES = {
    "small/v2/model.onnx": "rename it to {small}/2",
    "small/02/model.onnx": "rename it to {small}/2",
    "small/v1/model.onnx": "rename it to {small}/2",
    "small/0/model.onnx": "rename it to {small}/2",
    "small/latest/model.onnx": "rename it to {small}/2",
    "small/1.5/model.onnx": "rename it to {small}/5",
    "small/ 3/model.onnx": "rename it to {small}/3",
    "small/v2/net.onnx": "move it to {small}/2/model.onnx",
    "small/2/net.onnx": "move it to {small}/2/model.onnx",
    "small/2/model.ONNX": "move it to {small}/2/model.onnx",
    "small/2/Model.onnx": "move it to {small}/2/model.onnx",
    "small/2/small/model.onnx": "{small}/2/small/model.onnx is not where versions belong; move it",
    "small/2/1/model.onnx": "move it to {small}/2/model.onnx",
    "small/2/model.pt": "holds model.pt and no model.onnx; export",
    "small/model.onnx": "move it to {small}/2/model.onnx",
    "small/net.ONNX": "move it to {small}/2/model.onnx",
    "small/7.onnx": "move it to {small}/7/model.onnx",
    "small/7": "move it to {small}/7/model.onnx",
    "model.onnx": "move it to {repository}/NAME/1/model.onnx",
    "digits.onnx": "move it to {repository}/digits/1/model.onnx",
    "digits.ONNX": "move it to {repository}/digits/1/model.onnx",
    "other/model.onnx": "move it to {repository}/other/1/model.onnx",
    "other/v1/model.onnx": "rename it to {repository}/other/1",
    "team/other/1/model.onnx": "move it to {repository}/other",
    "3/model.onnx": "or, if {repository}/3 is a version, give --repository",
}
"""Where a file stands beside models/small/1/model.onnx, and the remedy."""

QUIET = (
    "small/notes.txt",
    "small/README/notes.txt",
    "small/.tmp/model.onnx",
    ".git/1/model.onnx",
    "notes/notes.txt",
    "notes.txt",
    "small/1/more.onnx",
    "small/2/.model.onnx.part",
    "lost+found/1/x",
)
"""Files that nobody takes for a model."""


def messages(loader_step: Callable[[], object]) -> list[str]:
    with capture_logs() as lines:
        loader_step()
    return [line["message"] for line in lines if line["event"] == "repository problem"]


@pytest.mark.parametrize("miss", MISSES)
def test_a_near_miss_is_told_once_with_its_remedy(tmp_path: Path, miss: str) -> None:
    repository = tmp_path / "models"
    publish(repository, 1)
    path = repository / miss
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    loader = Loader(repository, "", read_policies("latest 1", "", "", ""))
    told = messages(loader.first)
    wanted = MISSES[miss].format(repository=repository, small=repository / "small")
    assert len(told) == 1
    assert wanted in told[0]
    models = loader.refresh(loader.first().models, retry=False).models
    assert [model.version for model in models] == [1]
    assert messages(lambda: loader.refresh(models, retry=False)) == []
    assert messages(lambda: loader.refresh(models, retry=True)) == []
    # Once it is gone and back, it is news again.
    path.rename(tmp_path / "away")
    assert messages(lambda: loader.refresh(models, retry=False)) == []
    (tmp_path / "away").rename(path)
    assert messages(lambda: loader.refresh(models, retry=False)) == told


@pytest.mark.parametrize("name", QUIET)
def test_other_files_are_passed_over_in_silence(tmp_path: Path, name: str) -> None:
    publish(tmp_path, 1)
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    (tmp_path / "empty").mkdir()
    (tmp_path / "small" / "9").mkdir()
    assert list_models(tmp_path).passed_over == []


def test_links_to_nothing_and_folders_that_can_not_be_read(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    (tmp_path / "away").symlink_to("nowhere")
    (tmp_path / "small" / "2").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    listing = list_models(tmp_path)
    assert {*listing.unreadable} == {"loop"}
    told = "\n".join(listing.passed_over)
    assert f"{tmp_path / 'away'} is a broken link" in told
    assert f"{tmp_path / 'small' / '2'} is a broken link" in told
    assert f"{tmp_path / 'loop'} can't be read: " in told


def test_a_repository_of_near_misses_alone_says_so_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "small" / "v1").mkdir(parents=True)
    (tmp_path / "small" / "v1" / "model.onnx").write_bytes(b"")
    loader = Loader(tmp_path, "", read_policies("latest 1", "", "", ""))
    with pytest.raises(StartupError, match=r"holds no model .* rename it to .*/small/1"):
        loader.first()


def test_many_near_misses_are_not_all_told(tmp_path: Path) -> None:
    for index in range(3 * MAX_MISSES):
        (tmp_path / f"{index}.onnx").write_bytes(b"")
    odd = os.fsdecode(b"\xff\n.onnx")
    (tmp_path / odd).write_bytes(b"")
    told = list_models(tmp_path).passed_over
    assert len(told) == MAX_MISSES
    for message in told:
        message.encode()
        assert message.isprintable()
