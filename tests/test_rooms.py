"""The rooms of the house import each other in one direction only."""

import ast
from pathlib import Path

import pytest

from harness.server_process import ROOT

WORKERS_ONLY = {
    "grpc",
    "onnxruntime",
    "server.rpc",
    "server.models.model",
    "server.app",
    "server.worker",
}
"""What neither the parent of the workers nor HTTP's process must import."""

CHILDREN_ONLY = WORKERS_ONLY | {"uvicorn", "starlette", "server.http", "prometheus_client"}
"""What the parent must not import, so that it has little that could break."""

FORBIDDEN = {
    "canonical": {"exporter", "server", "mlpserve", "grpc", "onnx", "onnxruntime", "tests"},
    "exporter": {"server", "mlpserve", "grpc", "onnxruntime", "tests"},
    "server": {"exporter", "onnx", "tests"},
    "mlpserve": {"server", "exporter", "onnx", "onnxruntime", "tests"},
    "deploy": {"server", "tests", "onnxruntime"},
    "server/__main__.py": CHILDREN_ONLY,
    "server/http": WORKERS_ONLY,
    "server/supervisor": CHILDREN_ONLY,
    "server/models/model.py": {"grpc", "mlpserve", "server.rpc", "server.http"},
    "server/models/repository.py": {"grpc", "mlpserve", "server.rpc", "server.http"},
    "server/models/loader.py": {"grpc", "mlpserve", "server.rpc", "server.http"},
    "server/models/policy.py": {"grpc", "mlpserve", "server.rpc", "server.http"},
    "server/models/watcher.py": {"grpc", "mlpserve", "server.rpc", "server.http"},
    "server/running/shadowing.py": {"grpc", "mlpserve", "server.rpc", "server.http"},
    "server/models/traffic.py": {"grpc", "mlpserve", "server.rpc", "server.http"},
    "server/telemetry/metrics.py": {"grpc", "server.rpc", "server.http"},
    "server/rpc/admission.py": {"grpc", "mlpserve", "server.http"},
    "server/files/certificates.py": {"grpc", "mlpserve", "server.rpc", "server.http"},
    "server/files/watched_files.py": {"grpc", "mlpserve", "server.rpc", "server.http"},
    "server/files/tokens.py": {"grpc", "mlpserve", "server.rpc", "server.http"},
    "server/errors.py": {"grpc", "server.rpc", "server.http"},
    "server/rpc/classifier.py": {"grpc"},
    "server/rpc/inference.py": {"grpc"},
    "server/rpc/contents.py": {"grpc"},
    "server/rpc/reading.py": {"grpc"},
    "server/running/batcher.py": {"grpc", "mlpserve", "server.rpc", "server.http"},
    "server/running/calls.py": {"grpc", "mlpserve", "server.rpc", "server.http"},
    "server/running/pixels.py": {"grpc", "mlpserve", "server.rpc", "server.http"},
    "server/running/run.py": {"grpc", "mlpserve", "server.rpc", "server.http"},
    "server/telemetry/record.py": {"grpc", "mlpserve", "server.rpc", "server.http"},
    "server/running/request.py": {"grpc", "mlpserve", "server.rpc", "server.http"},
}


def imported(file: Path) -> set[str]:
    """Every module that the file names in an import, with its parents: a.b.c gives a, a.b and
    a.b.c.
    """
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: relative import"
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {
        ".".join(parts[: end + 1])
        for parts in (n.split(".") for n in names)
        for end in range(len(parts))
    }


@pytest.mark.parametrize("place", FORBIDDEN)
def test_rooms_do_not_import_what_they_must_not(place: str) -> None:
    path = ROOT / place
    files = [path] if path.is_file() else sorted(path.rglob("*.py"))
    assert files, f"{place} is gone: mend the rule"
    broken = {str(file.relative_to(ROOT)): imported(file) & FORBIDDEN[place] for file in files}
    assert not {file: names for file, names in broken.items() if names}
