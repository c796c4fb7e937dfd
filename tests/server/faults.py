"""Makes the real server do what callers and files alone can't make it do, such as hang."""

from pathlib import Path

HOLD, KILL, HELD = "hold", "kill", "held"
"""Files beside a model.onnx: whoever reads the model then hangs, or dies; the last says it does."""

_SITE = '''
"""Is imported by every Python; changes a module of the server once that is."""
import importlib.abc, importlib.util, sys

class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != {module!r}:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module
        def exec_module(module):
            execute(module)
            exec({change!r}, vars(module))
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Finder())
'''

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
    return write_change(folder, "server.models.onnx.file", _LOADING)


def write_change(folder: Path, module: str, change: str) -> str:
    """Return what PYTHONPATH has to be for a server in whose module some code runs at its end."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_SITE.format(module=module, change=change))
    return str(folder)
