"""No picture costs another its answer: not a damaged one, nor one that the server refuses."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import grpc
import numpy as np
import pytest
from PIL import Image

from mlpserve.v1 import classifier_pb2
from tests.mlpserve.command.test_cli import run
from tests.mlpserve.serving import Answer, classify, read_batch, start_serving

Context = grpc.ServicerContext
Request = classifier_pb2.PredictRequest


@pytest.fixture
def three(tmp_path: Path) -> list[Path]:
    """Pictures whose first pixels are 0, 100 and 200."""
    paths = [tmp_path / f"{level}.png" for level in (0, 100, 200)]
    for level, path in zip((0, 100, 200), paths, strict=True):
        levels = np.zeros((28, 28), np.uint8)
        levels[0, 0] = level
        Image.fromarray(levels).save(path)
    return paths


def refuse_when(
    bad: Callable[[Request], bool], code: grpc.StatusCode = grpc.StatusCode.INVALID_ARGUMENT
) -> Answer:
    """An answer that refuses some requests."""

    def answer(request: Request, context: Context) -> classifier_pb2.PredictResponse:
        if bad(request):
            context.abort(code, "not that one")
        return classify(request)

    return answer


def holds_middle(request: Request) -> bool:
    return bool((abs(read_batch(request)[:, 0] - 100 / 255) < 0.01).any())


def test_a_picture_that_the_server_refuses(three: list[Path]) -> None:
    with start_serving(refuse_when(holds_middle)) as serving:
        result = run(*three, "--json", "--address", serving.address)
        calls = [len(read_batch(request)) for request in serving.requests]
    assert [json.loads(line)["image"] for line in result.stdout.splitlines()] == [
        str(three[0]),
        str(three[2]),
    ]
    assert result.stderr == f"Error: {three[1]}: not that one\n"
    assert result.exit_code == 1
    assert calls == [3, 1, 2, 1, 1]


def test_what_is_wrong_with_every_picture_is_said_once(three: list[Path]) -> None:
    with start_serving(refuse_when(lambda _: True)) as serving:
        result = run(*three, "--address", serving.address)
    assert (result.stdout, result.stderr, result.exit_code) == ("", "Error: not that one\n", 1)


def test_a_call_that_fails_costs_no_other_call_its_answers(three: list[Path]) -> None:
    failing = refuse_when(holds_middle, grpc.StatusCode.INTERNAL)
    names = [three[0]] * 64 + [three[1]] * 64 + [three[2]] * 2
    with start_serving(failing) as serving:
        result = run(*names, "--json", "--address", serving.address)
    assert len(result.stdout.splitlines()) == 66
    assert len(result.stderr.splitlines()) == 64
    assert "not that one" in result.stderr
    assert result.exit_code == 1


def test_things_that_are_no_files(three: list[Path], tmp_path: Path) -> None:
    pipe, empty = tmp_path / "pipe", tmp_path / "empty.png"
    os.mkfifo(pipe)
    empty.touch()
    with start_serving() as serving:
        result = run(pipe, three[0], empty, "/dev/zero", "a\0b", "--address", serving.address)
    assert result.stdout.startswith(f"{three[0]}: 0")
    lines = result.stderr.splitlines()
    # What has no name that a file can have is seen before any is read.
    assert "null" in lines[0]
    assert lines[1].startswith(f"Error: {pipe}: is a pipe or a device, not a file")
    assert lines[2] == f"Error: {empty}: is empty"
    assert lines[3].startswith("Error: /dev/zero: is a pipe or a device, not a file")
    assert len(lines) == 4


def test_a_file_too_large_to_be_a_picture(three: list[Path], tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        # A hole, which takes no place on the disk.
        file.truncate(2**29 + 1)
    with start_serving() as serving:
        result = run(large, three[0], "--address", serving.address)
    assert result.stderr == (
        f"Error: {large}: has more than 536,870,912 bytes, too many for a picture; make it "
        "smaller\n"
    )
    assert result.stdout.startswith(f"{three[0]}: 0")


def test_nothing_on_standard_input(three: list[Path]) -> None:
    with start_serving() as serving:
        result = run("-", three[0], "--address", serving.address, input=b"")
    assert result.stderr == "Error: -: is empty\n"
    assert result.stdout.startswith(f"{three[0]}: 0")


def test_what_servers_say_can_not_steer_the_terminal(three: list[Path]) -> None:
    def rename(request: Request, _: Context) -> classifier_pb2.PredictResponse:
        answer = classify(request)
        answer.model = "m\x1b[2J"
        answer.label_names[:] = [f"\x1b]0;{name}\u202e" for name in answer.label_names]
        return answer

    def refuse(_: Request, context: Context) -> classifier_pb2.PredictResponse:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no\x1b[31m, \x9b2J")

    for answer in (rename, refuse):
        with start_serving(answer) as serving:
            result = run(*three, "--address", serving.address)
        assert "\N{REPLACEMENT CHARACTER}" in result.stdout + result.stderr
        assert not {"\x1b", "\x9b", "\u202e"} & {*result.stdout, *result.stderr}
