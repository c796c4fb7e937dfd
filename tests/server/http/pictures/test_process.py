"""What decodes pictures can be ended by them, and nothing else is."""

import asyncio
import os
import signal
import struct
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from exporter.network.network import Batch
from harness.pictures.files import png_chunk
from harness.server_process import ServerProcess, start_server
from harness.waiting import wait_for
from mlpserve.expected_images import Expected
from server.http.errors import HttpError
from server.http.pictures import pictures
from server.http.pictures.pictures import MAX_WAITING, Pictures
from server.http.pictures.process import MODULE, PictureProcess
from tests.server.http.asking import connect, violations
from tests.server.http.pictures.test_pictures import TWO, label_of

EXPECTED = Expected((28, 28), None)


@pytest.fixture
def own(repository: Path) -> Iterator[ServerProcess]:
    """A server whose processes a test may end."""
    with start_server(repository) as server:
        yield server


def decoders(parent: int) -> list[int]:
    """The process ids of those that decode pictures for a process."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    lines = {int(child): Path(f"/proc/{child}/cmdline").read_bytes() for child in children}
    return [child for child, line in lines.items() if MODULE.encode() in line.split(b"\0")]


def read(reader: Pictures) -> Batch:
    return asyncio.run(reader.read(TWO, EXPECTED))


def test_it_starts_with_the_first_picture(own: ServerProcess) -> None:
    with connect(own) as http:
        assert http.post("/v1/predict", json={"pixels": [0] * 784}).status_code == 200
        assert not decoders(own.http[0])
        assert label_of(http.post("/v1/predict", content=TWO)) == "2"
        (decoder,) = decoders(own.http[0])
        assert label_of(http.post("/v1/predict", content=TWO)) == "2"
        assert decoders(own.http[0]) == [decoder]


def test_other_requests_are_answered_meanwhile_and_after_its_end(own: ServerProcess) -> None:
    with connect(own) as http, ThreadPoolExecutor(1) as pool:
        assert label_of(http.post("/v1/predict", content=TWO)) == "2"
        (decoder,) = decoders(own.http[0])
        os.kill(decoder, signal.SIGSTOP)
        waiting = pool.submit(http.post, "/v1/predict", content=TWO)
        for path in ("/healthz", "/readyz", "/metrics", "/v1/models"):
            assert http.get(path).status_code == 200
        assert http.post("/v1/predict", json={"pixels": [0] * 784}).status_code == 200
        os.kill(decoder, signal.SIGKILL)
        answer = waiting.result()
        if answer.status_code != 200:
            assert violations(answer) == [("picture", "PICTURE")]
        assert label_of(http.post("/v1/predict", content=TWO)) == "2"
        assert decoders(own.http[0]) != [decoder]


def test_it_ends_with_the_process_that_started_it(own: ServerProcess) -> None:
    with connect(own) as http:
        assert label_of(http.post("/v1/predict", content=TWO)) == "2"
        (process,) = own.http
        (decoder,) = decoders(process)
        os.kill(process, signal.SIGKILL)
    wait_for(lambda: not Path(f"/proc/{decoder}").exists())


def test_memory_is_bounded(own: ServerProcess) -> None:
    side = 4_000
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 16, 0, 0, 0, 0))
    rows = (b"\0" + np.arange(side, dtype=">u2").tobytes()) * side
    file = b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(rows, 1))
    with connect(own) as http:
        assert label_of(http.post("/v1/predict", content=TWO)) == "2"
        (decoder,) = decoders(own.http[0])
        answer = http.post("/v1/predict", content=file + png_chunk(b"IEND", b""))
        assert (answer.status_code, violations(answer)) == (400, [("picture", "PICTURE")])
        assert "more memory than is available" in answer.json()["error"]
        assert label_of(http.post("/v1/predict", content=TWO)) == "2"
        assert decoders(own.http[0]) == [decoder]


@pytest.fixture
def reader() -> Iterator[Pictures]:
    reader = Pictures(None)  # type: ignore[arg-type]  # which models there are is not asked
    yield reader
    reader.close()


def test_time_is_bounded(reader: Pictures, monkeypatch: pytest.MonkeyPatch) -> None:
    read(reader)
    (decoder,) = decoders(os.getpid())
    os.kill(decoder, signal.SIGSTOP)
    with monkeypatch.context() as patch:
        patch.setattr(pictures, "MAX_SECONDS", 0.01)
        with pytest.raises(HttpError) as raised:
            read(reader)
    assert (raised.value.status, raised.value.content["reason"]) == (504, "PICTURE_TIME")
    assert not decoders(os.getpid())
    assert read(reader).shape == (784,)


def test_few_may_wait(reader: Pictures, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        may_end = asyncio.Event()

        async def decode(*_: object) -> str:
            await may_end.wait()
            return "held"

        monkeypatch.setattr(PictureProcess, "decode", decode)
        tasks = [asyncio.create_task(reader.read(TWO, EXPECTED)) for _ in range(MAX_WAITING + 1)]
        (first, *others), _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        error = first.exception()
        assert not others
        assert isinstance(error, HttpError)
        assert (error.status, error.content["reason"]) == (429, "TOO_MANY_PICTURES")
        assert error.headers["retry-after"] == "1"
        may_end.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(str(answer) == "picture: held" for answer in answers) == MAX_WAITING
        # None of them counts any more.
        with pytest.raises(HttpError, match="held"):
            await reader.read(TWO, EXPECTED)

    asyncio.run(scene())


def test_a_reader_that_leaves_takes_the_answer_with_it(reader: Pictures) -> None:
    async def scene() -> None:
        await reader.read(TWO, EXPECTED)
        (decoder,) = decoders(os.getpid())
        os.kill(decoder, signal.SIGSTOP)
        leaving = asyncio.create_task(reader.read(TWO, Expected((5, 5), None)))
        # It has asked, and waits, once all that can go on has done so.
        for _ in range(10):
            await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        assert (await reader.read(TWO, EXPECTED)).shape == (784,)

    asyncio.run(scene())
