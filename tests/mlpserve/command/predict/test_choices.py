"""Options that contradict each other are refused before anything is read or sent."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.mlpserve.command.arrays.files import save_npy
from tests.mlpserve.command.test_cli import run
from tests.mlpserve.serving import Serving

REFUSED = {
    "--format csv --json": "--format csv and --json contradict each other; leave one out",
    "--format csv --output r.npy": "--format csv and --output r.npy contradict each other; leave "
    "one out, or rename the file",
    "--json --output r.csv": "--json and --output r.csv contradict each other",
    "--output r.dat": "the name r.dat doesn't show the format; give --format, or a name that "
    "ends in .txt, .json, .jsonl, .ndjson, .csv, .npy",
    "--output results": "the name results doesn't show the format; give --format",
    "--format csv --hidden": "csv has no room for --hidden; leave it out, or give --format json",
    "--output r.npy --hidden": "npy has no room for --hidden",
    "--format npy": "npy can only be written to a file; give --output FILE.npy",
    "--format npy --output /dev/null": "--output /dev/null is not a regular file, which npy needs",
    "--format csv --output .": "--output . is a folder; give the name of a file in it",
    "--output .": "--output . is a folder; give the name of a file in it",
    "--output gone/r.csv": "the folder of --output gone/r.csv does not exist; create it first",
    "--output images.npy": "--output images.npy is also an input; give another name",
    "--output link.npy": "--output link.npy is also an input; give another name",
    "--side 28": "--side is for pictures, and arrays are sent as they are; leave it out",
    "--invert no": "--invert is for pictures, and arrays are sent as they are; leave it out",
    "--side 28x28": "'28x28' is not a whole number from 1 on; give the rows of the "
    "model's images, such as 28",
    "--side 0": "'0' is not a whole number from 1 on; give the rows of the model's images",
    "--version stable": "'stable' is not a whole number from 0 on; give the number "
    "of a version, such as 1",
    "- -": "- stands for standard input, which can be read only once",
    "--format xml": "'xml' is not one of 'text', 'json', 'csv', 'npy'",
}


@pytest.mark.parametrize("options", REFUSED)
def test_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent_address: str, options: str
) -> None:
    monkeypatch.chdir(tmp_path)
    save_npy(Path("images.npy"), np.zeros((2, 784), np.uint8))
    Path("link.npy").symlink_to("images.npy")
    before = sorted(tmp_path.iterdir())
    result = run("images.npy", *options.split(), "--address", silent_address)
    assert result.exit_code == 2
    assert REFUSED[options] in result.stderr
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "options",
    [
        "--format json --json",
        "--format csv --output r.csv",
        "--format csv --output results",
        "--format json --hidden",
        "--output r.txt --hidden",
        "--invert auto",
        "--side 28 7.png",
    ],
)
def test_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serving: Serving, options: str
) -> None:
    monkeypatch.chdir(tmp_path)
    save_npy(Path("images.npy"), np.zeros((2, 784), np.uint8))
    Image.new("L", (28, 28)).save("7.png")
    run("images.npy", *options.split(), "--address", serving.address)
    assert len(serving.requests) == 1 + options.count(".png")
