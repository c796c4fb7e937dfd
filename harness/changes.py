"""Starts servers with changed code, for what neither settings nor callers can make them do."""

from pathlib import Path

_SITE = '''
"""Is imported by every Python; changes modules of the server once these are."""
import importlib.abc, importlib.util, sys

CHANGES = {changes!r}

class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        change = CHANGES.pop(name, None)
        if change is None:
            return None
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module
        def exec_module(module):
            execute(module)
            exec(change, vars(module))
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Finder())
'''


def write_changes(folder: Path, changes: dict[str, str]) -> str:
    """Return what PYTHONPATH has to be for a server in which code runs at the end of some modules.

    `changes` is that code by the modules' names; `folder` is made.
    """
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_SITE.format(changes=changes))
    return str(folder)
