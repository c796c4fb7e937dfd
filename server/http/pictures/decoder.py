"""Decodes pictures for HTTP's process, in little memory, until that closes the socket.

python -m server.http.pictures.decoder PARENT
"""

import contextlib
import io
import resource
import socket
import sys
from pathlib import Path

import numpy as np
import orjson
from PIL import Image

from mlpserve.models import ImageLayout
from mlpserve.pictures import PictureError, read_picture
from server.http.pictures.process import ANSWER, LENGTHS, READY
from server.supervisor.lifeline import die_with

MAX_PIXELS = 25_000_000

MAX_BYTES = 160 * 1024 * 1024
"""Memory beside what it has before the first picture: enough for 12 million transparent pixels."""

FORMATS = ("PNG", "JPEG")
"""Pillow's names of those that are read."""

FIRST_KILLED = "1000"
"""For Linux, should memory run out."""


def main() -> None:
    """Answer questions one by one."""
    # The standard input is the socket.
    link = socket.socket(fileno=0)
    die_with(int(sys.argv[1]))
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    limit_memory()
    link.sendall(READY)
    with link.makefile("rb") as file:
        while lengths := file.read(LENGTHS.size):
            head_bytes, picture_bytes = LENGTHS.unpack(lengths)
            head, content = file.read(head_bytes), file.read(picture_bytes)
            try:
                has_image, answer = True, decode(head, content)
            except PictureError as error:
                has_image, answer = False, str(error).encode()
            link.sendall(ANSWER.pack(has_image, len(answer)) + answer)


def decode(head: bytes, content: bytes) -> bytes:
    """Return the float32 levels of a picture, as the head has a model expect it; raises
    PictureError.
    """
    expected = orjson.loads(head)
    layout = None if expected["layout"] is None else ImageLayout(**expected["layout"])
    image = read_picture(io.BytesIO(content), expected["shape"], layout, formats=FORMATS)
    return np.ascontiguousarray(image, np.float32).tobytes()


def limit_memory() -> None:
    """Let further memory be refused, which ends a picture and not the process."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_KILLED)
    lines = Path("/proc/self/status").read_text().splitlines()
    used = next(int(line.split()[1]) for line in lines if line.startswith("VmData:"))
    resource.setrlimit(resource.RLIMIT_DATA, (1024 * used + MAX_BYTES,) * 2)


if __name__ == "__main__":
    main()
