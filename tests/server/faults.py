"""Makes the real server do what callers and files alone can't make it do, such as hang."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.changes import write_changes
from harness.waiting import wait_for

HOLD, KILL, HELD = "hold", "kill", "held"
"""Files beside a model.onnx: whoever reads the model then hangs, or dies; the last says it does."""

_LOADING = """
import os, signal, time

def read_file(path, max_bytes, read=read_file):
    if (path.parent / "kill").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    if (path.parent / "hold").exists():
        (path.parent / "held").touch()
        while (path.parent / "hold").exists():
            time.sleep(0.01)
    return read(path, max_bytes)
"""

SLOW = "slow"
"""The model whose runs leave the lane, however little they are, and wait while they are held."""

_RUNS = """
import pathlib, time

def expected_seconds(self, n_images, expect=Model.expected_seconds):
    return 1.0 if self.name == "slow" else expect(self, n_images)

def predict(self, *arguments, predict=Model.predict):
    if self.name == "slow":
        folder = pathlib.Path({folder!r})
        if (folder / "held").exists():
            with (folder / "begun").open("a") as begun:
                begun.write("x")
        while (folder / "held").exists():
            time.sleep(0.005)
    return predict(self, *arguments)

Model.expected_seconds, Model.predict = expected_seconds, predict
"""


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of `SLOW` in a server with these variables."""

    folder: Path

    @classmethod
    def of(cls, folder: Path, changes: Mapping[str, str] | None = None) -> "Runs":
        """Write what such a server needs into a new folder, with more changes of its modules."""
        ours = {"server.models.model": _RUNS.format(folder=str(folder))}
        write_changes(folder, ours | dict(changes or {}))
        return cls(folder)

    @property
    def variables(self) -> dict[str, str]:
        return {"PYTHONPATH": str(self.folder)}

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Let runs begin, and none end, until the block ends or they are released."""
        (self.folder / "begun").unlink(missing_ok=True)
        (self.folder / "held").touch()
        try:
            yield
        finally:
            self.release()

    def release(self) -> None:
        (self.folder / "held").unlink(missing_ok=True)

    def wait_until_begun(self, number: int = 1) -> None:
        """Return once so many runs have begun since they are held."""
        begun = self.folder / "begun"
        wait_for(lambda: begun.exists() and begun.stat().st_size >= number)


def write_faults(folder: Path) -> str:
    """Return what PYTHONPATH has to be for a server to obey `HOLD` and `KILL`."""
    return write_changes(folder, {"server.models.onnx.file": _LOADING})
