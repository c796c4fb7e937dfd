"""A folder stands for its pictures, in order, whatever else there is in it."""

import json
import os
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mlpserve.command.predict.folders import find_pictures
from tests.mlpserve.command.test_cli import run
from tests.mlpserve.serving import Serving


def save(path: Path, digit: int) -> Path:
    """Write a picture that the server of these tests takes for a digit."""
    levels = np.zeros((28, 28), np.uint8)
    levels[0, digit] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(levels).save(path)
    return path


def found(folder: Path, max_names: int = 100) -> list[str]:
    pictures = find_pictures(str(folder), Counter(), max_names)
    return [os.path.relpath(str(picture), folder) for picture in pictures]


def test_pictures_of_subfolders_come_in_their_place(tmp_path: Path, serving: Serving) -> None:
    for digit, name in enumerate(("10.png", "2.PNG", "b/1.png", "b/c/0.jpeg", "b/d.bmp", "c.tif")):
        save(tmp_path / name, digit)
    result = run(tmp_path, "--json", "--address", serving.address)
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [os.path.relpath(row["image"], tmp_path) for row in rows] == [
        *("10.png", "2.PNG", "b/1.png", "b/c/0.jpeg", "b/d.bmp", "c.tif")
    ]
    assert [row["label"] for row in rows] == list(range(6))
    assert (result.stderr, result.exit_code) == ("", 0)


def test_a_line_each_and_no_drawing(tmp_path: Path, serving: Serving) -> None:
    for digit in (3, 4):
        save(tmp_path / f"{digit}.png", digit)
    result = run(tmp_path, "--address", serving.address)
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == [
        str(tmp_path / "3.png"),
        str(tmp_path / "4.png"),
    ]


@pytest.mark.parametrize("max_names", [1, 2, 3, 100])
def test_large_folders_are_listed_in_lots(tmp_path: Path, max_names: int) -> None:
    names = ["a.png", "b/x.png", "b/y.png", "b/z.png", "c.png", "d.png", "e/f.png"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert found(tmp_path, max_names) == names


@given(names=st.sets(st.text("ab.", min_size=1, max_size=4)), max_names=st.integers(1, 9))
def test_any_names(
    tmp_path_factory: pytest.TempPathFactory, names: set[str], max_names: int
) -> None:
    folder = tmp_path_factory.mktemp("names")
    for name in names:
        (folder / f"{name}.png").touch()
    wanted = sorted(f"{name}.png" for name in names if not name.startswith("."))
    assert found(folder, max_names) == wanted


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    for name in (".7.png", ".thumbnails/7.png", "7.png"):
        save(tmp_path / name, 7)
    assert found(tmp_path) == ["7.png"]


def test_links(tmp_path: Path) -> None:
    real = save(tmp_path / "real" / "7.png", 7)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file.png").symlink_to(real)
    (folder / "gone.png").symlink_to(tmp_path / "gone")
    (folder / "itself.png").symlink_to(folder / "itself.png")
    (folder / "itself").symlink_to(folder / "itself")
    (folder / "round").symlink_to(folder)
    (folder / "real").symlink_to(real.parent)
    (tmp_path / "link").symlink_to(folder)
    assert found(folder) == ["file.png", "gone.png", "itself.png"]
    # The one that is given may be a link.
    assert found(tmp_path / "link") == ["file.png", "gone.png", "itself.png"]


def test_links_that_lead_nowhere_are_named(tmp_path: Path, serving: Serving) -> None:
    save(tmp_path / "1.png", 1)
    (tmp_path / "2.png").symlink_to(tmp_path / "gone")
    (tmp_path / "3.png").symlink_to(tmp_path / "3.png")
    result = run(tmp_path, "--format", "json", "--address", serving.address)
    _, gone, itself = map(json.loads, result.stdout.splitlines())
    assert gone["error"] == "no such file or directory"
    assert itself["error"] == "too many levels of symbolic links"
    assert result.stderr.splitlines() == [
        f"Error: {tmp_path}/2.png: no such file or directory",
        f"Error: {tmp_path}/3.png: too many levels of symbolic links",
    ]
    assert result.exit_code == 1


def test_other_files_are_counted(tmp_path: Path, serving: Serving) -> None:
    save(tmp_path / "1.png", 1)
    for name in ("labels.csv", "x.csv", "README", "sub/y.csv", "digits.npy", "a.b", "a.c", "a.d"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    result = run(tmp_path, "--json", "--address", serving.address)
    assert len(result.stdout.splitlines()) == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(
        f"Warning: {tmp_path}: skipped files whose names don't end like a picture's: .csv"
    )
    assert ".csv (3)" in line
    assert result.exit_code == 0


def test_many_endings_are_not_all_told(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"file.{number}").touch()
    passed_over: Counter[str] = Counter()
    assert not list(find_pictures(str(tmp_path), passed_over))
    assert passed_over.pop("others") == 45
    assert len(passed_over) == 5


@pytest.mark.parametrize("names", [[], ["notes.txt"], [".7.png"]])
def test_a_folder_without_pictures(
    tmp_path: Path, silent_address: str, serving: Serving, names: list[str]
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for name in names:
        (empty / name).touch()
    result = run(empty, "--format", "json", "--address", silent_address)
    (row,) = map(json.loads, result.stdout.splitlines())
    assert row["image"] == str(empty)
    assert row["error"].startswith("contains no pictures")
    assert ("only .txt (1)" in row["error"]) == (names == ["notes.txt"])
    assert result.exit_code == 1
    # Others have their answers.
    picture = save(tmp_path / "5.png", 5)
    result = run(empty, picture, "--json", "--address", serving.address)
    assert [json.loads(line)["label"] for line in result.stdout.splitlines()] == [5]
    assert result.exit_code == 1


def test_a_subfolder_that_can_not_be_listed(
    tmp_path: Path, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2, 3):
        save(tmp_path / str(number) / "x.png", number)
    list_folder = os.scandir

    def refuse(folder: str) -> object:
        if folder.endswith("2"):
            # As for anybody but root.
            raise PermissionError(13, "Permission denied", folder)
        return list_folder(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    result = run(tmp_path, "--format", "json", "--address", serving.address)
    first, second, third = map(json.loads, result.stdout.splitlines())
    assert (first["label"], third["label"]) == (1, 3)
    assert second == {"image": str(tmp_path / "2"), "error": "permission denied"}
    assert result.stderr == f"Error: {tmp_path}/2: permission denied\n"
    assert result.exit_code == 1


def test_deep_folders(tmp_path: Path) -> None:
    # Deeper than Python's stack; made a name at a time, since a path has a length.
    top, here = tmp_path / "top", Path.cwd()
    top.mkdir()
    try:
        os.chdir(top)
        for _ in range(1200):
            Path("d").mkdir()
            os.chdir("d")
        Path("7.png").touch()
        (picture,) = find_pictures(str(top), Counter())
        assert str(picture).endswith("d/7.png")
    finally:
        os.chdir(here)
        # Python's own way to remove it has a stack, too.
        subprocess.run(["rm", "-r", top], check=True)
