"""Files as people have them, through the command: read, told, kept, or refused with a remedy."""

import contextlib
import hashlib
import io
import json
import pickle
import struct
import tempfile
import zipfile
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import skops.io  # type: ignore[import-untyped]
from click.testing import CliRunner, Result
from hypothesis import given, settings, strategies
from safetensors.numpy import save, save_file

from exporter import cli, importing, network
from exporter.importing.source import Array, Choices
from exporter.network.weights_file import WeightsError
from harness.networks import random_batch, random_network
from modelfile import hints
from tests.exporter.classifiers import fitted, images_and_digits

NETWORK = random_network((7, 5, 4, 3), ("relu", "relu", "identity"))
ACTIVATIONS = ("--activation", "relu", "--output-activation", "identity")


def state_dict(dtype: type = np.float32) -> dict[str, Array]:
    """The network as torch.nn.Sequential(Linear, ReLU, Linear, ReLU, Linear) names it."""
    return {
        f"{2 * index}.{word}": array.astype(dtype)
        for index, layer in enumerate(NETWORK.layers)
        for word, array in (("weight", layer.weights), ("bias", layer.biases))
    }


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli.main, ["import", *map(str, arguments)])


def refused(*arguments: str | Path, code: int = 1) -> str:
    result = run(*arguments)
    assert result.exit_code == code, result.output
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.stdout == ""
    return result.stderr.splitlines()[-1]


def refused_later(*arguments: str | Path) -> str:
    """Return the last line of a command that has shown what it read."""
    result = run(*arguments)
    assert result.exit_code == 1, result.output
    return result.stderr.splitlines()[-1]


def imported(*arguments: str | Path) -> tuple[network.Saved, str]:
    """Return what the command wrote and what it told."""
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return network.load(Path(result.stdout.rstrip("\n"))), result.stderr


def assert_same(found: network.Network) -> None:
    for layer, other in zip(found.layers, NETWORK.layers, strict=True):
        np.testing.assert_array_equal(layer.weights, other.weights)
        np.testing.assert_array_equal(layer.biases, other.biases)
        assert layer.activation == other.activation


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_state_dict_is_imported_and_told(folder: Path) -> None:
    save_file(state_dict(), "_my net.safetensors", metadata={"format": "pt"})
    saved, told = imported("_my net.safetensors", *ACTIVATIONS, "--labels", "a, b,c")
    assert_same(saved.network)
    assert saved.network.labels == ("a", "b", "c")
    assert saved.examples is None
    content = Path("_my net.safetensors").read_bytes()
    assert saved.provenance == {
        "source": "_my net.safetensors",
        "source_sha256": hashlib.sha256(content).hexdigest(),
        "origin": "PyTorch state dict (safetensors)",
        "changes": "none",
    }
    rows = [line.strip("│ ").split("│") for line in told.splitlines() if line.startswith("│")]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["1", "0.weight", "0.bias", "5 x 7", "no", "relu"],
        ["2", "2.weight", "2.bias", "4 x 5", "no", "relu"],
        ["3", "4.weight", "4.bias", "3 x 4", "no", "identity"],
    ]
    assert "labels: a, b, c\n" in told
    # The commands that are told are the ones that work.
    told_export = next(line for line in told.splitlines() if line.startswith("Export it with"))
    arguments = told_export.partition("-m exporter ")[2].split()
    assert CliRunner().invoke(cli.main, arguments).exit_code == 0
    assert Path("models/my-net/1/model.onnx").is_file()
    assert told.endswith(f"Serve it with: {hints.command('server --default-model my-net')}\n")


@pytest.mark.parametrize(
    ("dtype", "told"),
    [
        (np.float16, "- converted from float16 to float32: exactly\n"),
        (np.float64, "- converted from float64 to float32: exactly\n"),
        (ml_dtypes.bfloat16, "- 6 arrays converted from bfloat16 to float32, exactly\n"),
    ],
)
def test_other_dtypes_of_a_state_dict(dtype: type, told: str) -> None:
    arrays = state_dict(dtype)
    save_file(arrays, "net.safetensors")
    saved, output = imported("net.safetensors", *ACTIVATIONS)
    assert told in output
    for layer, name in zip(saved.network.layers, ("0", "2", "4"), strict=True):
        np.testing.assert_array_equal(layer.weights, arrays[f"{name}.weight"].astype(np.float32))
        np.testing.assert_array_equal(layer.biases, arrays[f"{name}.bias"].astype(np.float32))
    assert saved.provenance["changes"] == told[2:].rstrip()


