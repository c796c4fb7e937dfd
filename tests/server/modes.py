"""Marks a test of a server with the fixture `lane` that one mode is enough for."""

import pytest

ON_THE_LANE = pytest.mark.parametrize("lane", [True], indirect=True, ids=["lane"])
"""What it tests is the same without the lane, or is not there."""
