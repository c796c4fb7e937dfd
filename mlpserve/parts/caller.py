"""How both clients call: the method, its timeout and options, and the reading of answers."""

import time
from dataclasses import dataclass, replace
from typing import Any

import grpc

from mlpserve.connection.settings import Settings
from mlpserve.errors import (
    FEWER_IMAGES,
    DeadlineExceeded,
    InvalidResponse,
    MlpserveError,
    from_rpc_error,
    late,
)
from mlpserve.joining.request_ids import add_request_ids, check_request_id
from mlpserve.parts.steps import Seconds
from mlpserve.prediction import Prediction
from mlpserve.protocol.predict import ResponseReader
from mlpserve.timing import read_timing


@dataclass(frozen=True, slots=True)
class Caller:
    """Calls Predict of a server, `method`, and reads what it answers."""

    method: Any
    settings: Settings
    reader: ResponseReader
    request_id: str | None = None
    is_timed: bool = False

    def timed(self, is_timed: bool) -> "Caller":
        """Return a caller whose calls ask for their timing, or do not."""
        return replace(self, settings=self.settings.timed(), is_timed=True) if is_timed else self

    def named(self, request_id: str | None) -> "Caller":
        """Return a caller whose calls have this id in the server's log; raises TypeError and
        ValueError when it is no such id.
        """
        if request_id is None:
            return self
        check_request_id(request_id)
        metadata = add_request_ids(self.settings.metadata, [request_id])
        settings = replace(self.settings, metadata=metadata)
        return replace(self, settings=settings, request_id=request_id)

    def seconds(self, timeout_seconds: float | None) -> Seconds:
        """Return how long parts may take: all of them `timeout_seconds`, if it is given, otherwise
        each as long as any call of the client; raises TypeError and ValueError.
        """
        seconds = self.settings.seconds(timeout_seconds)
        clock = time.monotonic
        return Seconds(seconds, clock, None if timeout_seconds is None else clock() + seconds)

    def read(self, response: bytes, told: Any = ()) -> Prediction | MlpserveError:
        """Return what a response says, or why it says nothing; `told` is the trailing metadata of
        a call that has asked for its timing.
        """
        try:
            prediction = self.reader.read(response)
        except InvalidResponse as error:
            return error
        prediction.timing = read_timing(told)
        return prediction

    def explain(self, error: grpc.RpcError) -> MlpserveError:
        """Return the error for one that gRPC raised."""
        explained = from_rpc_error(error, self.settings.address, FEWER_IMAGES)
        explained.__cause__ = error
        return explained

    def late(self, seconds: float) -> DeadlineExceeded:
        """Return the error for an answer that did not come within the seconds."""
        return late(f"{self.settings.address} did not answer within {seconds:g} s")
