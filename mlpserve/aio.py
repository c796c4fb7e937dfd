"""The client for asyncio: the calls of `mlpserve.Client`, to be awaited."""

import asyncio
from typing import Self

import grpc
import grpc.aio
import numpy.typing as npt

from mlpserve.connection.address import DEFAULT_ADDRESS
from mlpserve.connection.channels import open_aio_channel
from mlpserve.connection.credentials import Tls
from mlpserve.connection.options import SERVICE, Options
from mlpserve.connection.seconds import check_seconds
from mlpserve.connection.settings import Settings
from mlpserve.errors import (
    FEWER_IMAGES,
    DeadlineExceeded,
    Less,
    MlpserveError,
    ModelNotFound,
    Unavailable,
    from_rpc_error,
)
from mlpserve.images import Pixels, as_pixels, check_count, warn_of_scale
from mlpserve.joining.request_ids import add_request_ids, check_request_id
from mlpserve.joining.tasks import Tasks
from mlpserve.models import Model, Network
from mlpserve.prediction import Prediction
from mlpserve.protocol.catalog import decode_models, decode_network, encode_network_request
from mlpserve.protocol.health import CHECK, decode_health_response, encode_health_request
from mlpserve.protocol.predict import ResponseReader, encode_head, encode_request

_READINESS_PAUSE_SECONDS = 0.05
_NO_LESS = Less()

__all__ = ["DEFAULT_ADDRESS", "Client"]


class Client:
    """Calls a server over a connection of its own, from tasks of one event loop.

    Parameters, methods, answers and errors are those of `mlpserve.Client`. A task that is cancelled
    while it awaits a call cancels the call. The connection is made by the first call, and belongs
    to the event loop that runs then.
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
        coalesce: bool = False,
    ) -> None:
        self._settings = Settings.check(
            address, timeout_seconds, options, tls, token, plaintext_token
        )
        self._reader = ResponseReader()
        self._channel = open_aio_channel(self._settings)
        self._predict = self._method(f"/{SERVICE}/Predict")
        self._check = self._method(CHECK)
        self._list_models = self._method(f"/{SERVICE}/ListModels")
        self._get_network = self._method(f"/{SERVICE}/GetNetwork")
        self._joined: Tasks | None = None
        if coalesce:
            self._joined = Tasks(self._ask, self._predict, self._reader.read, self._settings)

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
        images: npt.ArrayLike,
        *,
        model: str = "",
        version: int = 0,
        label: str = "",
        hidden_activations: bool = False,
        canonicalize: bool = False,
        timeout_seconds: float | None = None,
        request_id: str | None = None,
    ) -> Prediction:
        """Classify one image or a batch, as `mlpserve.Client.predict` does."""
        pixels = as_pixels(images)
        warn_of_scale(pixels)
        head = encode_head(model, version, label, hidden_activations, canonicalize)
        if request_id is not None:
            check_request_id(request_id)
        try:
            if self._joined is not None:
                return await self._joined.predict(head, pixels, timeout_seconds, request_id)
            request = encode_request(head, pixels)
            return await self._ask(request, pixels, timeout_seconds, request_id)
        except MlpserveError as error:
            error.request_id = request_id
            raise

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

    def _method(self, path: str) -> "grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]":
        # Without serializers gRPC takes and gives bytes.
        return self._channel.unary_unary(path)

    async def _ask(
        self, request: bytes, pixels: Pixels, timeout_seconds: float | None, request_id: str | None
    ) -> Prediction:
        """Return the answer to a request of Predict for some pixels; raises MlpserveError."""
        less = FEWER_IMAGES
        response = await self._call(self._predict, request, timeout_seconds, less, request_id)
        prediction = self._reader.read(response)
        check_count(pixels, prediction)
        return prediction

    async def _call(
        self,
        method: "grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]",
        request: bytes,
        timeout_seconds: float | None,
        less: Less = _NO_LESS,
        request_id: str | None = None,
    ) -> bytes:
        """Return the response to a request; raises MlpserveError."""
        settings = self._settings
        metadata = settings.metadata
        if request_id is not None:
            metadata = add_request_ids(metadata, [request_id])
        try:
            return await method(
                request, timeout=settings.seconds(timeout_seconds), metadata=metadata
            )
        except grpc.RpcError as error:
            raise from_rpc_error(error, settings.address, less) from error

    async def close(self) -> None:
        """Close the connection; calls in progress end with MlpserveError or are cancelled."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        """Return the client itself."""
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Close the connection."""
        await self.close()
