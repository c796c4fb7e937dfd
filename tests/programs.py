"""Programs that pip can't install: where they are."""

import os
import shutil

import pytest


def need(program: str, package: str) -> str:
    """Return where a program is; without it the test is skipped, or fails in CI, which has it."""
    if found := shutil.which(program):
        return found
    reason = f"{program} is not installed: apt-get install {package}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
