"""The client for asyncio: the calls of `mlpserve.Client`, to be awaited."""

import asyncio
import functools
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable
from typing import Self, TypeVar

import grpc
import numpy as np
import numpy.typing as npt

from mlpserve.connection.address import DEFAULT_ADDRESS
from mlpserve.connection.credentials import Tls
from mlpserve.connection.loops import LoopChannel
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
from mlpserve.joining.tasks import Tasks
from mlpserve.models import Model, Network
from mlpserve.parts import tasks as parts
from mlpserve.parts.caller import Caller
from mlpserve.parts.inputs import FEW_BYTES, AsyncImages, is_large
from mlpserve.parts.steps import Asked
from mlpserve.prediction import Prediction
from mlpserve.protocol.catalog import decode_models, decode_network, encode_network_request
from mlpserve.protocol.health import CHECK, decode_health_response, encode_health_request
from mlpserve.protocol.predict import ResponseReader, encode_head, encode_request
from mlpserve.streams import tasks as streams
from mlpserve.streams.answer import Answer

_READINESS_PAUSE_SECONDS = 0.05
_NO_LESS = Less()

R = TypeVar("R")

__all__ = ["DEFAULT_ADDRESS", "Client"]


class Client:
    """Calls a server over its own connection, from the tasks of one event loop.

    Parameters, methods, answers and errors are those of `mlpserve.Client`. A task that is cancelled
    while it awaits a call cancels the call. A client may be made where no event loop runs: its
    first call connects, and from then on it belongs to the loop that runs then, until that loop is
    closed. From another loop its methods raise RuntimeError, in a forked process ForkedProcess.
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
        self._channel = LoopChannel(self._settings)
        self._predict = self._channel.unary_unary(f"/{SERVICE}/Predict")
        self._caller = Caller(self._predict, self._settings, self._reader)
        stream = self._channel.stream_stream(f"/{SERVICE}/PredictStream")
        self._stream = Caller(stream, self._settings, self._reader)
        self._check = self._channel.unary_unary(CHECK, may_wait=False)
        self._list_models = self._channel.unary_unary(f"/{SERVICE}/ListModels")
        self._get_network = self._channel.unary_unary(f"/{SERVICE}/GetNetwork")
        self._joined: Tasks | None = None
        self._joined_timed: Tasks | None = None
        if coalesce:
            joined = functools.partial(
                Tasks, begin=self._predict, read=self._reader.read, settings=self._settings
            )
            self._joined = joined(self._ask)
            self._joined_timed = joined(self._ask_timed, is_timed=True)

    @property
    def address(self) -> str:
        """Where the server is."""
        return self._settings.address

    @property
    def timeout_seconds(self) -> float:
        """How long a call may take unless it says otherwise."""
        return self._settings.timeout_seconds

    async def predict(
        self,
        images: AsyncImages,
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
        """Classify one image or a batch, as `mlpserve.Client.predict` does."""
        if (type(images) is not np.ndarray or images.nbytes > FEW_BYTES) and (
            is_large(images) or hasattr(images, "__aiter__")
        ):
            asked = Asked(model, version, label, hidden_activations, canonicalize, canonical_pixels)
            caller = self._caller.named(request_id).timed(timing)
            return await parts.predict_all(caller, images, asked, timeout_seconds, progress)
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
                return await self._predict_timed(head, request, pixels, timeout_seconds, request_id)
            if self._joined is not None:
                return await self._joined.predict(
                    head, request, pixels, timeout_seconds, request_id
                )
            return await self._ask(request, pixels, timeout_seconds, request_id)
        except MlpserveError as error:
            error.request_id = request_id
            if isinstance(error, InvalidRequest):
                explain_size(error, pixels)
            raise

    def predict_parts(
        self,
        images: AsyncImages,
        *,
        model: str = "",
        version: int = 0,
        label: str = "",
        hidden_activations: bool = False,
        canonicalize: bool = False,
        canonical_pixels: bool = False,
        timeout_seconds: float | None = None,
        timing: bool = False,
    ) -> AsyncGenerator[Prediction, None]:
        """Yield predictions part by part, as `mlpserve.Client.predict_parts` does."""
        asked = Asked(model, version, label, hidden_activations, canonicalize, canonical_pixels)
        return parts.predict_parts(self._caller.timed(timing), images, asked, timeout_seconds)

    def predict_stream(
        self,
        images: AsyncIterable[npt.ArrayLike] | Iterable[npt.ArrayLike],
        *,
        model: str = "",
        version: int = 0,
        label: str = "",
        hidden_activations: bool = False,
        canonicalize: bool = False,
        canonical_pixels: bool = False,
        timeout_seconds: float | None = None,
        timing: bool = False,
    ) -> AsyncGenerator[Answer, None]:
        """Yield an answer for each item, as `mlpserve.Client.predict_stream` does.

        The iterable may be an asynchronous one. Close the generator, such as by
        `contextlib.aclosing`, when you leave it early.
        """
        head = encode_head(
            model, version, label, hidden_activations, canonicalize, canonical_pixels
        )
        seconds = self._settings.seconds(timeout_seconds)
        return streams.predict_stream(self._stream.timed(timing), images, head, seconds)

    async def list_models(self, *, timeout_seconds: float | None = None) -> tuple[Model, ...]:
        """Return the server's models, as `mlpserve.Client.list_models` does."""
        return decode_models(await self._call(self._list_models, b"", timeout_seconds))

    async def get_network(
        self,
        *,
        model: str = "",
        version: int = 0,
        label: str = "",
        timeout_seconds: float | None = None,
    ) -> Network:
        """Return the weights and biases of a model, as `mlpserve.Client.get_network` does."""
        request = encode_network_request(model, version, label)
        return decode_network(await self._call(self._get_network, request, timeout_seconds))

    async def is_ready(self, *, timeout_seconds: float | None = None) -> bool:
        """Return whether the server is ready, as `mlpserve.Client.is_ready` does."""
        request = encode_health_request(SERVICE)
        try:
            return decode_health_response(await self._call(self._check, request, timeout_seconds))
        except (Unavailable, DeadlineExceeded, ModelNotFound):
            return False

    async def wait_until_ready(self, timeout_seconds: float) -> None:
        """Return as soon as the server is ready, as `mlpserve.Client.wait_until_ready` does."""
        check_seconds("timeout_seconds", timeout_seconds)
        try:
            async with asyncio.timeout(timeout_seconds):
                while not await self.is_ready(timeout_seconds=timeout_seconds):
                    await asyncio.sleep(_READINESS_PAUSE_SECONDS)
        except TimeoutError:
            raise DeadlineExceeded(
                f"{self.address} did not become ready in {timeout_seconds:g} s"
            ) from None

    async def _ask(
        self, request: bytes, pixels: Pixels, timeout_seconds: float | None, request_id: str | None
    ) -> Prediction:
        """Return the answer to a request of Predict for some pixels; raises MlpserveError."""
        less = FEWER_IMAGES
        response = await self._call(self._predict, request, timeout_seconds, less, request_id)
        prediction = self._reader.read(response)
        check_count(pixels, prediction)
        return prediction

    async def _predict_timed(
        self,
        head: bytes,
        request: bytes,
        pixels: Pixels,
        timeout_seconds: float | None,
        request_id: str | None,
    ) -> Prediction:
        if (joined := self._joined_timed) is not None:
            return await joined.predict(head, request, pixels, timeout_seconds, request_id)
        return await self._ask_timed(request, pixels, timeout_seconds, request_id)

    async def _ask_timed(
        self, request: bytes, pixels: Pixels, timeout_seconds: float | None, request_id: str | None
    ) -> Prediction:
        """Return the answer with its timing, as `_ask` without it."""
        method, less = self._predict.timed, FEWER_IMAGES
        response, timing = await self._call(method, request, timeout_seconds, less, request_id)
        prediction = self._reader.read(response)
        check_count(pixels, prediction)
        prediction.timing = timing
        return prediction

    async def _call(
        self,
        method: Callable[..., Awaitable[R]],
        request: bytes,
        timeout_seconds: float | None,
        less: Less = _NO_LESS,
        request_id: str | None = None,
    ) -> R:
        """Return the response to a request; raises MlpserveError."""
        settings = self._settings
        seconds = settings.seconds(timeout_seconds)
        metadata = settings.metadata
        if request_id is not None:
            metadata = add_request_ids(metadata, [request_id])
        try:
            return await method(request, timeout=seconds, metadata=metadata)
        except grpc.RpcError as error:
            raise from_rpc_error(error, settings.address, less) from error
        except asyncio.CancelledError as error:
            if (explained := self._channel.explain_cancelled()) is not None:
                raise explained from error
            raise

    async def close(self) -> None:
        """Close the connection; calls in progress end with MlpserveError."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        """Return the client itself."""
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Close the connection."""
        await self.close()
