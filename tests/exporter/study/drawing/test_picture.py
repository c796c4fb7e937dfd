"""One's own pictures, as a network looks at them: what is done to them, and what can't be used."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image, ImageDraw

from exporter import cli, network
from exporter.commands import common
from exporter.network.network import Batch
from exporter.study.drawing import draw_network, picture
from exporter.study.drawing.picture import Picture, read_picture
from exporter.training.mnist import Labels
from harness.networks import random_network
from modelfile.input_range import FINITE, InputRange

SAVED = network.load(common.WEIGHTS)


def to_image(pixels: Batch) -> Image.Image:
    return Image.fromarray(np.rint(255 * pixels.reshape(28, 28)).astype(np.uint8))


def read(path: Path) -> Picture:
    return read_picture(path, SAVED.network, SAVED.image_layout)


def answer(image: Batch) -> int:
    return int(SAVED.network.forward(image[np.newaxis])[-1].argmax())


def test_images_like_those_of_the_training_stay_as_they_are(
    tmp_path: Path, digits: tuple[Batch, Labels]
) -> None:
    for number in range(20):
        to_image(digits[0][number]).save(tmp_path / "digit.png")
        found = read(tmp_path / "digit.png")
        np.testing.assert_allclose(found.image, digits[0][number], atol=1e-6)
        assert found.changes == ("28 x 28 pixels", "its ink is in its place")


@pytest.mark.parametrize("form", ["png", "jpg", "bmp", "gif", "tiff", "webp"])
@pytest.mark.parametrize("number", [0, 1, 2, 3, 4])
def test_dark_ink_on_a_large_page_is_read_as_the_digit_it_is(
    tmp_path: Path, digits: tuple[Batch, Labels], form: str, number: int
) -> None:
    page = Image.new("RGB", (400, 300), "white")
    ink = to_image(1 - digits[0][number]).resize((140, 140), Image.Resampling.BICUBIC)
    page.paste(ink.convert("RGB"), (20, 130))
    page.save(tmp_path / f"page.{form}")
    found = read(tmp_path / f"page.{form}")
    assert answer(found.image) == digits[1][number]
    size, resized, inverted, moved = found.changes
    assert (size, resized, inverted) == ("400 x 300 pixels", "resized to 28 x 28", "inverted")
    assert "its ink scaled by" in moved
    assert moved.endswith(" right")
    assert " pixels up and " in moved


def test_paper_may_be_transparent_turned_or_of_16_bits(
    tmp_path: Path, digits: tuple[Batch, Labels]
) -> None:
    digit = to_image(digits[0][0])
    for ink in (0, 255):
        layers = [Image.new("L", digit.size, ink)] * 3
        Image.merge("RGBA", [*layers, digit]).save(tmp_path / "digit.png")
        assert answer(read(tmp_path / "digit.png").image) == digits[1][0]
    exif = Image.Exif()
    exif[0x0112] = 6
    digit.rotate(90).save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_allclose(read(tmp_path / "turned.png").image, digits[0][0], atol=1e-6)
    levels = np.rint(4095 * digits[0][0].reshape(28, 28)).astype(np.uint16)
    Image.fromarray(levels).save(tmp_path / "deep.png")
    np.testing.assert_allclose(read(tmp_path / "deep.png").image, digits[0][0], atol=1e-3)


def test_without_a_layout_pictures_keep_their_brightness(tmp_path: Path) -> None:
    grey = np.linspace(0, 255, 64, dtype=np.float32).astype(np.uint8)
    Image.fromarray(grey.reshape(8, 8)).save(tmp_path / "grey.png")
    for input_range in (InputRange(0, 1), InputRange(-1, 1)):
        some = replace(random_network((64, 2)), input_range=input_range)
        found = read_picture(tmp_path / "grey.png", some, None)
        np.testing.assert_allclose(
            found.image, input_range.at(grey.astype(np.float32) / np.float32(255)), atol=1e-6
        )
        assert found.changes == ("8 x 8 pixels",)


def draw(*options: str | Path) -> Result:
    return CliRunner().invoke(cli.main, ["draw", *map(str, options)])


def test_command_draws_a_picture_and_says_what_it_did(tmp_path: Path) -> None:
    page = Image.new("L", (200, 200), 255)
    ImageDraw.Draw(page).line((100, 40, 100, 160), fill=0, width=16)
    page.save(tmp_path / "one.png")
    output = tmp_path / "one.svg"
    ended = draw("--image", tmp_path / "one.png", "--output", output)
    assert (ended.exit_code, ended.stdout) == (0, f"{output}\n")
    assert ended.stderr.startswith(
        f"{tmp_path / 'one.png'}: 200 x 200 pixels, resized to 28 x 28, inverted, its ink scaled by"
    )
    image = read(tmp_path / "one.png").image
    assert output.read_text() == draw_network(
        SAVED.network, image, layout=SAVED.image_layout, names=SAVED.neuron_names
    )
    assert "its answer is 1<" in output.read_text()


def refused(path: Path, *options: str | Path) -> str:
    ended = draw("--image", path, "--output", path.with_name("out.svg"), *options)
    assert ended.exit_code in (1, 2)
    assert not path.with_name("out.svg").exists()
    return " ".join(ended.stderr.split())


def test_errors_name_the_file_and_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.png"
    assert f"File '{path}' does not exist" in refused(path)
    path.write_bytes(b"%PDF-1.4 nothing")
    assert f"{path} is not a picture; save it as PNG or JPEG" in refused(path)
    Image.new("L", (90, 90), 255).save(path)
    assert f"{path} shows no ink: it is of one grey" in refused(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:60])
    assert f"{path} can't be read: " in refused(path)
    assert "save it as PNG or JPEG" in refused(path)
    path.write_bytes(whole)
    assert "--image and --example" in refused(path, "--example", "1")
    monkeypatch.setattr(picture, "MAX_PIXELS", 8_000)
    assert "has 90 x 90 pixels; make it smaller, up to 8,000 pixels" in refused(path)


@pytest.mark.parametrize(
    ("sizes", "input_range", "what"),
    [
        ((783, 3), InputRange(0, 1), "783 numbers in [0, 1]"),
        ((784, 3), FINITE, "784 finite numbers"),
        ((3, 3), InputRange(0, 1), "3 numbers in [0, 1]"),
    ],
)
def test_networks_that_take_no_images(
    tmp_path: Path, sizes: tuple[int, ...], input_range: InputRange, what: str
) -> None:
    Image.new("L", (28, 28)).save(tmp_path / "x.png")
    network.save(tmp_path / "w.npz", replace(random_network(sizes), input_range=input_range))
    message = refused(tmp_path / "x.png", "--weights", tmp_path / "w.npz")
    assert f"this one takes {what}; draw one of its examples with --example" in message
