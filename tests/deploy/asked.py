"""What the tests of the stack ask of its services, and wait for."""

import contextlib
import functools
import json
import re
from collections.abc import Callable, Iterator, Sequence

from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness import callers, scrape, waiting
from tests.deploy.engine.stack import GRPC, HTTP, Stack

ADDRESSES = ["gRPC", "page", "watch", "Prometheus", "Alertmanager", "Grafana"]
"""What `make addresses` prints, but for Jaeger's."""

PAUSE_SECONDS = 0.02
"""Between the calls of a caller, which leaves the machine to the servers."""

HANDLED = "grpc_server_handled_total"

wait_for = functools.partial(waiting.wait_for, pause_seconds=0.2, patience_seconds=150.0)
"""Each look starts a program in a container."""


def wait_for_version(stack: Stack, model: str, version: int) -> None:
    """Return once each server has this version of a model alone, or with 0 none."""
    for address in map(stack.own_address, stack.servers()):

        def is_so(address: str = address) -> bool:
            models = json.loads(stack.read(f"{address}/v1/models"))["models"]
            versions = [
                found for its in models if its["name"] == model for found in its["versions"]
            ]
            loaded = [found["version"] for found in versions if found["is_loaded"]]
            return loaded == ([version] if version else [])

        wait_for(is_so, f"each server has version {version} of {model}")


def counted(stack: Stack, server: str, name: str, **labels: str) -> float:
    """Return the sum of a server's own samples of this name with these labels, among others."""
    page = stack.read(f"{stack.own_address(server)}/metrics")
    return sum(sample.value for sample in scrape.find(page, name, labels))


def answered(stack: Stack, server: str) -> float:
    """Return the predictions that a server has answered."""
    return counted(stack, server, HANDLED, grpc_method="Predict", grpc_code="OK")


@contextlib.contextmanager
def under_load(stack: Stack, digits: tuple[Batch, Labels]) -> Iterator[Callable[[], None]]:
    """Call until the block ends, and fail unless each call has its answer; yields what waits for
    more answers.

    Half of the callers never try again, so that Envoy has to.
    """
    address = stack.address(GRPC)
    with (
        callers.load(address, digits, 2, pause_seconds=PAUSE_SECONDS) as patient,
        callers.load(
            address, digits, 2, reconnect=True, retries=False, pause_seconds=PAUSE_SECONDS
        ) as changing,
    ):

        def go_on() -> None:
            patient.go_on(50)
            changing.go_on(50)

        go_on()
        yield go_on
        go_on()
    patient.check()
    changing.check()


def check_addresses(stack: Stack, printed: Sequence[str]) -> list[str]:
    """Fail unless each printed address answers; return their names."""
    *lines, stop = printed[next(n for n, line in enumerate(printed) if line.startswith("gRPC")) :]
    assert stop == "Stop it with: make down"
    addresses = dict(line.split() for line in lines)
    assert addresses["gRPC"] == f"127.0.0.1:{GRPC}"
    urls = [address for name, address in addresses.items() if name != "gRPC"]
    assert all(re.fullmatch(r"http://127\.0\.0\.1:[1-9]\d*(/\w*)?", url) for url in urls)
    # What the page that watches reads: behind Envoy there would be none.
    urls.append(addresses["watch"].replace("/watch", "/metrics"))
    stack.sh(f"curl --fail --silent --show-error --location {' '.join(urls)} >/dev/null")
    return list(addresses)


def check_page(stack: Stack, seven: bytes) -> None:
    """Fail unless HTTP has the page, all that it loads, and the APIs, which read a picture."""
    page = stack.get(HTTP, "/").raise_for_status().text
    files = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert "/static/js/main.js" in files
    for file in files:
        assert stack.get(HTTP, file).raise_for_status().content
    (model,) = stack.get(HTTP, "/v1/models").raise_for_status().json()["models"]
    assert model["name"] == "digits"
    assert stack.get(HTTP, "/v2/health/ready").raise_for_status().json() == {"ready": True}
    answer = stack.post(HTTP, "/v1/predict", seven, "image/png").raise_for_status().json()
    assert answer["labels"] == [7]
