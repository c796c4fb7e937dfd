"""Predict as JSON, for images as numbers and for pictures."""

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from mlpserve.connection.options import SERVICE
from mlpserve.images import Pixels
from mlpserve.prediction import Prediction
from mlpserve.protocol.predict import decode_response, encode_head, encode_request
from server.http import bodies
from server.http.aside import aside
from server.http.calling.timing import Timing
from server.http.coding.json_text import dump
from server.http.errors import HttpError
from server.http.grpc_port import GrpcPort
from server.http.paths.selection import selected
from server.http.pictures.pictures import MAX_PICTURE_BYTES, Pictures, kind_of
from server.http.typed import body
from server.http.typed.answers import describe_prediction
from server.http.typed.body import OPTIONS, Options

JSON, PICTURES = "application/json", ("image/png", "image/jpeg")
UNTOLD = ("", "application/octet-stream", "application/x-www-form-urlencoded")
"""Types that say nothing of the content; the last one is curl's unless told otherwise."""


class Predicting:
    """Answers predictions."""

    def __init__(self, port: GrpcPort, pictures: Pictures) -> None:
        self._port, self._pictures = port, pictures

    async def predict(self, request: Request) -> Response:
        """Answer /v1/.../predict."""
        selection = selected(request)
        kind = content_type(request)
        most = MAX_PICTURE_BYTES if kind in PICTURES else None
        content = await bodies.read_body(request, most)
        timing = Timing(request)
        is_picture = kind in PICTURES or (kind in UNTOLD and kind_of(content) is not None)
        if is_picture:
            options = read_query(request)
            expected = await self._pictures.expected(request, selection)
            pixels: Pixels = await self._pictures.read(content, expected)
        else:
            if request.query_params:
                raise refuse_query(
                    next(iter(request.query_params)),
                    "is not a query parameter for numbers; send it in the body",
                )
            pixels, options = await aside(len(content), body.read_body, content)
        timing.note("picture" if is_picture else "decode")
        head = encode_head(*selection, **options._asdict())
        question = encode_request(head, pixels)
        message = await self._port.call(f"/{SERVICE}/Predict", question, request, timing=timing)
        prediction = decode_response(message)
        timing.note("grpc")
        check_shape(pixels, prediction)
        answer = await aside(len(message), dump, describe_prediction(prediction))
        timing.note("encode")
        return Response(answer, headers=timing.headers(), media_type=JSON)


def content_type(request: Request) -> str:
    """Return the type of a request's body, one of those that are known; raises HttpError."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in (JSON, *PICTURES, *UNTOLD):
        return kind
    raise HttpError(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        f"the content type is {kind!r:.80}; send {JSON}, {' or '.join(PICTURES)}",
        reason="CONTENT_TYPE",
    )


def read_query(request: Request) -> Options:
    """Return the options of a picture, which stand in the address; raises HttpError."""
    given: dict[str, bool] = {}
    for name, text in request.query_params.multi_items():
        if name not in OPTIONS:
            raise refuse_query(name, body.explain_unknown(name, OPTIONS, "query parameter"))
        if name in given:
            raise refuse_query(name, f"{name} is given more than once; send it once")
        if text not in ("true", "false"):
            raise refuse_query(name, f"{name} is {text!r:.40}; send true or false")
        given[name] = text == "true"
    return Options(**given)


def refuse_query(name: str, description: str) -> HttpError:
    """Return the error for a query parameter."""
    return body.refuse([body.violate(name[:80], description, "QUERY")])


def check_shape(pixels: Pixels, prediction: Prediction) -> None:
    """Raise HttpError when the model found a different number of images from the lists."""
    shape, n_images = pixels.shape, len(prediction)
    if len(shape) == 1 or n_images == shape[0] or (n_images == 1 and len(shape) == 2):
        return
    n_pixels = pixels.size // n_images
    name = "pixels" if pixels.dtype.char == "f" else "pixels_u8"
    description = (
        f"{name} has {' x '.join(map(str, shape))} numbers, and {prediction.model} "
        f"{prediction.version} finds {n_images} images in them; send {n_pixels} for each image"
    )
    raise body.refuse([body.violate(name, description, "SHAPE")])
