"""Answers Predict with constant bytes: what a call costs before anything is done for it."""

from collections.abc import Sequence
from concurrent import futures

import click
import grpc

from mlpserve.v1 import classifier_pb2
from server.logs.setup import configure_logs
from server.rpc import classifier
from server.rpc.admission import Method
from server.rpc.endpoint import THREADS
from server.rpc.lane import lane
from server.rpc.lane.call import LaneCall, Route
from server.settings.settings import Settings
from server.system import memory
from server.system.scheduling import Scheduling
from server.telemetry.accumulators import Exemplars
from server.telemetry.recording import Recording

PREDICT = f"/{classifier.SERVICE}/Predict"
RESPONSE = classifier_pb2.PredictResponse(
    model="digits",
    version=1,
    labels=[7],
    label_names=[str(digit) for digit in range(10)],
    activations=[0.0] * 10,
).SerializeToString()


class Uncounted:
    """A method's calls, which nobody counts."""

    def start(self) -> float:
        """Take no note of a call."""
        return 0.0

    def end(self, _begin: float, _code: str, _received: int, _sent: int) -> float:
        """Take no note of its end."""
        return 0.0

    def exchange(self, received: int = 0, sent: int = 0) -> None:
        """Take no note of its messages."""


def answer_all(calls: Sequence[LaneCall]) -> None:
    """Answer calls that have met."""
    for call in calls:
        call.answer(RESPONSE)


@click.command()
@click.argument("address")
@click.option("--lane", "on_lane", is_flag=True, help="On the lane, not on grpcio's thread pool.")
def main(address: str, on_lane: bool) -> None:
    """Answer every Predict at ADDRESS (HOST:PORT) with the same bytes, until told to stop."""
    settings = Settings()
    configure_logs("warning", "auto")
    limit = settings.max_message_bytes
    server = grpc.server(
        futures.ThreadPoolExecutor(THREADS),
        options=[
            ("grpc.http2.bdp_probe", 0),
            ("grpc.max_receive_message_length", limit),
            ("grpc.so_reuseport", 0),
        ],
    )
    server.add_insecure_port(address)
    if on_lane:
        limits = lane.Limits(
            calls=settings.max_concurrent_calls,
            messages=settings.max_arriving_messages,
            delay_seconds=0.0,
            joined_calls=lane.JOINED_CALLS,
        )
        method = Method(Uncounted(), Recording(0, 0).recorder(PREDICT, Exemplars(())))
        route = Route(method, read=classifier.read_request)
        hot = lane.Lane(server, {PREDICT: route}, answer_all, limits)
        server.start()
        hot.start()
        Scheduling(hot).start()
    else:
        handler: grpc.RpcMethodHandler[bytes, bytes]
        handler = grpc.unary_unary_rpc_method_handler(lambda _message, _context: RESPONSE)
        handlers = grpc.method_handlers_generic_handler(classifier.SERVICE, {"Predict": handler})
        server.add_generic_rpc_handlers((handlers,))
        server.start()
    memory.freeze()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
