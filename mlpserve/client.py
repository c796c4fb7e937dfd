"""The client: connections of its own, calls from any thread.

One file, since more than half of it tells callers what they can give and get.
"""

import functools
import time
from collections.abc import Callable, Generator, Iterable
from typing import Self, TypeVar

import grpc
import numpy as np
import numpy.typing as npt

from mlpserve.connection.address import DEFAULT_ADDRESS
from mlpserve.connection.channels import Channels, UnaryMethod
from mlpserve.connection.credentials import Tls
from mlpserve.connection.options import SERVICE, Options
from mlpserve.connection.seconds import check_seconds
from mlpserve.connection.settings import Settings
from mlpserve.errors import (
    FEWER_IMAGES,
    DeadlineExceeded,
    InvalidRequest,
    Less,
    MlpserveError,
    ModelNotFound,
    Unavailable,
    from_rpc_error,
)
from mlpserve.images import (
    Pixels,
    as_pixels,
    check_count,
    explain_size,
    is_bright,
    warn_of_scale,
)
from mlpserve.joining.request_ids import add_request_ids, check_request_id
from mlpserve.joining.threads import Threads
from mlpserve.models import Model, Network
from mlpserve.parts import threads as parts
from mlpserve.parts.caller import Caller
from mlpserve.parts.inputs import FEW_BYTES, Images, is_large
from mlpserve.parts.steps import Asked
from mlpserve.prediction import Prediction
from mlpserve.protocol.catalog import decode_models, decode_network, encode_network_request
from mlpserve.protocol.health import CHECK, decode_health_response, encode_health_request
from mlpserve.protocol.predict import ResponseReader, encode_head, encode_request
from mlpserve.streams import threads as streams
from mlpserve.streams.answer import Answer

_READINESS_PAUSE_SECONDS = 0.05
_NO_LESS = Less()

R = TypeVar("R")

__all__ = ["DEFAULT_ADDRESS", "Client"]


