"""Makes the real server do what files alone can't make it do: hang or die while it loads."""

from pathlib import Path

HOLD, KILL, HELD = "hold", "kill", "held"
"""Files beside a model.onnx: whoever reads the model then hangs, or dies; the last says it does."""

_SITE = '''
"""Is imported by every Python; changes a module of the server once that is."""
import importlib.abc, importlib.util, os, signal, sys, time

class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "server.model_file":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module
        def exec_module(module):
            execute(module)
            read = module.read_file
            def read_file(path, max_bytes):
                if (path.parent / "kill").exists():
                    os.kill(os.getpid(), signal.SIGKILL)
                if (path.parent / "hold").exists():
                    (path.parent / "held").touch()
                    while (path.parent / "hold").exists():
                        time.sleep(0.01)
                return read(path, max_bytes)
            module.read_file = read_file
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Finder())
'''


def write_faults(folder: Path) -> str:
    """Return what PYTHONPATH has to be for a server to obey `HOLD` and `KILL`."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_SITE)
    return str(folder)
