"""Makes the image that a model expects of a picture that has come by HTTP."""

import asyncio
from http import HTTPStatus

import numpy as np
import numpy.typing as npt
from starlette.requests import Request

from mlpserve.expected_images import Expected, NoImages, expect_pictures
from server.http.catalog import find_version
from server.http.errors import LATER, HttpError
from server.http.grpc_port import GrpcPort
from server.http.paths.selection import Selection
from server.http.pictures.process import PictureProcess

MAX_PICTURE_BYTES = 8 * 1024 * 1024

MAX_WAITING = 16
"""Pictures that are decoded, one at a time, or wait for that."""

MAX_SECONDS = 10.0
"""How long one may take; nearly all take less than a tenth of a second."""

MAGIC = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
"""How the files begin, and their types."""


def kind_of(content: bytes) -> str | None:
    """Return the type of a PNG or JPEG by how it begins, None if it is neither."""
    return next((kind for magic, kind in MAGIC.items() if content.startswith(magic)), None)


class Pictures:
    """Reads pictures, for one event loop, as `mlpserve predict FILE` does."""

    def __init__(self, port: GrpcPort) -> None:
        self._port = port
        self._process = PictureProcess()
        self._turn = asyncio.Lock()
        self._n_waiting = 0

    async def expected(self, request: Request, selection: Selection) -> Expected:
        """Return which images the selected model wants made of pictures; raises HttpError."""
        model, version = await find_version(self._port, request, selection)
        try:
            return expect_pictures(model, version)
        except NoImages as error:
            raise refuse(str(error), "NO_PICTURES") from error

    async def read(self, content: bytes, expected: Expected) -> npt.NDArray[np.float32]:
        """Return the numbers (rows * columns) of a PNG or JPEG, as a model takes them; raises
        HttpError.
        """
        if kind_of(content) is None:
            raise refuse(
                f"the picture is neither PNG nor JPEG: it begins with {content[:8]!r}; convert it "
                "to one of them",
                "PICTURE_FORMAT",
            )
        if len(content) > MAX_PICTURE_BYTES:
            raise HttpError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the picture has {len(content)} bytes, more than {MAX_PICTURE_BYTES}; make it "
                "smaller",
                reason="PICTURE_BYTES",
            )
        if self._n_waiting >= MAX_WAITING:
            raise HttpError(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"{MAX_WAITING} pictures wait to be decoded; retry later, or send pixels",
                reason="TOO_MANY_PICTURES",
                headers=LATER,
            )
        self._n_waiting += 1
        try:
            async with self._turn:
                image = await self._decode(content, expected)
        finally:
            self._n_waiting -= 1
        sent = expected.encode(image.reshape(-1))
        return np.asarray(sent / np.float32(255) if sent.dtype == np.uint8 else sent, np.float32)

    def close(self) -> None:
        """End the process, if there is one."""
        self._process.end()

    async def _decode(self, content: bytes, expected: Expected) -> npt.NDArray[np.float32]:
        try:
            await self._process.start()
            async with asyncio.timeout(MAX_SECONDS):
                image = await self._process.decode(content, expected)
        except TimeoutError as error:
            self._process.end()
            raise HttpError(
                HTTPStatus.GATEWAY_TIMEOUT,
                f"the picture was not decoded within {MAX_SECONDS:g} s; make it smaller",
                reason="PICTURE_TIME",
            ) from error
        except OSError as error:
            self._process.end()
            raise refuse(
                "the picture crashed the process that decodes pictures; save it again, smaller",
                "PICTURE",
            ) from error
        except BaseException:
            # It may be about to answer, which nobody waits for any more.
            self._process.end()
            raise
        if isinstance(image, str):
            raise refuse(image, "PICTURE")
        return image


def refuse(message: str, reason: str) -> HttpError:
    """Return the error for a picture that can't be answered."""
    violation = {"field": "picture", "description": message, "reason": reason}
    return HttpError(
        HTTPStatus.BAD_REQUEST, f"picture: {message}", reason=reason, violations=[violation]
    )
