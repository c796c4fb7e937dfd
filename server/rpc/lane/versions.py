"""Which versions of grpcio the lane was tested with."""

import re

OLDEST, NEWEST = (1, 82), (1, 85)
"""The versions of grpcio, (major, minor), between which the tests have passed."""


def check(version: str) -> str | None:
    """Return why the lane can't be used with this version of grpcio; None when it can."""
    # The rest may be anything, such as the dev0 of 1.86.dev0.
    release = re.match(r"(\d+)\.(\d+)(?!\d)", version)
    if release and OLDEST <= (int(release[1]), int(release[2])) <= NEWEST:
        return None
    oldest, newest = (".".join(map(str, tested)) for tested in (OLDEST, NEWEST))
    return f"grpcio is {version}, and the lane was tested with {oldest} to {newest}"