def test_state_dict_with_the_wrong_content() -> None:
    save_file({"0.weight": np.ones((3, 7), ml_dtypes.float8_e4m3fn)}, "net.safetensors")
    line = refused("net.safetensors", *ACTIVATIONS)
    assert line == (
        "Error: net.safetensors: 0.weight: dtype F8_E4M3 can't be read; save it as float32"
    )
    save_file({**state_dict(), "1.running_var": np.ones(5)}, "net.safetensors")
    assert "net.safetensors: 1.running_var: shape (5,) belongs to a normalisation" in refused(
        "net.safetensors", *ACTIVATIONS
    )
    Path("net.safetensors").write_bytes(save(state_dict())[:-1])
    assert "net.safetensors: not a whole safetensors file" in refused("net.safetensors")


def test_npz_with_a_folded_scaling_labels_and_examples() -> None:
    arrays = {f"coefs_{index}": layer.weights.T for index, layer in enumerate(NETWORK.layers)}
    arrays |= {f"intercepts_{index}": layer.biases for index, layer in enumerate(NETWORK.layers)}
    np.savez("weights.npz", allow_pickle=False, **arrays)
    mean = np.linspace(0.1, 0.7, 7)
    np.save("mean.npy", mean)
    Path("labels.txt").write_text("x, y\nzwölf\nz\n", encoding="utf-8")
    images = np.random.default_rng(0).integers(0, 256, (4, 1, 7), np.uint8)
    np.savez("images.npz", images)
    scaling = ("--input-scale", "2", "--input-mean", "mean.npy", "--input-std", "0.5")
    files = ("--labels-file", "labels.txt", "--examples", "images.npz", "--output", "a b/c.npz")
    saved, told = imported("weights.npz", *ACTIVATIONS, *scaling, *files)
    assert saved.network.labels == ("x, y", "zwölf", "z")
    assert saved.examples is not None
    np.testing.assert_array_equal(saved.examples, images.reshape(4, 7) / np.float32(255))
    batch = random_batch(20, 7)
    np.testing.assert_allclose(
        saved.network.forward(batch)[-1],
        NETWORK.forward(((2 * batch - mean) / 0.5).astype(np.float32))[-1],
        atol=1e-5,
        rtol=0,
    )
    changes = str(saved.provenance["changes"])
    assert changes == (
        "weights are (n_in, n_out): transposed to (n_out, n_in); "
        "inputs were (2 * pixel - mean of each) / 0.5: folded into the first layer"
    )
    assert all(f"- {change}\n" in told for change in changes.split("; "))
    assert hints.command("exporter export --weights 'a b/c.npz' --name weights") + "\n" in told


def test_the_layout_of_examples_is_told() -> None:
    square = random_network((100, 3))
    arrays = {f"W{index}": layer.weights for index, layer in enumerate(square.layers, start=1)}
    arrays |= {f"b{index}": layer.biases for index, layer in enumerate(square.layers, start=1)}
    np.savez("weights.npz", allow_pickle=False, **arrays)
    command = ("weights.npz", "--output-activation", "sigmoid")
    unknown = "images: of unknown layout, so canonical mode leaves them unchanged; give 5 or more"
    assert unknown in imported(*command)[1]
    images = np.zeros((6, 10, 10), np.uint8)
    images[:, 2:8, 4:7] = 255
    np.save("images.npy", images)
    told = imported(*command, "--examples", "images.npy")[1]
    assert "images: 10 x 10, light ink, longest side 6" in told
    np.save("images.npy", images[0])
    assert "wanted (E, 100)" in refused(*command, "--examples", "images.npy")


def test_other_inputs_than_pixels() -> None:
    state, numbers = state_dict(), np.arange(14, dtype=np.uint8).reshape(2, 7)
    save_file(state, "net.safetensors")
    np.save("numbers.npy", numbers)
    command = ("net.safetensors", *ACTIVATIONS, "--examples", "numbers.npy", "--input-range")
    for text, shown in (("0,20", "[0, 20]"), ("[-1, 13]", "[-1, 13]"), ("finite", "finite")):
        saved, told = imported(*command, text)
        assert str(saved.network.input_range) == shown
        assert f"inputs: 7 {saved.network.input_range.describe('numbers')}\n" in told
        # Bytes are only of pixels a 255th.
        np.testing.assert_array_equal(saved.examples, numbers)
    saved, told = imported(*command[:-1])
    assert "inputs: 7 numbers in [0, 1]\n" in told
    np.testing.assert_array_equal(saved.examples, numbers / np.float32(255))
    assert "wanted numbers in [0, 10]" in refused_later(*command, "0,10")
    for text in ("1,0", "nan,1", "0,inf", "any", "0", "0,1e39"):
        assert f"{text!r} is not an input range; wanted finite, or" in refused(
            *command, text, code=2
        )


