"""How many cores this process may use, which in a container are fewer than the machine has."""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def usable_cores(cgroups: Path = CGROUPS, membership: Path = MEMBERSHIP) -> int:
    """Return the cores of the affinity mask, or of the tightest quota of this process's control
    groups if that is less: rounded down, and at least 1.
    """
    has_mask = hasattr(os, "sched_getaffinity")
    cores = float(len(os.sched_getaffinity(0)) if has_mask else os.cpu_count() or 1)
    for folder in group_folders("cpu", cgroups, membership):
        for quota in (_quota_v2(folder), _quota_v1(folder)):
            if quota is not None:
                cores = min(cores, quota)
    return max(1, int(cores))


def group_folders(
    controller: str, cgroups: Path = CGROUPS, membership: Path = MEMBERSHIP
) -> Iterable[Path]:
    """Return the folders of this process's control groups and their parents for a controller: cpu
    or memory.
    """
    folders = {cgroups, cgroups / controller, cgroups / f"{controller},cpuacct"}
    with contextlib.suppress(OSError):
        for line in membership.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and controller not in controllers.split(","):
                continue
            # Version 2 names no controllers and has one tree, version 1 has one each.
            root = cgroups / controllers
            # Inside a container the path may be the host's, which is not visible here.
            parts = [part for part in path.split("/") if part not in ("", "..")]
            folders |= {root.joinpath(*parts[:depth]) for depth in range(len(parts) + 1)}
    return folders


def _quota_v2(folder: Path) -> float | None:
    """Return the cores that cpu.max allows, "QUOTA PERIOD" or "max PERIOD"."""
    try:
        quota, period = (folder / "cpu.max").read_text().split()
        return int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _quota_v1(folder: Path) -> float | None:
    """Return the cores that cpu.cfs_quota_us allows; -1 there stands for all."""
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text())
        period = int((folder / "cpu.cfs_period_us").read_text())
        return quota / period if quota > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
