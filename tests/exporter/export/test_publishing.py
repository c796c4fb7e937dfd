"""Versions appear whole or not at all, whoever dies or publishes at the same time."""

import signal
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from exporter.export import graph, publishing
from harness.networks import random_network
from harness.server_process import ROOT

MODEL = graph.build(random_network((4, 3, 2)))
CONTENT = MODEL.SerializeToString(deterministic=True)

# Kills its own process at the n-th time that something is being written to the disk for good.
KILLED = """
import os, signal, sys
from pathlib import Path
from exporter.export import publishing
from tests.exporter.export.test_publishing import MODEL
count, real = 0, os.fsync
def fsync(descriptor):
    global count
    count += 1
    if count == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    real(descriptor)
os.fsync = fsync
publishing.publish(MODEL, Path(sys.argv[1]), "digits")
"""

CROWD = """
import sys
from pathlib import Path
from exporter.export import publishing
from tests.exporter.export.test_publishing import MODEL
for _ in range(8):
    print(publishing.publish(MODEL, Path(sys.argv[1]), "digits"), flush=True)
"""


def python(script: str, *arguments: str) -> list[str]:
    return [sys.executable, "-W", "error", "-c", script, *arguments]


def versions(repository: Path) -> list[str]:
    """The names in the model's folder that a reader doesn't pass over."""
    folder = repository / "digits"
    entries = folder.iterdir() if folder.exists() else ()
    return sorted((entry.name for entry in entries if not entry.name.startswith(".")), key=int)


def test_picks_the_next_version(tmp_path: Path) -> None:
    repository = tmp_path / "a" / "models"
    assert publishing.publish(MODEL, repository, "digits") == repository / "digits/1/model.onnx"
    assert publishing.publish(MODEL, repository, "digits", 9) == repository / "digits/9/model.onnx"
    assert publishing.publish(MODEL, repository, "digits") == repository / "digits/10/model.onnx"
    assert publishing.publish(MODEL, repository, "letters") == repository / "letters/1/model.onnx"
    assert (repository / "digits/10/model.onnx").read_bytes() == CONTENT
    assert len(list(repository.rglob("*"))) == 10, "nothing else is left"


def test_an_empty_folder_is_a_version_too(tmp_path: Path) -> None:
    (tmp_path / "digits" / "3").mkdir(parents=True)
    (tmp_path / "digits" / "notes").mkdir()
    assert publishing.publish(MODEL, tmp_path, "digits").parent.name == "4"
    with pytest.raises(publishing.RepositoryError, match="digits/3 exists already"):
        publishing.publish(MODEL, tmp_path, "digits", 3)


def test_a_version_never_changes(tmp_path: Path) -> None:
    path = publishing.publish(MODEL, tmp_path, "digits", 2)
    other = graph.build(random_network((4, 3, 2), seed=1))
    message = "digits/2 exists already, .* leave --version out to publish version 3"
    with pytest.raises(publishing.RepositoryError, match=message):
        publishing.publish(other, tmp_path, "digits", 2)
    assert path.read_bytes() == CONTENT
    assert [entry.name for entry in (tmp_path / "digits").iterdir()] == ["2"]


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".digits", "a/b", "../a", "-a", "a b", "zahl√", "a\n"]
)
def test_name_that_is_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        publishing.RepositoryError, match=r"name: .* is not a model name; use letters"
    ):
        publishing.publish(MODEL, tmp_path, name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("version", [0, -1])
def test_version_that_is_none(tmp_path: Path, version: int) -> None:
    with pytest.raises(publishing.RepositoryError, match=f"version: {version} is not a version"):
        publishing.publish(MODEL, tmp_path, "digits", version)


def test_failure_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "digits").write_text("a file in the way")
    with pytest.raises(FileExistsError):
        publishing.publish(MODEL, tmp_path, "digits")
    # Too long to fit beside the temporary name: the rename fails after all has been written.
    with pytest.raises(OSError, match="File name too long"):
        publishing.publish(MODEL, tmp_path, "letters", 10**300)
    assert list((tmp_path / "letters").iterdir()) == []


@pytest.mark.parametrize(
    ("place", "published"),
    [(1, []), (2, []), (3, ["1"]), (4, ["1"])],
    ids=["file written", "folder written", "renamed", "model's folder written"],
)
def test_killed_while_publishing(tmp_path: Path, place: int, published: list[str]) -> None:
    ended = subprocess.run(python(KILLED, str(tmp_path), str(place)), cwd=ROOT, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    assert versions(tmp_path) == published
    for version in published:
        assert (tmp_path / "digits" / version / "model.onnx").read_bytes() == CONTENT
    next_version = publishing.publish(MODEL, tmp_path, "digits").parent.name
    assert next_version == str(len(published) + 1)


def test_several_publish_at_once_while_one_reads(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(python(CROWD, str(tmp_path)), cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    seen = 0
    while any(process.poll() is None for process in processes):
        found = versions(tmp_path)
        for version in found:
            assert (tmp_path / "digits" / version / "model.onnx").read_bytes() == CONTENT
        seen = max(seen, len(found))
    printed = [process.communicate()[0].splitlines() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    wanted = [str(tmp_path / "digits" / str(version) / "model.onnx") for version in range(1, 25)]
    assert sorted(line for lines in printed for line in lines) == sorted(wanted)
    assert seen > 1, "the reader looked while they were publishing"
    assert len(list((tmp_path / "digits").iterdir())) == 24


def test_files_can_be_read_by_others(tmp_path: Path) -> None:
    path = publishing.publish(MODEL, tmp_path, "digits")
    probe = tmp_path / "probe"
    probe.touch()
    assert path.stat().st_mode == probe.stat().st_mode, "as the umask says, not for the owner only"


def test_find_model(tmp_path: Path) -> None:
    for _ in range(10):
        newest = publishing.publish(MODEL, tmp_path, "digits")
    (tmp_path / "digits" / "11").mkdir()
    assert publishing.find_model(tmp_path / "digits") == newest
    assert publishing.find_model(tmp_path / "digits" / "2") == tmp_path / "digits/2/model.onnx"
    assert publishing.find_model(newest) == newest
    assert onnx.load(newest) == MODEL
    with pytest.raises(
        publishing.RepositoryError, match=r"holds no model: neither model\.onnx nor"
    ):
        publishing.find_model(tmp_path)


def test_windows_which_opens_no_folders_gets_versions_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, _flags: int) -> int:
        raise PermissionError(path)

    monkeypatch.setattr(sys, "platform", "win32")
    with monkeypatch.context() as patched:
        patched.setattr("exporter.files.os.open", refuse)
        published = publishing.publish(MODEL, tmp_path, "digits")
    assert published.read_bytes() == CONTENT