class Client:
    """Calls a server over connections of its own; its methods may be called from any thread.

    In a forked process it connects anew, and raises ForkedProcess where gRPC can't work there.

    Parameters
    ----------
    address
        HOST:PORT, or another target of gRPC, such as dns:///classifier:50051; no URL. Calls go
        round over all addresses of another machine's name, and over a list such as
        ipv4:10.0.0.1:50051,10.0.0.2:50051. unix:PATH is a socket on this machine. To addresses on
        this machine goes no proxy, whatever grpc_proxy, https_proxy or http_proxy say; others go
        through it, unless no_proxy names them.
    timeout_seconds
        How long a call may take, with its retries, unless the call itself says otherwise; more than
        0, up to a year.
    options
        gRPC channel options by name, in addition to `connection.options.CHANNEL_OPTIONS` or instead
        of them.
    tls
        Whom to trust and how to identify over TLS; None for an unencrypted connection.
    token
        The bearer token that identifies this caller; sent with each call.
    plaintext_token
        Whether the token may be sent without TLS to another machine; through a proxy it is not,
        so that the connection is a direct one.
    connections
        Connections that calls go round over, to each address if there are several, up to 256. A
        server shares its connections out to its workers, so one connection uses one of them; and it
        answers at most 128 calls of a connection at once.
    retries
        How often a call is tried again that fails because the server is unavailable or stops, after
        pauses that grow from 0.05 s at most to 1 s, within the time that the call may take; up to
        4, and 0 for never. While more than half of the calls fail, none is tried again.
    hedge_after_seconds
        After this time without an answer a call is made a second time, over another connection, and
        the first good answer counts; None for never. The second calls are a tenth of all at most,
        and ten more. Not for calls that travel in parts or together.
    wait_for_ready
        Whether a call to a server that can't be reached waits for it, as long as the call may take,
        instead of failing when its retries have; except for `is_ready`.
    compression
        "gzip" to send requests compressed, for slow networks; None for as they are.
    coalesce
        Whether calls of `predict` for one image that are made at the same time, from several
        threads, travel as one request. Each keeps its own answer, errors, time and id.

    Raises
    ------
    TypeError, ValueError
        When no server can be at the address, no call can take so long, a number is out of its
        range, or if the token is malformed or would be sent unencrypted.
    OSError
        When a file of `tls` can't be read.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        timeout_seconds: float = 10.0,
        options: Options | None = None,
        tls: Tls | None = None,
        token: str | None = None,
        plaintext_token: bool = False,
        connections: int = 1,
        retries: int = 3,
        hedge_after_seconds: float | None = None,
        wait_for_ready: bool = False,
        compression: str | None = None,
        coalesce: bool = False,
    ) -> None:
        self._settings = Settings.check(
            address,
            timeout_seconds,
            options,
            tls,
            token,
            plaintext_token,
            connections=connections,
            retries=retries,
            hedge_after_seconds=hedge_after_seconds,
            wait_for_ready=wait_for_ready,
            compression=compression,
        )
        self._reader = ResponseReader()
        self._channel = Channels(self._settings)
        self._predict = self._method(f"/{SERVICE}/Predict")
        self._caller = Caller(self._predict, self._settings, self._reader)
        stream = self._channel.stream_stream(f"/{SERVICE}/PredictStream")
        self._stream = Caller(stream, self._settings, self._reader)
        self._check = self._channel.unary_unary(CHECK, may_wait=False)
        self._list_models = self._method(f"/{SERVICE}/ListModels")
        self._get_network = self._method(f"/{SERVICE}/GetNetwork")
        self._joined: Threads | None = None
        self._joined_timed: Threads | None = None
        if coalesce:
            joined = functools.partial(
                Threads,
                begin=self._predict.next_future,
                read=self._reader.read,
                settings=self._settings,
            )
            self._joined = joined(self._ask)
            # The two are never joined, so that callers that have not asked for timing don't pay for
            # it.
            self._joined_timed = joined(self._ask_timed, is_timed=True)

    @property
    def address(self) -> str:
        """Where the server is."""
        return self._settings.address

    @property
    def timeout_seconds(self) -> float:
        """How long a call may take unless it says otherwise."""
        return self._settings.timeout_seconds

    def predict(
        self,
        images: Images,
        *,
        model: str = "",
        version: int = 0,
        label: str = "",
        hidden_activations: bool = False,
        canonicalize: bool = False,
        canonical_pixels: bool = False,
        timeout_seconds: float | None = None,
        progress: bool | None = None,
        request_id: str | None = None,
        timing: bool = False,
    ) -> Prediction:
        """Classify one image, a batch, or any number of images.

        Above 4 MiB of pixels or 4,096 images, and from an iterable, they are read and sent in parts
        of 1 MiB, four in flight, all to the version that answers the first. The error of a part
        names its images, and ends the others.

        Parameters
        ----------
        images
            One image (P,) or (rows, columns), or a batch (N, P) or (N, rows, columns), row-major,
            where P is the number of pixels of the model's images, 784 for 28 x 28. A
            two-dimensional array is one image when it holds P pixels in all, otherwise a batch.
            Floats in [0, 1], 0 for black background and 1 for white ink; or uint8 from 0 to 255,
            which is a quarter of the bytes; or bool. A model of other numbers, see `input_range`
            in `list_models`, takes these as floats. Or an iterable of such images and batches.
        model
            The model's name; empty for the server's default model.
        version
            The model's version; 0 for the one that `label` names, or else the newest.
        label
            The label of a version, such as stable, in place of the version.
        hidden_activations
            Whether to return the activations of the hidden layers too.
        canonicalize
            Whether the server is to normalise the images first: light ink on black, cropped, scaled
            and centred as the images that the network was trained on. For square images.
        canonical_pixels
            Whether to return the normalised images too, as the network saw them; only with
            `canonicalize`.
        timeout_seconds
            How long this call may take, with all its parts; None for the client's own limit, which
            each part has to itself. Parts that the server is too busy for are sent again meanwhile.
        progress
            Whether parts show a progress bar, which needs rich; None for one in a terminal, after
            two seconds, if rich is there.
        request_id
            What the call is called in the server's log: up to 128 printable ASCII characters.
            Errors have it too.
        timing
            Whether the server is to tell where the call's time went: see `Prediction.timing`. Parts
            have the sums of all, more than the time that passed as some are answered together, and
            calls that travel together all have the timing of their request.

        Raises
        ------
        TypeError, ValueError
            When the images can't be sent, or `timeout_seconds` is no such time, or `request_id` no
            such id, with the remedy; nothing was sent. ValueError also after `close`.
        InvalidRequest
            When the server refuses the images, or reads a different number of images in them.
        Unauthenticated
            When the server doesn't know the token, or the call has none and needs one.
        ModelNotFound, Unavailable, DeadlineExceeded, Overloaded
            As their names say.
        MlpserveError
            Whatever else goes wrong with a call: it is the base of all these classes.

        Warns
        -----
        ScaleWarning
            When all images are nearly black: uint8 of 0 and 1, or floats divided by 255 twice.
        """
        if (type(images) is not np.ndarray or images.nbytes > FEW_BYTES) and is_large(images):
            asked = Asked(model, version, label, hidden_activations, canonicalize, canonical_pixels)
            caller = self._caller.named(request_id).timed(timing)
            return parts.predict_all(caller, images, asked, timeout_seconds, progress)
        pixels = as_pixels(images)
        head = encode_head(
            model, version, label, hidden_activations, canonicalize, canonical_pixels
        )
        if request_id is not None:
            check_request_id(request_id)
        try:
            request = encode_request(head, pixels)
            if not is_bright(request, pixels):
                warn_of_scale(pixels)
            if timing:
                return self._predict_timed(head, request, pixels, timeout_seconds, request_id)
            if self._joined is not None:
                return self._joined.predict(head, request, pixels, timeout_seconds, request_id)
            return self._ask(request, pixels, timeout_seconds, request_id)
        except MlpserveError as error:
            error.request_id = request_id
            if isinstance(error, InvalidRequest):
                explain_size(error, pixels)
            raise

    def predict_parts(
        self,
        images: Images,
        *,
        model: str = "",
        version: int = 0,
        label: str = "",
        hidden_activations: bool = False,
        canonicalize: bool = False,
        canonical_pixels: bool = False,
        timeout_seconds: float | None = None,
        timing: bool = False,
    ) -> Generator[Prediction, None, None]:
        """Classify any number of images, and yield the predictions of some at a time, in order.

        As `predict` does in parts, for more than fits into memory. Closing the generator cancels
        the calls in flight.
        """
        asked = Asked(model, version, label, hidden_activations, canonicalize, canonical_pixels)
        return parts.predict_parts(self._caller.timed(timing), images, asked, timeout_seconds)

    def predict_stream(
        self,
        images: Iterable[npt.ArrayLike],
        *,
        model: str = "",
        version: int = 0,
        label: str = "",
        hidden_activations: bool = False,
        canonicalize: bool = False,
        canonical_pixels: bool = False,
        timeout_seconds: float | None = None,
        timing: bool = False,
    ) -> Generator[Answer, None, None]:
        """Classify items over one call, and yield an `Answer` for each, in order.

        An item is what goes in one call of `predict`, whose parameters these are; one that can't be
        sent or is refused has an answer with its `error`, and the stream goes on. Another thread
        asks for the items: at most 64 of them, or 4 MiB, wait for their answers. Each answer may
        take `timeout_seconds`, the stream as long as it likes. With `timing` see `Answer.timing`.

        What ends the stream raises MlpserveError, and nothing is sent again; what the iterable
        raises follows the answers to the items before. Closing the generator ends the call, and the
        iterable if that is a generator, too.
        """
        head = encode_head(
            model, version, label, hidden_activations, canonicalize, canonical_pixels
        )
        seconds = self._settings.seconds(timeout_seconds)
        return streams.predict_stream(self._stream.timed(timing), images, head, seconds)

    def list_models(self, *, timeout_seconds: float | None = None) -> tuple[Model, ...]:
        """Return the server's models by name: their versions, those that failed to load too, and
        labels.

        Raises MlpserveError.
        """
        return decode_models(self._call(self._list_models, b"", timeout_seconds))

    def get_network(
        self,
        *,
        model: str = "",
        version: int = 0,
        label: str = "",
        timeout_seconds: float | None = None,
    ) -> Network:
        """Return the weights and biases of a model, which is named as for `predict`.

        Raises ModelNotFound, InvalidRequest when it is larger than a message, or whatever else
        MlpserveError stands for.
        """
        request = encode_network_request(model, version, label)
        response = self._call(self._get_network, request, timeout_seconds)
        return decode_network(response)

    def is_ready(self, *, timeout_seconds: float | None = None) -> bool:
        """Return whether the server can be reached and reports that its models are loaded.

        Raises MlpserveError when it can be reached but knows nothing of health checks.
        """
        try:
            response = self._call(self._check, encode_health_request(SERVICE), timeout_seconds)
        except (Unavailable, DeadlineExceeded, ModelNotFound):
            return False
        return decode_health_response(response)

    def wait_until_ready(self, timeout_seconds: float) -> None:
        """Return as soon as the server is ready; raises DeadlineExceeded if that takes too long,
        TypeError and ValueError like `Client` for its `timeout_seconds`.
        """
        check_seconds("timeout_seconds", timeout_seconds)
        end = time.monotonic() + timeout_seconds
        while (remaining := end - time.monotonic()) > 0:
            if self.is_ready(timeout_seconds=remaining):
                return
            time.sleep(min(_READINESS_PAUSE_SECONDS, max(0.0, end - time.monotonic())))
        raise DeadlineExceeded(f"{self.address} did not become ready in {timeout_seconds:g} s")

    def _method(self, path: str) -> UnaryMethod:
        return self._channel.unary_unary(path)

    def _ask(
        self, request: bytes, pixels: Pixels, timeout_seconds: float | None, request_id: str | None
    ) -> Prediction:
        """Return the answer to a request of Predict for some pixels; raises MlpserveError."""
        response = self._call(self._predict, request, timeout_seconds, FEWER_IMAGES, request_id)
        prediction = self._reader.read(response)
        check_count(pixels, prediction)
        return prediction

    def _predict_timed(
        self,
        head: bytes,
        request: bytes,
        pixels: Pixels,
        timeout_seconds: float | None,
        request_id: str | None,
    ) -> Prediction:
        if self._joined_timed is not None:
            return self._joined_timed.predict(head, request, pixels, timeout_seconds, request_id)
        return self._ask_timed(request, pixels, timeout_seconds, request_id)

    def _ask_timed(
        self, request: bytes, pixels: Pixels, timeout_seconds: float | None, request_id: str | None
    ) -> Prediction:
        """Return the answer with its timing, as `_ask` without it."""
        method, less = self._predict.timed, FEWER_IMAGES
        response, timing = self._call(method, request, timeout_seconds, less, request_id)
        prediction = self._reader.read(response)
        check_count(pixels, prediction)
        prediction.timing = timing
        return prediction

    def _call(
        self,
        method: Callable[..., R],
        request: bytes,
        timeout_seconds: float | None,
        less: Less = _NO_LESS,
        request_id: str | None = None,
    ) -> R:
        """Return the response to a request; raises MlpserveError."""
        settings = self._settings
        seconds = settings.timeout_seconds
        if timeout_seconds is not None:
            seconds = settings.seconds(timeout_seconds)
        metadata = settings.metadata
        if request_id is not None:
            metadata = add_request_ids(metadata, [request_id])
        try:
            return method(request, timeout=seconds, metadata=metadata)
        except grpc.RpcError as error:
            raise from_rpc_error(error, settings.address, less) from error

    def close(self) -> None:
        """Close the connection; calls in progress end with MlpserveError."""
        self._channel.close()

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close the connection."""
        self.close()