def test_the_range_of_inputs_in_an_npz() -> None:
    arrays = {"W1": np.ones((3, 7)), "b1": np.ones(3), "input_range": np.array([-2.0, 2.0])}
    np.savez("w.npz", allow_pickle=False, **arrays)
    command = ("w.npz", "--output-activation", "softmax")
    saved, _ = imported(*command)
    assert str(saved.network.input_range) == "[-2, 2]"
    saved, _ = imported(*command, "--input-range", "-2,2")
    assert str(saved.network.input_range) == "[-2, 2]"
    line = refused(*command, "--input-range", "finite")
    assert line == "Error: w.npz: input_range: finite, but the source says [-2, 2]; leave it out"
    for wrong, explained in (
        ([2, -2], "'2,-2' is not an input range"),
        ([1, 2, 3], "int64 (3,), want"),
    ):
        np.savez("w.npz", allow_pickle=False, **(arrays | {"input_range": np.array(wrong)}))
        assert explained in refused(*command)


def test_npz_that_can_not_be_used() -> None:
    np.savez("w.npz", W1=np.ones((3, 7)), b1=np.ones(3))
    assert refused("w.npz") == (
        "Error: w.npz: output: arrays don't tell what the output layer computes; give it as "
        "output, --output-activation on the command line: one of softmax, sigmoid, identity; a "
        "network whose loss takes logits ends in identity"
    )
    np.savez("w.npz")
    assert "w.npz: no weights found" in refused("w.npz")
    np.savez("w.npz", W=np.array([np.ones((3, 7)), np.ones((2, 3))], dtype=object))
    assert "w.npz: W is a list of Python objects, kept as a pickle" in refused("w.npz")
    for seed, examples in ((1, None), (None, random_batch(1, 7))):
        provenance = None if seed is None else {"seed": seed}
        network.save(Path("w.npz"), NETWORK, examples=examples, provenance=provenance)
        assert "w.npz: is a weights file already; export it" in refused("w.npz")
    content = io.BytesIO()
    np.savez(content, W1=np.ones((30, 70)))
    damaged = bytearray(content.getvalue())
    damaged[2000] ^= 255
    Path("w.npz").write_bytes(damaged)
    assert "w.npz: W1 can't be read: Bad CRC-32" in refused("w.npz")
    member = io.BytesIO()
    np.save(member, np.ones((3, 7)))
    with zipfile.ZipFile("w.npz", "w") as archive:
        archive.writestr("W1.npy", member.getvalue().replace(b"}", b" "))
    assert "w.npz: W1 can't be read: " in refused("w.npz")


