"""One client for many threads, which it is closed under."""

import itertools
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from grpc_health.v1 import health_pb2

from harness.waiting import PATIENCE_SECONDS, wait_for
from mlpserve import Client, MlpserveError
from mlpserve.v1 import classifier_pb2
from tests.mlpserve.serving import start_serving
from tests.mlpserve.test_client import Health

N_THREADS, N_CALLS = 16, 20
LAYER = classifier_pb2.Layer(neurons=1, inputs=1, activation="relu", weights=[1], biases=[0])
NETWORK = classifier_pb2.GetNetworkResponse(layers=[LAYER]).SerializeToString()

OPTIONS: list[dict[str, Any]] = [
    {},
    {"connections": 3},
    {"connections": 2, "hedge_after_seconds": 0.001},
    {"compression": "gzip", "wait_for_ready": True},
]


def call_each_way(client: Client, number: int) -> None:
    """Make a call of each kind, and check that its answer is its own."""
    pixel = np.float32(number % 10)
    image = np.zeros(784, np.float32)
    image[number % 10] = 1 + pixel
    prediction = client.predict(image, hidden_activations=bool(number % 2))
    assert prediction.labels.tolist() == [number % 10]
    assert prediction.activations.max() == 1 + pixel
    assert client.predict(np.zeros((1 + number % 3, 784), np.uint8)).activations.shape[0] == (
        1 + number % 3
    )
    assert len(client.list_models()) == 2
    assert client.get_network().layers[0].weights.tolist() == [[1]]
    assert client.is_ready()


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_many_threads_share_a_client(options: dict[str, Any]) -> None:
    health = Health(health_pb2.HealthCheckResponse.SERVING)
    with (
        start_serving(health=health.handler, network=lambda _: NETWORK) as serving,
        Client(serving.address, timeout_seconds=PATIENCE_SECONDS, **options) as client,
        ThreadPoolExecutor(N_THREADS) as pool,
    ):
        list(pool.map(lambda number: call_each_way(client, number), range(N_THREADS * N_CALLS)))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_calls_end_when_the_client_is_closed(options: dict[str, Any]) -> None:
    health = Health(health_pb2.HealthCheckResponse.SERVING)
    begun, ends = itertools.count(), Counter[str]()

    def call_on() -> None:
        while True:
            next(begun)
            try:
                call_each_way(client, 1)
            except ValueError as error:
                ends[str(error)] += 1
                return
            except MlpserveError:
                ends["failed"] += 1

    with start_serving(health=health.handler, network=lambda _: NETWORK) as serving:
        client = Client(serving.address, timeout_seconds=PATIENCE_SECONDS, **options)
        threads = [threading.Thread(target=call_on) for _ in range(N_THREADS)]
        for thread in threads:
            thread.start()
        wait_for(lambda: next(begun) > 4 * N_THREADS)
        client.close()
        for thread in threads:
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive()
    # Calls in progress may fail, later ones are told why; what isn't documented counts nowhere.
    del ends["failed"]
    assert sum(ends.values()) == N_THREADS
    assert all("closed" in words for words in ends)
    client.close()
