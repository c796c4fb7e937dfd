"""What is awaited from the beginning of a pass over the repository until its end is served."""

from pathlib import Path

import pytest

from server.errors import ModelError
from server.models.loader import Loader
from server.models.model import Model, load_model
from server.models.passes import Key, Progress
from server.models.policy import read_policies
from server.models.served import Served
from server.models.watcher import ModelWatcher
from tests.server.versions import publish

POLICIES = read_policies("latest 1; listed: 1, 2", "small: stable 1", "", "")


class Noting:
    """Loads as the server does, notes what is said meanwhile, and fails for one version."""

    def __init__(self, progress: Progress) -> None:
        self.progress, self.bad = progress, 0
        self.seen: list[tuple[Key | None, set[Key]]] = []

    def __call__(self, path: Path, name: str, version: int) -> Model:
        self.seen.append((self.progress.loading, set(self.progress.awaited)))
        if version == self.bad:
            raise ModelError("bad", "format")
        return load_model(path, name, version)


@pytest.fixture
def served() -> Served:
    return Served()


def test_a_pass_tells_what_it_will_load_until_that_is_served(
    tmp_path: Path, served: Served
) -> None:
    for name, version in (("small", 1), ("small", 2), ("small", 3), ("listed", 2)):
        publish(tmp_path, version, name)
    load = Noting(served.progress)
    loader = Loader(tmp_path, "small", POLICIES, load, progress=served.progress)
    watcher = ModelWatcher(loader, served)
    watcher.first()
    wanted = {("listed", 2), ("small", 1), ("small", 3)}
    loading = [("listed", 2), ("small", 3), ("small", 1)]
    assert load.seen == [(key, wanted) for key in loading]
    assert served.progress == Progress()
    load.seen.clear()

    publish(tmp_path, 1, "listed")
    load.bad = 4
    publish(tmp_path, 4)
    refreshed = loader.refresh(served.require(), retry=False)
    wanted = {("listed", 1), ("small", 4)}
    assert load.seen == [(("listed", 1), wanted), (("small", 4), wanted)]
    assert refreshed.models.unserved["small"].keys() == {2}
    assert served.progress.awaited == wanted, "nobody serves it yet"
    # What is known to be bad is awaited no more, unless it is tried again.
    watcher.reload("rescan")
    assert served.progress == Progress()
    load.seen.clear()
    loader.refresh(served.require(), retry=True)
    assert load.seen == [(("small", 4), {("small", 4)})]


def test_a_pass_that_fails_leaves_nothing_awaited(
    tmp_path: Path, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(tmp_path, 1)
    loader = Loader(tmp_path, "small", POLICIES, progress=served.progress)
    watcher = ModelWatcher(loader, served)
    watcher.first()
    publish(tmp_path, 2)

    def fail(*_: object) -> None:
        raise ValueError

    monkeypatch.setattr("server.models.loader.arrange", fail)
    assert "internal error" in watcher.reload("rescan")
    assert served.progress == Progress()
