"""What keeps the server from starting is one clear line, a non-zero exit, and no traceback."""

import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from exporter.export import graph
from exporter.network import network
from harness.server_process import ServerProcess, run_to_end, start_server
from server.errors import StartupError
from server.models.loader import Loader
from server.models.policy import read_policies
from server.supervisor import ports

NOT_LOADABLE = "is not a model that ONNX Runtime can load"


def refused(repository: Path, default: str = "") -> str:
    """Return why a worker does not start with these models."""
    loader = Loader(repository, default, read_policies("latest 1", "", "", ""))
    with pytest.raises(StartupError) as caught:
        loader.first()
    message = str(caught.value)
    assert message.isprintable()
    return message


def refused_content(repository: Path, content: bytes) -> str:
    """Return the refusal of a repository whose only model file holds `content`."""
    file = repository / "digits" / "1" / "model.onnx"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    message = refused(repository)
    assert str(file) in message
    return message


def test_a_refusal_is_one_line(tmp_path: Path) -> None:
    """What keeps the workers from starting, and with them the server."""
    ended = run_to_end("--repository", str(tmp_path / "none"))
    assert ended.returncode == 1
    assert not ended.stdout
    (line,) = ended.stderr.splitlines()
    assert line.startswith("Error: the repository ")
    assert "is not a folder; give --repository" in line


def small_model() -> onnx.ModelProto:
    layer = network.Layer(np.eye(3, 4, dtype=np.float32), np.zeros(3, np.float32), "sigmoid")
    return graph.build(network.Network((layer,), ("a", "b", "c")))


def test_missing_repository(tmp_path: Path) -> None:
    assert "is not a folder; give --repository" in refused(tmp_path / "none")


def test_empty_repository(tmp_path: Path) -> None:
    assert "holds no model (NAME/VERSION/model.onnx)" in refused(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not ONNX", bytes(100)], ids=["empty", "text", "zeros"])
def test_corrupt_model(tmp_path: Path, content: bytes) -> None:
    assert NOT_LOADABLE in refused_content(tmp_path, content)


def test_truncated_model(tmp_path: Path, repository: Path) -> None:
    whole = (repository / "digits" / "1" / "model.onnx").read_bytes()
    assert NOT_LOADABLE in refused_content(tmp_path, whole[: len(whole) // 2])


def test_model_of_a_newer_onnx(tmp_path: Path) -> None:
    model = small_model()
    model.ir_version = 99
    assert NOT_LOADABLE in refused_content(tmp_path, model.SerializeToString())


def test_foreign_model(tmp_path: Path) -> None:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y"))
    body = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "foreign", [x], [y])
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    assert "was not exported by mlpserve" in refused_content(tmp_path, model.SerializeToString())


def test_changed_weights_fail_the_golden_examples(tmp_path: Path) -> None:
    model = small_model()
    biases = next(item for item in model.graph.initializer if list(item.dims) == [3])
    changed = np.full(3, 1e-3, np.float32)
    biases.CopyFrom(onnx.numpy_helper.from_array(changed, biases.name))
    line = refused_content(tmp_path, model.SerializeToString())
    assert "fails its golden examples: the largest difference is 0.000" in line
    assert "its weights are not those that the answers were computed with" in line


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("layer_sizes", "[4, 3", "metadata that can't be used"),
        ("layer_sizes", "[5, 3]", "metadata that can't be used"),
        ("labels", '["a", "b"]', "has 2 labels for 3 outputs"),
        ("golden_pixels", "", "golden_pixels is empty"),
        ("golden_activations", "AAAA!", "metadata that can't be used"),
        ("format", "mlpserve/2", "format 'mlpserve/2' instead of 'mlpserve/1'"),
    ],
)
def test_damaged_metadata(tmp_path: Path, key: str, value: str, words: str) -> None:
    model = small_model()
    (entry,) = (entry for entry in model.metadata_props if entry.key == key)
    entry.value = value
    assert words in refused_content(tmp_path, model.SerializeToString())


TAKE: dict[str, Callable[[str, str], object]] = {
    "--grpc-address": ports.claim,
    "--http-address": ports.listen,
}


@pytest.mark.parametrize("flag", TAKE)
def test_taken_port(flag: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(StartupError, match=f"can't listen on {address}.*{flag}"):
            TAKE[flag](address, flag)


def test_second_server_does_not_share_the_port(repository: Path, server: ServerProcess) -> None:
    address = server.grpc_address
    ended = run_to_end("--repository", str(repository), "--grpc-address", address)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"Error: gRPC can't listen on {address}")


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:", "127.0.0.1:99999"])
@pytest.mark.parametrize("flag", TAKE)
def test_address_that_is_none(flag: str, address: str) -> None:
    with pytest.raises(StartupError, match=f"can't listen on {address}.*{flag}"):
        TAKE[flag](address, flag)


def test_default_model_that_is_not_there(repository: Path) -> None:
    line = refused(repository, "letters")
    assert "'letters' is not in" in line
    assert "it holds: digits" in line


def test_nothing_is_reported_or_left_at_home(tmp_path: Path, repository: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with start_server(repository, HOME=str(home)) as running:
        assert not [line for line in running.log if line["event"] == "not JSON"]
    assert not list(home.iterdir()), "ONNX Runtime's telemetry keeps its identifier here"


def test_newest_version_is_served(tmp_path: Path, repository: Path) -> None:
    for version in ("1", "9", "10", "012"):
        shutil.copytree(repository / "digits" / "1", tmp_path / "digits" / version)
    for empty in ("11", "notes"):
        (tmp_path / "digits" / empty).mkdir()
    (loaded,) = Loader(tmp_path, "", read_policies("latest 1", "", "", "")).first().models
    assert (loaded.name, loaded.version) == ("digits", 10)
    assert loaded.parameters == 13_002
