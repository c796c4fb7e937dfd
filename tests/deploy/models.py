"""A model that tells what its training images looked like."""

import json
import shutil
from pathlib import Path

import onnx

REFERENCE = {
    "labels": [0.1] * 10,
    "winning_activation": {"bounds": [0.5, 0.9], "shares": [0.1, 0.2, 0.7]},
    "margin": {"bounds": [0.5, 0.9], "shares": [0.2, 0.2, 0.6]},
    "ink": {"bounds": [0.1, 0.2], "shares": [0.3, 0.6, 0.1]},
}


def with_reference(repository: Path, folder: Path) -> Path:
    """Return a copy of a repository in which digits, version 1, has `REFERENCE`."""
    copy = Path(shutil.copytree(repository, folder))
    file = copy / "digits" / "1" / "model.onnx"
    model = onnx.load(file)
    for entry in [entry for entry in model.metadata_props if entry.key == "reference"]:
        model.metadata_props.remove(entry)
    model.metadata_props.add(key="reference", value=json.dumps(REFERENCE))
    onnx.save(model, file)
    return copy
