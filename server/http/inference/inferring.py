"""Inference: runs a model by ModelInfer."""

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from mlpserve.inference import open_inference_pb2 as protocol
from modelfile.layout import INPUT
from server.http.aside import aside
from server.http.bodies import read_body
from server.http.calling.timing import Timing
from server.http.errors import HttpError
from server.http.inference.fields import invalid
from server.http.inference.models import find_metadata
from server.http.inference.parts import LENGTH, json_length
from server.http.inference.requests import ALL_BINARY, Asked, Forms, read_request
from server.http.inference.responses import write_response
from server.http.inference.service import Service, names_of
from server.http.inference.tensors import FLOAT_BYTES, FLOATS
from server.http.paths.selection import MAX_DIGITS, Selection
from server.http.pictures.pictures import MAGIC, Pictures


class Inferring:
    """Answers inference requests."""

    def __init__(self, service: Service, pictures: Pictures) -> None:
        self._service, self._pictures = service, pictures

    async def infer(self, request: Request) -> Response:
        """Answer .../infer."""
        body = await read_body(request)
        timing = Timing(request)
        message, values, forms = await self._read(request, body)
        message.model_name, message.model_version = names_of(request)
        # Numbers are cheaper to take out of bytes, whatever becomes of them.
        message.parameters[ALL_BINARY].bool_param = True
        if isinstance(values, list):
            images = await self._read_pictures(request, values)
            message.inputs[0].datatype, message.inputs[0].shape[:] = FLOATS, images.shape
            values = images.tobytes()
        if values is not None:
            message.raw_input_contents.append(bytes(values))
        timing.note("decode")
        answer = await self._service.call(
            "ModelInfer", message, protocol.ModelInferResponse, request, timing
        )
        timing.note("grpc")
        response = await aside(answer.ByteSize(), write_response, answer, forms)
        timing.note("encode")
        response.headers.update(timing.headers())
        return response

    async def _read(self, request: Request, body: bytes) -> Asked:
        """Return what a request asks for; raises HttpError."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind in MAGIC.values():
            message = protocol.ModelInferRequest()
            message.inputs.add(name=INPUT)
            return Asked(message, [body], Forms({}, LENGTH in request.headers))
        length = json_length(request.headers, len(body))
        if length or LENGTH not in request.headers:
            return await aside(length, read_request, body, length)
        metadata = await find_metadata(self._service, request)
        return _read_raw(body, metadata.inputs[0].shape[-1])

    async def _read_pictures(
        self, request: Request, pictures: list[bytes]
    ) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
        """Return an image for each picture, (N, pixels); raises HttpError."""
        expected = await self._pictures.expected(request, _selected(request))
        images = []
        for index, picture in enumerate(pictures):
            try:
                images.append(await self._pictures.read(picture, expected))
            except HttpError as error:
                words = error.message.removeprefix("picture: ")
                error.content["error"] = f"picture {index}: {words}"
                raise
        return np.stack(images)


def _selected(request: Request) -> Selection:
    """Return what a path names; what is not a version is a label, which may be unknown."""
    model, version = names_of(request)
    if version.isascii() and version.isdigit() and len(version) < MAX_DIGITS:
        return Selection(model, int(version), "")
    return Selection(model, 0, version)


def _read_raw(values: bytes, n_pixels: int) -> Asked:
    """Return what a body asks for that is the floats of some images and nothing else; raises
    HttpError.
    """
    image_bytes = n_pixels * FLOAT_BYTES
    n_images, rest = divmod(len(values), image_bytes)
    if rest or not n_images:
        raise invalid(
            INPUT,
            f"{INPUT}: the body has {len(values)} bytes, wanted {image_bytes} for each image "
            f"({n_pixels} values of {FLOATS}); for anything else begin the body with JSON, and "
            f"give its length as {LENGTH}",
            "BYTE_COUNT",
        )
    message = protocol.ModelInferRequest()
    message.inputs.add(name=INPUT, datatype=FLOATS, shape=[n_images, n_pixels])
    return Asked(message, values, Forms({}, others=True))
