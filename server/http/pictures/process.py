"""The process that decodes pictures, as HTTP's process sees it: started when one comes, and killed
when it fails.
"""

import asyncio
import atexit
import os
import socket
import struct
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import numpy.typing as npt
import orjson

from mlpserve.expected_images import Expected

MODULE = "server.http.pictures.decoder"

START_SECONDS = 30.0
"""How long its imports may take, on a very busy machine."""

LENGTHS = struct.Struct("!II")
"""Of a question's JSON and of the picture that follows."""

ANSWER = struct.Struct("!?I")
"""Whether an image follows, or why there is none, and of how many bytes."""

READY = b"\0"


class PictureProcess:
    """Decodes one picture at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._link: socket.socket | None = None
        atexit.register(self.end)

    async def start(self) -> None:
        """Start it unless it runs; raises OSError."""
        if self._process is not None and self._process.poll() is None:
            return
        self.end()
        self._link, theirs = socket.socketpair()
        self._link.setblocking(False)
        warnings = [f"-W{option}" for option in sys.warnoptions]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  # of our own making
                [sys.executable, *warnings, "-m", MODULE, str(os.getpid())],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        async with asyncio.timeout(START_SECONDS):
            await self._receive(len(READY))

    async def decode(self, content: bytes, expected: Expected) -> npt.NDArray[np.float32] | str:
        """Return the image (rows, columns) of a picture, or why there is none; raises OSError when
        the process ends.
        """
        assert self._link is not None
        head = orjson.dumps(asdict(expected))
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self._link, LENGTHS.pack(len(head), len(content)) + head + content)
        has_image, n_bytes = ANSWER.unpack(await self._receive(ANSWER.size))
        answer = await self._receive(n_bytes)
        if not has_image:
            return answer.decode()
        return np.frombuffer(answer, np.float32).reshape(expected.shape)

    async def _receive(self, n_bytes: int) -> bytes:
        assert self._link is not None
        received = b""
        while len(received) < n_bytes:
            part = await asyncio.get_running_loop().sock_recv(self._link, n_bytes - len(received))
            if not part:
                raise ConnectionError("the process that decodes pictures has ended")
            received += part
        return received

    def end(self) -> None:
        """Kill it, if it runs; the next picture starts another."""
        if self._link is not None:
            self._link.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = self._link = None
