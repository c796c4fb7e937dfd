"""Makes parents whose processes are fakes."""

from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from server.supervisor import supervisor
from tests.server.supervisor.supervised import MakeWorld, World


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch, logged: list[EventDict]) -> Iterator[MakeWorld]:
    monkeypatch.setattr(supervisor, "TICK_SECONDS", 0)
    made = []

    def make(*arguments: Any, **settings: Any) -> World:
        made.append(World(*arguments, **settings))
        return made[-1]

    yield make
    for world in made:
        world.close()


@pytest.fixture
def logged() -> Iterator[list[EventDict]]:
    with capture_logs() as lines:
        yield lines
