"""Calls the gRPC port at a steady rate over a connection of its own, one image a call."""

import sys
import time

import grpc

from harness.calls import PREDICT, raw_method
from mlpserve.v1.classifier_pb2 import PredictRequest


def main(address: str, rate: float, seconds: float) -> None:
    """Print how many calls were answered, and the median and slowest in microseconds."""
    message = PredictRequest(pixels=[0.5] * 784).SerializeToString()
    taken = []
    with grpc.insecure_channel(address) as channel:
        predict = raw_method(channel, PREDICT)
        begin = time.perf_counter()
        for number in range(round(rate * seconds)):
            if (early := begin + number / rate - time.perf_counter()) > 0:
                time.sleep(early)
            sent = time.perf_counter()
            predict(message)
            taken.append(time.perf_counter() - sent)
    taken.sort()
    print(len(taken), taken[len(taken) // 2] * 1e6, taken[len(taken) * 99 // 100] * 1e6)


if __name__ == "__main__":
    main(sys.argv[1], *map(float, sys.argv[2:]))
