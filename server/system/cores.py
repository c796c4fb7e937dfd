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
        # "QUOTA PERIOD" or "max PERIOD" in version 2 of control groups; in version 1 two files, the
        # first -1 without a quota.
        for files in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
            with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
                text = " ".join((folder / name).read_text() for name in files)
                quota, period = map(int, text.split())
                if quota > 0:
                    cores = min(cores, quota / period)
    return max(1, int(cores))


def group_folders(
    controller: str, cgroups: Path = CGROUPS, membership: Path = MEMBERSHIP
) -> Iterable[Path]:
    """Return the folders of this process's control groups for cpu or memory, and their parents."""
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
