"""Prints a server's memory after what costs it most: large messages, compressed or not, and callers
that read no answers.
"""

import contextlib
import gzip
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
import grpc
import numpy as np
from rich.console import Console

from harness import http2
from harness.calls import raw_method
from harness.load import memory_mib, repository_option
from harness.memory_bound import MIB, server_bytes
from harness.server_process import start_server
from harness.waiting import running_threads
from mlpserve.v1.classifier_pb2 import PredictRequest
from server.rpc.endpoint import PREDICT

FRAME_BYTES = 16_000


def together(number: int, call: Callable[[], None]) -> None:
    """Make calls at the same time; how they end is of no interest."""

    def run() -> None:
        with contextlib.suppress(OSError, grpc.RpcError):
            call()

    with running_threads(number, run):
        pass


def send_compressed(address: str, body: bytes) -> None:
    """Make a call and read no more of its answer than that there is one."""
    with http2.connect(address) as connection:
        connection.begin(PREDICT, 1, (b"grpc-encoding", b"gzip"))
        content = b"\1" + len(body).to_bytes(4) + body
        for begin in range(0, len(content), FRAME_BYTES):
            flags = http2.END_STREAM if begin + FRAME_BYTES >= len(content) else 0
            connection.send(http2.DATA, content[begin : begin + FRAME_BYTES], flags, stream=1)
        for frame in connection.frames():
            if frame.kind == http2.HEADERS:
                return


def send(address: str, message: bytes) -> None:
    """Make a call on a connection of its own."""
    options = [("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(address, options=options) as channel:
        raw_method(channel, PREDICT)(message, timeout=120)


@click.command()
@click.option("--callers", default=64, show_default=True, type=click.IntRange(min=1))
@click.option("--max-message-bytes", default=16 * MIB, show_default=True)
@click.option("--max-arriving-messages", default=4, show_default=True)
@click.option("--max-queued-bytes", default=64 * MIB, show_default=True)
@click.option("--max-http-body-bytes", default=4 * MIB, show_default=True)
@repository_option
def main(
    callers: int,
    max_message_bytes: int,
    max_arriving_messages: int,
    max_queued_bytes: int,
    max_http_body_bytes: int,
    repository: Path,
) -> None:
    """Attack a server of one worker, which has the settings of the Kubernetes manifests unless told
    otherwise, and print the most memory that it has taken.
    """
    console = Console(highlight=False)
    limits = max_message_bytes, max_arriving_messages, max_queued_bytes, max_http_body_bytes
    images = min(4096, (max_message_bytes - 1000) // (784 * 4))
    pixels = np.zeros(784 * images, np.float32)
    full = PredictRequest(pixels=pixels, hidden_activations=True, canonicalize=True)
    batch, too_large = full.SerializeToString(), bytes(2 * max_message_bytes - 100)
    settings = [
        *("--max-message-bytes", str(max_message_bytes)),
        *("--max-arriving-messages", str(max_arriving_messages)),
        *("--max-queued-bytes", str(max_queued_bytes)),
        *("--max-http-body-bytes", str(max_http_body_bytes)),
    ]
    with start_server(repository, *settings) as server:
        address, peak = server.grpc_address, partial(memory_mib, server.process.pid, "VmHWM")
        console.print(f"{peak():6.0f} MiB at the start")
        for name, message in (("full batches", batch), ("twice too large", too_large)):
            body = gzip.compress(message, 9)
            together(callers, partial(send_compressed, address, body))
            console.print(f"{peak():6.0f} MiB after {name}, {len(body):,} bytes of gzip")
            together(callers // 4, partial(send, address, message))
            console.print(f"{peak():6.0f} MiB after {name}, not compressed")
    console.print(f"{server_bytes(1, *limits) / MIB:6.0f} MiB is the bound")


if __name__ == "__main__":
    main()
