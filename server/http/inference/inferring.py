"""Inference: runs a model by ModelInfer."""

from starlette.requests import Request
from starlette.responses import Response

from mlpserve.inference import open_inference_pb2 as protocol
from modelfile.layout import INPUT
from server.http.bodies import read_body
from server.http.inference.fields import invalid
from server.http.inference.models import find_metadata, names_of
from server.http.inference.parts import LENGTH, split
from server.http.inference.requests import ALL_BINARY, Asked, Forms, read_request
from server.http.inference.responses import write_response
from server.http.inference.service import Service
from server.http.inference.tensors import FLOATS

FLOAT_BYTES = 4


class Inferring:
    """Answers inference requests."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def infer(self, request: Request) -> Response:
        """Answer .../infer."""
        content, binary = split(request.headers, await read_body(request))
        if content is None:
            message, values, forms = await self._read_raw(request, binary)
        else:
            message, values, forms = read_request(content, binary)
        message.model_name, message.model_version = names_of(request)
        # Numbers are cheaper to take out of bytes, whatever becomes of them.
        message.parameters[ALL_BINARY].bool_param = True
        assert not isinstance(values, list)
        if values is not None:
            message.raw_input_contents.append(bytes(values))
        answer = await self._service.call(
            "ModelInfer", message, protocol.ModelInferResponse, request
        )
        return write_response(answer, forms)

    async def _read_raw(self, request: Request, values: memoryview) -> Asked:
        """Return what a body asks for that is the floats of some images and nothing else; raises
        HttpError.
        """
        metadata = await find_metadata(self._service, request)
        n_pixels = metadata.inputs[0].shape[-1]
        n_images, rest = divmod(len(values), n_pixels * FLOAT_BYTES)
        if rest or not n_images:
            raise invalid(
                INPUT,
                f"{INPUT}: the body has {len(values)} bytes, wanted {n_pixels * FLOAT_BYTES} for "
                f"each image, {n_pixels} values of {FLOATS}; for anything else begin the body with "
                f"JSON, and give its length as {LENGTH}",
                "BYTE_COUNT",
            )
        message = protocol.ModelInferRequest()
        message.inputs.add(name=INPUT, datatype=FLOATS, shape=[n_images, n_pixels])
        return Asked(message, values, Forms({}, True))
