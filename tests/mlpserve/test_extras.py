"""The command that messages give for what is missing works in the environment that prints it."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from harness.server_process import ROOT
from mlpserve.extras import install_command

PYTHON = Path(sys.executable)
FOLDER = PYTHON.parents[2]
"""Where .venv is."""


def test_what_is_installed_gets_its_extras_without_an_index(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(FOLDER)
    command = install_command("bench")
    done = subprocess.run(
        f"{command} --no-index --dry-run", shell=True, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Requirement already satisfied: hdrhistogram" in done.stdout


def test_a_clone_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    monkeypatch.chdir(FOLDER)
    python = PYTHON.relative_to(FOLDER)
    assert install_command("cli") == f'{python} -m pip install "{ROOT}[cli]"'


def test_elsewhere_it_is_the_path_of_python(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert install_command("cli").startswith(f"{sys.executable} -m pip ")
