"""The lines of docs/http.md about the typed API run as they stand there."""

import json
import re
import subprocess
import sys
from pathlib import Path

from harness.server_process import ROOT, ServerProcess
from harness.waiting import PATIENCE_SECONDS
from server.http.coding.numbers import MAX_NUMBERS
from server.http.openapi.document import make
from server.http.pictures import decoder, pictures
from server.http.typed.body import FIELDS
from tests.documents import pages
from tests.programs import need

SECTION = (
    pages.text("docs/http.md")
    .partition("## The typed API as JSON")[2]
    .partition("## Open Inference Protocol")[0]
)
ADDRESS = "localhost:8080"


def test_curl(server: ServerProcess) -> None:
    need("curl", "curl")
    (block,) = pages.blocks("docs/http.md", "sh", "The typed API as JSON")
    lines = block.text.replace(ADDRESS, server.http_address)
    done = subprocess.run(
        ["sh", "-ec", lines.replace("curl ", "curl --silent --show-error --write-out '\\n' ")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert (done.returncode, done.stderr) == (0, "")
    seven, more, black, models, network, document = map(json.loads, done.stdout.splitlines())
    assert seven["labels"] == more["labels"] == [7]
    assert [len(layer[0]) for layer in more["hidden_layers"]] == [16, 16]
    assert black["canonicalization"]["inverted"] == [False]
    assert models["default_model"] == "digits"
    assert [len(layer["biases"]) for layer in network["layers"]] == [16, 16, 10]
    assert document == make()


def test_python(server: ServerProcess, tmp_path: Path) -> None:
    (block,) = pages.blocks("docs/http.md", "python", "The typed API as JSON")
    program = block.text.replace(ADDRESS, server.http_address)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"\d 0\.\d+\n\[16, 16\]\n", done.stdout)


def test_its_numbers_are_those_of_the_code() -> None:
    text = " ".join(SECTION.split())
    mebibyte = 1024 * 1024
    assert f"at most {MAX_NUMBERS:,} numbers" in text
    assert f"may have {pictures.MAX_PICTURE_BYTES // mebibyte} MiB" in text
    assert f"{decoder.MAX_PIXELS // 1_000_000} million pixels" in text
    assert f"{decoder.MAX_BYTES // mebibyte} MiB of memory" in text
    assert f"{pictures.MAX_SECONDS:g} seconds to decode; {pictures.MAX_WAITING} may wait" in text
    assert tuple(re.findall(r"^\| `(\w+)` \|", SECTION, re.MULTILINE)) == FIELDS
