"""From a file to what it says: its content tells its kind, and what can run code is not opened."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from exporter.files import READ_ERRORS, ArchiveError, check_size, read_npz
from exporter.importing import arrays, safetensors, sklearn
from exporter.importing.source import Array, Source
from exporter.network.weights_file import OTHER_KEYS, WeightsError
from modelfile.hints import command, quoted

OWN_KEYS = frozenset(OTHER_KEYS) - frozenset(arrays.FACTS)
"""What only a weights file of this program holds."""

STATE_DICT = "PyTorch state dict (safetensors)"

PICKLE_SUFFIXES = frozenset({".pkl", ".pickle", ".joblib"})

PICKLE = (
    "is a pickle, which can run any program when it is opened, so it never is; where you trust it, "
    "open it in Python and hand over what it holds: importing.from_sklearn(classifier), or "
    "skops.io.dump(classifier, 'network.skops')"
)
PYTORCH = (
    "is a PyTorch file, a pickle inside, which can run any program when it is opened, so it never "
    "is; where you trust it, convert it with PyTorch: "
    "safetensors.torch.save_file(network.state_dict(), 'network.safetensors')"
)
KERAS = (
    "is a Keras file; write its arrays with numpy.savez('network.npz', *network.get_weights()) "
    "and import that"
)
ONE_ARRAY = "holds one array; write all weights and biases with numpy.savez(path, W1=W1, b1=b1)"
UNKNOWN = (
    "is not a file that can be imported; wanted .npz (NumPy), .safetensors (PyTorch), .skops "
    "(scikit-learn) or .onnx"
)


def read(path: Path, content: bytes) -> Source:
    """Return what the content of a file says of a network.

    `path` is for messages, and for its suffix where content is not enough. Raises WeightsError
    when nothing can be read from it, saying what to do instead.
    """
    if not content:
        raise WeightsError(f"{path} is empty; save it again")
    try:
        names = _names(content)
        if names is not None:
            return _read_zip(path, content, names)
        # Eight bytes of length, then a JSON object.
        if content[8:9] == b"{":
            named, notes = safetensors.read(content)
            source = arrays.read(named)
            return replace(source, origin=STATE_DICT, notes=(*notes, *source.notes))
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    raise WeightsError(f"{path} {_explain(path, content)}")


def _names(content: bytes) -> list[str] | None:
    """Return the names in a zip archive; None if it isn't one."""
    try:
        if not zipfile.is_zipfile(io.BytesIO(content)):
            return None
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            check_size(archive)
            return archive.namelist()
    except ArchiveError as error:
        raise WeightsError(str(error)) from error
    except READ_ERRORS as error:
        raise WeightsError(f"damaged archive ({error}); save it again") from error


def _read_zip(path: Path, content: bytes, names: Sequence[str]) -> Source:
    """Return what a zip archive says, which may be NumPy's, skops's or another's."""
    if any(name.endswith("data.pkl") for name in names):
        raise WeightsError(PYTORCH)
    if any(name.endswith(".weights.h5") for name in names):
        raise WeightsError(KERAS)
    if "schema.json" in names:
        return sklearn.read_skops(content)
    if not all(name.endswith(".npy") for name in names):
        raise WeightsError(UNKNOWN)
    return arrays.read(_read_npz(path, content))


def _read_npz(path: Path, content: bytes) -> Mapping[str, Array]:
    """Return every array of an .npz file; nothing is unpickled."""
    try:
        named = read_npz(content)
    except ArchiveError as error:
        name, _, reason = str(error).rpartition(" can't be read: ")
        if "Object arrays" in reason:
            raise WeightsError(
                f"{name} is a list of Python objects, kept as a pickle, which is never opened; "
                "save each array under a name of its own: numpy.savez(path, W1=W1, b1=b1)"
            ) from error
        raise WeightsError(f"{error}; save it again") from error
    if OWN_KEYS & set(named):
        export = command(f"exporter export --weights {quoted(path)}")
        raise WeightsError(f"is a weights file already; export it: {export}")
    return named


def _explain(path: Path, content: bytes) -> str:
    """Say what a file is that can't be imported, and what to do."""
    # A pickle of protocol 2 or later opens with PROTO and the number; joblib may compress it.
    if content[0] == 0x80 or PICKLE_SUFFIXES & set(map(str.lower, path.suffixes)):
        return PYTORCH if path.suffix.lower() in {".pt", ".pth"} else PICKLE
    if content.startswith(b"\x89HDF\r\n\x1a\n"):
        return KERAS
    if content.startswith(b"\x93NUMPY"):
        return ONE_ARRAY
    return UNKNOWN
