"""A server that reads the repository while a model is retired sees no older version take over."""

from pathlib import Path

import pytest

from exporter.export import publishing, retiring
from exporter.export.publishing import find_versions
from tests.exporter.export.test_publishing import MODEL


def test_the_newest_version_goes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("digits", "digits", "digits", "other"):
        publishing.publish(MODEL, tmp_path, name)
    seen: list[int] = []
    rename = Path.rename

    def watched(path: Path, target: Path) -> Path:
        seen.append(find_versions(tmp_path / "digits")[-1])
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", watched)
    assert retiring.retire(tmp_path, "digits") == [1, 2, 3]
    assert seen == [3, 3, 3]
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == ["other"]


def test_what_else_is_in_the_models_folder_stays(tmp_path: Path) -> None:
    for name in ("digits", "other"):
        publishing.publish(MODEL, tmp_path, name)
    notes = tmp_path / "digits" / "notes.txt"
    notes.write_text("mine")
    retiring.retire(tmp_path, "digits")
    assert notes.read_text() == "mine"
    assert retiring.restore(tmp_path, "digits") == 1
