"""A stream's items on their way: what may be sent, and which item an answer belongs to."""

from collections import deque
from dataclasses import dataclass
from typing import Any

from mlpserve.connection.settings import Settings
from mlpserve.errors import (
    FEWER_IMAGES,
    InvalidRequest,
    InvalidResponse,
    MlpserveError,
    from_status,
    placed,
    refuse_to_send,
)
from mlpserve.images import Pixels, as_pixels, check_count, doubt_scale, explain_size, warn_of
from mlpserve.parts.window import Window
from mlpserve.protocol import wire
from mlpserve.protocol.predict import ResponseReader, encode_request
from mlpserve.streams.answer import Answer, Ending
from mlpserve.v1 import classifier_pb2

MAX_ITEMS_AHEAD = 64
"""Items that may wait for their answers; see benchmarks/big_inputs.py."""

MAX_BYTES_AHEAD = 4 << 20

_RESPONSE = classifier_pb2.PredictStreamResponse
_SEND_LIMIT = "grpc.max_send_message_length"
_ANY_VALUE = 2
"""The field of google.protobuf.Any that holds the message."""


@dataclass(slots=True, eq=False)
class Item:
    """An item and its request, or why it can't be sent."""

    pixels: Pixels | None = None
    request: bytes = b""
    doubt: str | None = None
    error: TypeError | ValueError | MlpserveError | None = None
    index: int = -1


class Flight:
    """Turns items into requests and responses into answers, in the same order.

    What it counts is not guarded; `prepare` and `read` may be used from any thread.
    """

    def __init__(self, settings: Settings, reader: ResponseReader, head: bytes) -> None:
        self._address, self._reader, self._head = settings.address, reader, head
        limit = dict(settings.options).get(_SEND_LIMIT, -1)
        self._max_bytes = int(limit)
        self._window = Window(MAX_ITEMS_AHEAD, MAX_BYTES_AHEAD)
        self._items: deque[Item] = deque()
        self._n_items = self.n_answers = 0
        self.ending = Ending()

    def __len__(self) -> int:
        """Return how many items have no answer yet."""
        return len(self._items)

    @property
    def has_room(self) -> bool:
        """Whether another item may be taken."""
        return self._window.has_room

    def prepare(self, images: Any) -> Item:
        """Return an item of images with its request, or with why it can't be sent."""
        try:
            pixels = as_pixels(images)
            request = encode_request(self._head, pixels)
            if 0 <= self._max_bytes < len(request):
                raise refuse_to_send(len(request), self._max_bytes, FEWER_IMAGES)
        except (TypeError, ValueError, MlpserveError) as error:
            return Item(error=error)
        return Item(pixels, request, doubt_scale(pixels))

    def add(self, item: Item) -> None:
        """Count an item as on its way."""
        item.index, self._n_items = self._n_items, self._n_items + 1
        self._items.append(item)
        self._window.send(len(item.request))

    @property
    def oldest(self) -> Item:
        """The item that is to be answered next."""
        return self._items[0]

    def pop(self) -> None:
        """Count the oldest item as answered."""
        self._items.popleft()
        self._window.answer()
        self.n_answers += 1

    def ended(self, error: MlpserveError) -> MlpserveError:
        """Return the error that ended the stream, with how far it came."""
        return placed(error, f"the stream ended after {self.n_answers} answers")

    def ended_early(self) -> MlpserveError:
        """Return the error for a server that ended the stream while items wait for answers."""
        return self.ended(InvalidResponse("the server ended it before all items were answered"))

    def read(self, item: Item, response: bytes) -> Answer:
        """Return the answer to an item, which the response is for, if it was sent."""
        if item.pixels is None:
            return Answer(item.index, item.error, None, self.ending)
        if item.doubt is not None:
            warn_of(item.doubt)
        try:
            return self._read(response, item.index, item.pixels)
        except MlpserveError as error:
            return Answer(item.index, error, None, self.ending)

    def _read(self, response: bytes, index: int, pixels: Pixels) -> Answer:
        try:
            fields = wire.read_fields(response)
            if contents := wire.read_contents(fields, _RESPONSE.RESPONSE_FIELD_NUMBER):
                prediction = self._reader.read(bytes(contents[-1]))
                check_count(pixels, prediction)
                return Answer(index, None, prediction, self.ending)
            for packed in wire.read_contents(fields, _RESPONSE.ERROR_FIELD_NUMBER):
                for status in wire.read_contents(wire.read_fields(packed), _ANY_VALUE):
                    error = from_status(bytes(status), self._address, FEWER_IMAGES)
                    if isinstance(error, InvalidRequest):
                        explain_size(error, pixels)
                    return Answer(index, error, None, self.ending)
            raise wire.WireError("it has neither an answer nor an error")
        except wire.WireError as error:
            raise InvalidResponse(
                f"the answer is not a valid PredictStreamResponse: {error}"
            ) from error
