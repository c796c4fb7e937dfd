"""Prints the modules of the server that one call of each method passes; JSON, on the last line."""

import json
import sys
import tempfile
import threading
from pathlib import Path
from types import FrameType

import grpc

from harness.server_process import ROOT
from mlpserve.inference import open_inference_pb2 as protocol
from mlpserve.v1.classifier_pb2 import PredictRequest
from server.app import Server
from server.rpc.endpoint import INFER, PREDICT
from server.settings.settings import Settings

PIXELS = bytes(784)


def messages() -> dict[str, bytes]:
    """Return a message for each of the two methods, by their paths."""
    tensor = protocol.ModelInferRequest.InferInputTensor
    infer = protocol.ModelInferRequest(
        inputs=[tensor(name="pixels", datatype="UINT8", shape=[1, 784])],
        raw_input_contents=[PIXELS],
    )
    predict = PredictRequest(pixels=[0.0] * 784)
    return {PREDICT: predict.SerializeToString(), INFER: infer.SerializeToString()}


def main(repository: str, lane: str) -> None:
    """Call both methods of a server in this process."""
    seen: list[str] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(f"{ROOT}/server/"):
            name = file.removeprefix(f"{ROOT}/")
            if name not in seen:
                seen.append(name)

    threading.setprofile(note)
    with tempfile.TemporaryDirectory() as folder:
        address = f"unix:{folder}/grpc"
        settings = Settings(repository=Path(repository), grpc_address=address, lane=lane)
        server = Server(settings)
        server.start()
        visited = {}
        with grpc.insecure_channel(address) as channel:
            for path, message in messages().items():
                call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(path)
                # The first one may do what is done once.
                call(message, timeout=60)
                seen.clear()
                call(message, timeout=60)
                visited[path] = list(seen)
        server.stop()
    print(json.dumps(visited))


if __name__ == "__main__":
    main(*sys.argv[1:])
