"""Whatever lies where a model should: it is loaded and answers right, or refused with a reason."""

import copy
import os
import random
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from server.errors import ModelError
from server.models.model import load_model
from server.reasons.loads import LOADS
from server.system import memory_limits
from tests.server.models.odd_models import IMAGES, NETWORK, SIZES, WHOLE, refusal, right, written


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """Where a model's file should be, in a folder short enough for a socket's name."""
    before = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path / "model.onnx"
    os.chdir(before)


def make_socket(_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("model.onnx")


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (os.mkfifo, "a pipe"),
        (Path.mkdir, "a folder"),
        (make_socket, "a socket"),
        (lambda path: path.symlink_to("/dev/zero"), "a device"),
        (lambda path: path.symlink_to("/dev/tty"), "a device"),
    ],
)
def test_what_is_no_file_is_not_even_opened(
    place: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None], kind: str
) -> None:
    make(place)

    def fail(*_arguments: object) -> int:
        raise AssertionError("it was opened")

    monkeypatch.setattr(os, "open", fail)
    reason, message = refusal(place)
    assert (reason, f"is {kind} instead of a file" in message) == ("not_a_file", True)


def test_links_to_files_are_followed_and_others_are_not(place: Path) -> None:
    place.symlink_to(place)
    assert refusal(place)[0] == "unreadable"
    place.unlink()
    place.symlink_to("nowhere")
    assert refusal(place)[0] == "unreadable"
    place.unlink()
    target = place.with_name("target")
    target.write_bytes(WHOLE.SerializeToString())
    place.symlink_to(target)
    assert load_model(place, "small", 1).layer_sizes == SIZES


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    with path.open("wb") as file:
        # It has holes, and takes no disk.
        file.truncate(1 << 40)
    reason, message = refusal(path)
    assert reason == "too_large"
    assert f"has {1 << 40} bytes, more than max_model_bytes, {256 << 20}; raise" in message
    size = len(written(tmp_path, WHOLE).read_bytes())
    assert refusal(path, max_bytes=size - 1)[0] == "too_large"
    assert load_model(path, "small", 1, max_bytes=size)


def test_a_file_for_which_there_is_no_memory_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, WHOLE)
    monkeypatch.setattr(memory_limits, "headroom", lambda: 1000)
    reason, message = refusal(path)
    assert (reason, "and 1000 are available" in message) == ("memory", True)
    monkeypatch.setattr(memory_limits, "headroom", lambda: 64 << 20)
    assert load_model(path, "small", 1)


def test_the_tightest_limit_of_memory_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = tmp_path / "group"
    group.mkdir()
    (group / "memory.max").write_text("1000000\n")
    (group / "memory.current").write_text("400000\n")
    (group / "memory.stat").write_text("anon 1\nactive_file 30000\ninactive_file 70000\n")
    monkeypatch.setattr(memory_limits, "group_folders", lambda _controller: [tmp_path, group])
    assert memory_limits.headroom() == 700_000
    (group / "memory.max").write_text("max\n")
    free = memory_limits.headroom()
    assert free is None or free > 1_000_000


def test_workers_load_one_after_the_other_where_memory_is_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, WHOLE)
    monkeypatch.setattr(memory_limits, "headroom", lambda: 1000)
    held, begun, order = threading.Event(), threading.Event(), []

    def take() -> None:
        begun.set()
        with memory_limits.turn(path, 500):
            order.append(held.is_set())

    with memory_limits.turn(path, 500):
        other = threading.Thread(target=take)
        other.start()
        assert begun.wait(60)
        held.set()
    other.join(60)
    assert order == [True]


def damaged(content: bytes, draw: random.Random) -> bytes:
    """Cut, flip, insert, repeat or shuffle some bytes of a file."""
    changed = bytearray(content)
    for _ in range(draw.choice([1, 1, 1, 2, 8])):
        begin = draw.randrange(len(changed))
        end = min(len(changed), begin + draw.choice([1, 2, 16, 200]))
        match draw.randrange(6):
            case 0:
                del changed[begin:]
            case 1:
                changed[begin] ^= 1 << draw.randrange(8)
            case 2:
                changed[begin:begin] = draw.randbytes(end - begin)
            case 3:
                changed[end:end] = changed[begin:end]
            case 4:
                del changed[begin:end]
            case _:
                changed[begin:end] = draw.randbytes(end - begin)
        if not changed:
            break
    return bytes(changed)


def test_damaged_files_are_refused_or_answer_right(tmp_path: Path) -> None:
    draw = random.Random(12)
    whole = WHOLE.SerializeToString()
    expected = right(IMAGES)
    reasons: list[str] = []
    for _ in range(200):
        path = written(tmp_path, damaged(whole, draw))
        try:
            found = load_model(path, "small", 1)
        except ModelError as error:
            reasons.append(error.reason)
            continue
        if not found.doubt:
            for answer, wanted in zip(found.predict(IMAGES, True), expected, strict=True):
                np.testing.assert_allclose(answer, wanted, atol=1e-6)
    assert {*reasons} <= {*LOADS} - {"internal"}
    assert len({*reasons}) > 4
    assert len(reasons) < 200, "no damage was without effect, so none was really looked at"


def test_parts_in_another_order_are_the_same_model(tmp_path: Path) -> None:
    parts = []
    for field, _ in WHOLE.ListFields():
        part = onnx.ModelProto()
        if field.is_repeated:
            getattr(part, field.name).extend(getattr(WHOLE, field.name))
        elif field.message_type:
            getattr(part, field.name).CopyFrom(getattr(WHOLE, field.name))
        else:
            setattr(part, field.name, getattr(WHOLE, field.name))
        parts.append(part.SerializeToString())
    path = written(tmp_path, b"".join(reversed(parts)))
    np.testing.assert_allclose(
        load_model(path, "small", 1).predict(IMAGES)[0], right(IMAGES)[0], atol=1e-6
    )


def test_weights_as_numbers_in_place_of_bytes(tmp_path: Path) -> None:
    changed = copy.deepcopy(WHOLE)
    for tensor in changed.graph.initializer:
        tensor.float_data.extend(numpy_helper.to_array(tensor).ravel().tolist())
        tensor.ClearField("raw_data")
    found = load_model(written(tmp_path, changed), "small", 1)
    assert not found.doubt
    np.testing.assert_array_equal(found.layers[0].weights, NETWORK.layers[0].weights)
