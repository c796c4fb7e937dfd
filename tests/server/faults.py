"""Makes the real server do what callers and files alone can't make it do, such as hang."""

from pathlib import Path

from harness.changes import write_changes

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


def write_faults(folder: Path) -> str:
    """Return what PYTHONPATH has to be for a server to obey `HOLD` and `KILL`."""
    return write_changes(folder, {"server.models.onnx.file": _LOADING})
