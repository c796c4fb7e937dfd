"""How many workers there are without being told."""

import os
from pathlib import Path

import pytest

from server.system.cores import usable_cores

ALL = len(os.sched_getaffinity(0))


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content)


@pytest.mark.parametrize(
    ("content", "cores"),
    [
        ("max 100000\n", ALL),
        ("100000 100000\n", 1),
        ("150000 100000\n", 1),
        ("20000 100000\n", 1),
        ("100000000 100000\n", ALL),
        ("nonsense\n", ALL),
    ],
)
def test_quota_of_version_2(tmp_path: Path, content: str, cores: int) -> None:
    member = tmp_path / "cgroup"
    member.write_text("0::/\n")
    write(tmp_path / "groups", cpu__max=content)
    assert usable_cores(tmp_path / "groups", member) == cores


def test_the_tightest_group_above_counts(tmp_path: Path) -> None:
    member = tmp_path / "cgroup"
    member.write_text("0::/pods/one\n")
    write(tmp_path / "groups" / "pods", cpu__max="100000 100000\n")
    write(tmp_path / "groups" / "pods" / "one", cpu__max="max 100000\n")
    write(tmp_path / "groups" / "other", cpu__max="1000 100000\n")
    assert usable_cores(tmp_path / "groups", member) == 1


@pytest.mark.parametrize("path", ["/", "/docker/abc"])
@pytest.mark.parametrize(("quota", "cores"), [("-1\n", ALL), ("100000\n", 1)])
def test_quota_of_version_1(tmp_path: Path, path: str, quota: str, cores: int) -> None:
    member = tmp_path / "cgroup"
    member.write_text(f"4:memory:/\n3:cpu,cpuacct:{path}\n")
    group = tmp_path / "groups" / "cpu,cpuacct"
    write(group, cpu__cfs_quota_us=quota, cpu__cfs_period_us="100000\n")
    assert usable_cores(tmp_path / "groups", member) == cores


def test_without_groups(tmp_path: Path) -> None:
    assert usable_cores(tmp_path, tmp_path / "missing") == ALL
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert usable_cores(tmp_path, tmp_path / "missing") == 1
    finally:
        os.sched_setaffinity(0, allowed)
