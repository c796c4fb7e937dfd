"""Pictures that come by HTTP are answered as `mlpserve predict` answers them, or refused."""

import io
import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image, ImageDraw

from exporter.export import graph, publishing
from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.networks import random_network
from harness.pictures.files import png_chunk
from harness.pictures.kinds import KINDS, draw
from harness.pictures.scenes import encode
from harness.server_process import ServerProcess, start_server
from server.http.pictures.decoder import MAX_PIXELS
from server.http.pictures.pictures import MAX_PICTURE_BYTES, kind_of
from tests.mlpserve.command.test_cli import run
from tests.server.http.asking import connect, violations


@pytest.fixture(scope="module")
def http(server: ServerProcess) -> Iterator[httpx.Client]:
    with connect(server) as client:
        yield client


def draw_two(mode: str = "L") -> Image.Image:
    """A two, dark on light."""
    picture = Image.new("L", (90, 90), 235)
    corners = [(25, 30), (45, 18), (62, 32), (28, 70), (66, 70)]
    ImageDraw.Draw(picture).line(corners, fill=25, width=8)
    return picture.convert(mode)


TWO = encode(draw_two())


def label_of(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    content = answer.json()
    return str(content["label_names"][content["labels"][0]])


@pytest.mark.parametrize("canonicalize", [False, True], ids=["plain", "canonicalized"])
def test_they_are_answered_as_the_command_answers_them(
    http: httpx.Client,
    server: ServerProcess,
    digits: tuple[Batch, Labels],
    tmp_path: Path,
    canonicalize: bool,
) -> None:
    files = {kind: draw(kind, digits[0][0].reshape(28, 28), 0) for kind in list(KINDS)[::3]}
    files = {kind: file for kind, file in files.items() if kind_of(file)}
    assert len(files) > 15
    paths = [tmp_path / f"{number}.png" for number in range(len(files))]
    for path, file in zip(paths, files.values(), strict=True):
        path.write_bytes(file)
    options = ("--json", "--hidden", "--address", server.grpc_address)
    flag = ("--canonicalize",) if canonicalize else ()
    lines = run(*paths, *options, *flag).stdout.splitlines()
    query = {"hidden_activations": "true"} | ({"canonicalize": "true"} if canonicalize else {})
    for file, line in zip(files.values(), lines, strict=True):
        answer = http.post("/v1/predict", params=query, content=file).json()
        told = json.loads(line)
        assert answer["labels"] == [told["label"]]
        assert (
            dict(zip(answer["label_names"], answer["activations"][0], strict=True))
            == told["activations"]
        )
        assert [layer[0] for layer in answer["hidden_layers"]] == told["hidden_layers"]
        assert ("canonicalization" in answer) == canonicalize
        if canonicalize:
            done = {name: each[0] for name, each in answer["canonicalization"].items()}
            assert done == told["canonicalization"]


@pytest.mark.parametrize(
    "kind",
    [
        "image/png",
        "IMAGE/JPEG; q=1",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
    ],
)
def test_what_a_picture_is_stands_in_its_first_bytes(http: httpx.Client, kind: str) -> None:
    headers = {"content-type": kind}
    assert label_of(http.post("/v1/models/digits/predict", content=TWO, headers=headers)) == "2"


def test_it_needs_no_type_at_all(http: httpx.Client) -> None:
    assert label_of(http.post("/v1/models/digits/versions/1/predict", content=TWO)) == "2"


def turned() -> bytes:
    """The two on its side, and what tells to turn it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    draw_two().rotate(90).save(file, "JPEG", exif=exif)
    return file.getvalue()


def animated() -> bytes:
    file = io.BytesIO()
    draw_two().save(file, "PNG", save_all=True, append_images=[Image.new("L", (90, 90), 0)])
    return file.getvalue()


SIXTEEN_BITS = Image.fromarray(np.asarray(draw_two(), np.uint16) * np.uint16(257))


@pytest.mark.parametrize(
    "file",
    [
        encode(draw_two("P")),
        encode(draw_two("1")),
        encode(draw_two("RGBA")),
        encode(draw_two("CMYK"), "JPEG"),
        encode(SIXTEEN_BITS),
        turned(),
        animated(),
    ],
    ids=["palette", "bits", "transparent", "CMYK", "16 bits", "turned", "animated"],
)
def test_kinds_of_files(http: httpx.Client, file: bytes) -> None:
    assert label_of(http.post("/v1/predict", content=file)) == "2"


def huge(side: int) -> bytes:
    """A PNG that is small as a file."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
    rows = png_chunk(b"IDAT", zlib.compress(bytes(side * (side // 8 + 1)), 9))
    return b"\x89PNG\r\n\x1a\n" + header + rows + png_chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (TWO[: len(TWO) // 2], "damaged"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "not a picture"),
        (b"\xff\xd8\xff\xe0" + bytes(100), "not a picture"),
        (huge(5_008), f"more than {MAX_PIXELS:,} pixels; make it smaller"),
        (huge(20_000), f"more than {MAX_PIXELS:,} pixels; make it smaller"),
        (encode(Image.new("L", (50, 50), 255)), "shows no ink"),
    ],
    ids=["truncated", "no PNG", "no JPEG", "large", "bomb", "blank"],
)
def test_what_cant_be_read(http: httpx.Client, file: bytes, words: str) -> None:
    answer = http.post("/v1/predict", content=file)
    assert answer.status_code == 400
    assert violations(answer) == [("picture", "PICTURE")]
    assert words in answer.json()["error"]


def test_too_many_bytes(http: httpx.Client) -> None:
    file = TWO + bytes(MAX_PICTURE_BYTES)
    for kind in ("image/png", "application/octet-stream"):
        answer = http.post("/v1/predict", content=file, headers={"content-type": kind})
        assert answer.status_code == 413, kind


@pytest.mark.parametrize("form", ["GIF", "BMP", "WEBP", "TIFF"])
def test_other_formats(http: httpx.Client, form: str) -> None:
    file = encode(draw_two(), form)
    answer = http.post(
        "/v1/predict", content=file, headers={"content-type": f"image/{form.lower()}"}
    )
    assert answer.status_code == 415
    assert "image/png or image/jpeg" in answer.json()["error"]
    # Nor do they pass as one of the others.
    answer = http.post("/v1/predict", content=file, headers={"content-type": "image/png"})
    assert (answer.status_code, violations(answer)) == (400, [("picture", "PICTURE_FORMAT")])
    answer = http.post("/v1/predict", content=file)
    assert answer.status_code == 400
    assert "a PNG or JPEG file" in answer.json()["error"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("canonicalise=true", "canonicalise"),
        ("canonicalize=yes", "canonicalize"),
        ("canonicalize=true&canonicalize=true", "canonicalize"),
        ("pixels=1", "pixels"),
    ],
)
def test_options_in_the_address(http: httpx.Client, query: str, field: str) -> None:
    answer = http.post(f"/v1/predict?{query}", content=TWO)
    assert (answer.status_code, violations(answer)) == (400, [(field, "QUERY")])


def test_models_of_other_images(tmp_path: Path) -> None:
    sizes = {"columns": (7, 3), "small": (64, 10)}
    for name, (n_inputs, n_classes) in sizes.items():
        publishing.publish(graph.build(random_network((n_inputs, n_classes))), tmp_path, name)
    publishing.publish(graph.build(random_network((49, 10))), tmp_path, "small")
    labels = ("--labels", "small: stable 1")
    with start_server(tmp_path, *labels) as server, connect(server) as http:
        answer = http.post("/v1/models/columns/predict", content=TWO)
        assert (answer.status_code, violations(answer)) == (400, [("picture", "NO_PICTURES")])
        assert "takes 7 numbers" in answer.json()["error"]
        for path, version in (("small", 2), ("small/versions/1", 1), ("small/labels/stable", 1)):
            answer = http.post(f"/v1/models/{path}/predict", content=TWO)
            assert (answer.status_code, answer.json()["version"]) == (200, version)
        for path in ("smal", "small/versions/3", "small/labels/canary"):
            answer = http.post(f"/v1/models/{path}/predict", content=TWO)
            assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND"), path
