"""Each file has a room, which imports only what stands below it and is small enough to read."""

import ast
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import median

import pytest

from harness.server_process import ROOT

ARROWS = {
    "modelfile, mlpserve": "",
    "canonical, exporter.errors": "modelfile",
    "mlpserve.pictures, mlpserve.metrics, mlpserve.terminal": "mlpserve",
    "mlpserve.bench": "mlpserve.metrics, mlpserve.terminal",
    "mlpserve.command": "mlpserve.pictures, mlpserve.bench",
    "mlpserve.cli": "mlpserve.command",
    "mlpserve.__main__": "mlpserve.cli",
    "exporter.files, exporter.runtime": "exporter.errors",
    "exporter.network": "modelfile, exporter.files, exporter.runtime",
    "exporter.training, exporter.export, exporter.importing": "exporter.network, canonical",
    "exporter.study": "exporter.training, exporter.export",
    "exporter": "exporter.study, exporter.importing",
    "server.reasons": "",
    "server.errors, server.texts": "server.reasons, modelfile",
    "server.system": "server.errors",
    "server.logs, server.settings": "server.system, server.texts",
    "server.telemetry": "server.logs, server.settings, modelfile",
    "server.files, server.supervisor": "server.telemetry",
    "server.http": "server.files, server.supervisor, mlpserve.pictures",
    "server.models": "server.files",
    "server.running": "server.models, canonical",
    "server.rpc": "server.running, mlpserve",
    "server": "server.rpc, server.http",
    "deploy": "",
    "harness": "exporter, server, mlpserve.cli",
    "benchmarks": "harness",
    "tests": "harness, deploy",
}
"""Rooms, from below upwards, and what each may import, together with all that stands below it."""

LIBRARIES = {
    "canonical, modelfile": {"grpc", "onnx", "onnxruntime"},
    "mlpserve, deploy, server": {"onnx"},
    "exporter": {"grpc"},
    # What checks models runs them by ONNX Runtime if it is there, in exporter/runtime.py.
    "exporter.commands, exporter.export, exporter.importing, exporter.study, exporter.training": {
        "onnxruntime"
    },
    "server.supervisor": {"grpc", "onnxruntime", "prometheus_client", "starlette", "uvicorn"},
    "server.http": {"onnxruntime"},
    "server.models, server.running": {"grpc"},
}
"""What rooms leave to others: a parent that lacks the libraries can't be ended by them."""

FLAT = ("exporter", "server")
MAX_TOP_FILES, MAX_ROOM_FILES, MAX_LINES, MAX_MEDIAN_LINES = 10, 14, 350, 100


def names(cell: str) -> list[str]:
    return cell.split(", ") if cell else []


def expand() -> dict[str, set[str]]:
    """Every room, and all rooms that it may import."""
    allowed: dict[str, set[str]] = {}
    for cell, below in ARROWS.items():
        reached = set(names(below))
        # A room that is not above in the table is none, or an arrow upwards.
        for name in names(below):
            reached |= allowed[name]
        allowed |= {room: {room} | reached for room in names(cell)}
    return allowed


ROOMS = expand()


@cache
def modules() -> dict[str, Path]:
    """Every module of the repository, and its file; generated code aside."""
    folders = [path.parent for path in ROOT.glob("*/__init__.py")]
    files = [file for folder in folders for file in sorted(folder.rglob("*.py"))]
    dotted = {".".join(file.relative_to(ROOT).with_suffix("").parts): file for file in files}
    return {
        name.removesuffix(".__init__"): file for name, file in dotted.items() if "_pb2" not in name
    }


def room_of(module: str) -> str | None:
    while module not in ROOMS and module:
        module = module.rpartition(".")[0]
    return module or None


@cache
def imported(file: Path) -> set[str]:
    """Every module that the file names in an import, with its parents: a.b.c gives a, a.b and
    a.b.c.
    """
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: relative import"
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {
        ".".join(parts[: end + 1])
        for parts in (name.split(".") for name in found)
        for end in range(len(parts))
    }


def local_imports(module: str) -> set[str]:
    """The modules of this repository that a module imports; packages for their own sake only."""
    found = imported(modules()[module]) & modules().keys() - {module}
    return {name for name in found if not any(other.startswith(f"{name}.") for other in found)}


def test_each_file_has_a_room() -> None:
    assert not [module for module in modules() if room_of(module) is None]


def test_arrows_point_down() -> None:
    upwards = [
        (module, name)
        for module in modules()
        for name in local_imports(module)
        if room_of(name) not in ROOMS[room_of(module) or ""]
    ]
    assert not upwards


def test_there_are_no_circles() -> None:
    TopologicalSorter({module: local_imports(module) for module in modules()}).prepare()


@pytest.mark.parametrize("cell", LIBRARIES)
def test_libraries_stay_in_their_rooms(cell: str) -> None:
    inside = [
        module
        for module in modules()
        if any(f"{module}.".startswith(f"{room}.") for room in names(cell))
    ]
    assert inside, f"{cell} is gone: mend the rule"
    broken = {module: imported(modules()[module]) & LIBRARIES[cell] for module in inside}
    assert not {module: libraries for module, libraries in broken.items() if libraries}


@pytest.mark.parametrize("top", FLAT)
def test_rooms_are_small(top: str) -> None:
    files: dict[Path, int] = {}
    for file in (file for name, file in modules().items() if f"{name}.".startswith(f"{top}.")):
        files[file.parent] = files.get(file.parent, 0) + 1
    assert files.pop(ROOT / top) <= MAX_TOP_FILES
    assert not {folder: count for folder, count in files.items() if count > MAX_ROOM_FILES}


def test_files_are_short() -> None:
    """Or say in their first lines why they are not."""
    texts = {name: file.read_text() for name, file in modules().items() if room_of(name) != "tests"}
    lines = {name: text.count("\n") for name, text in texts.items()}
    long = {name for name in lines if lines[name] > MAX_LINES}
    assert not {name for name in long if "One file" not in "".join(texts[name].split("\n")[:6])}
    code = [n for name, n in lines.items() if n and name.split(".")[0] in FLAT]
    assert median(code) < MAX_MEDIAN_LINES