class Bomb:
    """Leaves a trace when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("exploded"),)


@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize("name", ["c.pkl", "c.pickle", "c.joblib", "c.npz", "c.skops", "c.pth"])
def test_pickles_are_never_opened(protocol: int, name: str) -> None:
    content = pickle.dumps(Bomb(), protocol)
    Path(name).write_bytes(content)
    line = refused(name)
    if protocol or name.startswith(("c.pkl", "c.pickle", "c.joblib")):
        assert "pickle" in line
        assert "can run any program when it is opened, so it never is" in line
        assert "safetensors.torch.save_file" in line or "importing.from_sklearn" in line
    # The same bytes inside of archives that NumPy, PyTorch and skops write.
    for member, schema in (("archive/data.pkl", "x"), ("W1.npy", "x"), ("a.npy", "schema.json")):
        with zipfile.ZipFile(name, "w") as archive:
            archive.writestr(member, content)
            archive.writestr(schema, "{}")
        refused(name)
    with zipfile.ZipFile(name, "w") as archive:
        archive.writestr("W1.npy", content)
    refused(name)
    assert not Path("exploded").exists()
    pickle.loads(content)
    assert Path("exploded").exists()


def test_files_that_are_something_else() -> None:
    def written(name: str, content: bytes) -> str:
        Path(name).write_bytes(content)
        return refused(name)

    def archive(*names: str) -> bytes:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as file:
            for name in names:
                file.writestr(name, b"")
        return content.getvalue()

    array = io.BytesIO()
    np.save(array, np.ones((3, 7)))
    assert written("net.npz", b"") == "Error: net.npz is empty; save it again"
    assert "net.pt: is a PyTorch file" in written("net.pt", archive("net/data.pkl", "net/data/0"))
    assert "net.pt is a PyTorch file" in written("net.pt", b"\x80\x02\x8a\nl\xfc\x9c")
    assert "net.h5 is a Keras file" in written("net.h5", b"\x89HDF\r\n\x1a\n" + bytes(99))
    keras = archive("config.json", "model.weights.h5")
    assert "net.keras: is a Keras file" in written("net.keras", keras)
    assert "w.npy holds one array" in written("w.npy", array.getvalue())
    assert "m.onnx: not a whole ONNX file" in written("m.onnx", b"\x08\x08\x12\x07")
    assert "t.zip: is not a file that can be imported" in written("t.zip", archive("a.txt"))
    assert "t.txt is not a file that can be imported" in written("t.txt", b"1,2,3\n")
    header = json.dumps({"x": 1}).encode()
    line = written("t.bin", struct.pack("<Q", len(header)) + header)
    assert "t.bin: not a whole safetensors file" in line
    assert refused("none.npz") == "Error: none.npz can't be read: No such file or directory"


def damageable() -> dict[str, bytes]:
    """A good file of each kind."""
    images, digits = images_and_digits()
    npz = io.BytesIO()
    np.savez(npz, allow_pickle=False, **state_dict())
    return {
        "net.npz": npz.getvalue(),
        "net.safetensors": save(state_dict()),
        "net.skops": skops.io.dumps(fitted(images, digits, hidden_layer_sizes=(2,))),
    }


FILES = damageable()


@settings(derandomize=True, max_examples=200, deadline=None)
@given(
    name=strategies.sampled_from(sorted(FILES)),
    place=strategies.floats(0, 1, exclude_max=True),
    value=strategies.integers(0, 255),
    cut=strategies.booleans(),
)
def test_damaged_files_are_read_or_refused(name: str, place: float, value: int, cut: bool) -> None:
    content = bytearray(FILES[name])
    position = int(place * len(content))
    content[position] = value
    choices = Choices() if name == "net.skops" else Choices("relu", "identity")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content[: position + 1] if cut else content)
        with contextlib.suppress(WeightsError):
            importing.from_file(path, choices)


@pytest.mark.parametrize(
    ("signature", "offset", "value"),
    [
        (b"PK\x01\x02", 0, 0),  # no directory where the archive says
        (b"PK\x01\x02", 6, 99),  # a version of the format that nobody reads
        (b"PK\x01\x02", 8, 1),  # encrypted
        (b"PK\x01\x02", 10, 99),  # a way of compressing that nobody knows
        (b"\x93NUMPY", 6, 9),  # a version of NumPy's format
    ],
)
@pytest.mark.parametrize("name", ["net.npz", "net.skops"])
def test_damaged_archives(name: str, signature: bytes, offset: int, value: int) -> None:
    content = bytearray(FILES[name])
    content[content.index(signature) + offset] = value
    Path(name).write_bytes(content)
    assert refused(name).startswith(f"Error: {name}: ")


def test_signalling_nan_is_refused_without_a_warning() -> None:
    arrays = state_dict()
    arrays["0.weight"].view(np.uint32)[1, 2] = 0x7F800001
    save_file(arrays, "net.safetensors")
    assert "0.weight: nan at [1, 2], wanted finite numbers" in refused(
        "net.safetensors", *ACTIVATIONS
    )


def test_options_that_are_refused() -> None:
    save_file(state_dict(), "net.safetensors")
    command = ("net.safetensors", *ACTIVATIONS)
    assert "give one of them" in refused(*command, "--labels", "a", "--labels-file", "b", code=2)
    line = refused(*command, "--output", "net.safetensors", code=2)
    assert "--output net.safetensors is FILE itself" in line
    assert "'a/b', wanted letters, digits" in refused(*command, "--name", "a/b", code=2)
    assert "'x', wanted a number, or a .npy file" in refused(*command, "--input-std", "x", code=2)
    assert "'x.npy', wanted a number" in refused(*command, "--input-mean", "x.npy", code=2)
    Path("labels.txt").write_bytes(b"\xff\xfe\n")
    assert "labels.txt is not text in UTF-8" in refused(*command, "--labels-file", "labels.txt")
    assert "labels: 2 for 3 output neurons" in refused(*command, "--labels", "a,b")
    np.savez("images.npz", np.ones((2, 7)), np.ones((2, 7)))
    assert "images.npz holds 2 arrays, wanted the images alone" in refused(
        *command, "--examples", "images.npz"
    )
    np.save("damaged.npy", np.ones((2, 7)))
    damaged = Path("damaged.npy").read_bytes().replace(b"}", b" ")
    for content in (b"no array", damaged):
        Path("images.npy").write_bytes(content)
        assert "images.npy can't be read" in refused(*command, "--examples", "images.npy")
        line = refused(*command, "--input-mean", "images.npy", code=2)
        assert "'images.npy', wanted a number" in line
    assert not Path("checkpoints").exists()


def test_examples_that_do_not_fit(folder: Path) -> None:
    save_file(state_dict(), "net.safetensors")
    for images, explained in (
        (np.ones((2, 8)), "examples has shape (2, 8), wanted (E, 7)"),
        (np.full((2, 7), 2.0), "examples has numbers from 2 to 2, wanted numbers in [0, 1]"),
    ):
        np.save("images.npy", images)
        result = run("net.safetensors", *ACTIVATIONS, "--examples", "images.npy")
        assert result.exit_code == 1
        assert explained in result.stderr.splitlines()[-1]
    assert not list(folder.rglob("checkpoints/*"))
