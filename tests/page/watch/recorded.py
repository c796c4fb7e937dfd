"""Pages of a real server under a known load, a second apart for whoever reads them."""

import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import httpx
import numpy as np

from exporter.export import graph, publishing
from exporter.network.network import Batch
from exporter.training import reference
from harness.callers import OWN_CONNECTION
from harness.calls import ask, infer_request, predict
from harness.server_process import ServerProcess, start_server
from harness.waiting import PATIENCE_SECONDS, wait_for
from mlpserve.inference import open_inference_pb2 as protocol
from mlpserve.metrics.exposition import parse
from mlpserve.metrics.looks import total, totals
from mlpserve.v1.classifier_pb2 import PredictRequest
from tests.deploy.watched import CANARY, STABLE

BEGIN_SECONDS = 1_700_000_000
"""When the first page was read."""

N_PAGES = 24
CONNECTIONS = 4

SETTINGS = (
    *("--workers", "2", "--versions", "latest 2", "--labels", "digits: stable 1, canary 2"),
    *("--traffic", "digits: stable 70, canary 30", "--shadow", "digits: canary 100"),
)


@dataclass(slots=True)
class Sent:
    """Calls by method, and by code, and images that were answered."""

    methods: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    images: int = 0


@dataclass(frozen=True, slots=True)
class Recorded:
    """Texts of /metrics, and what had been sent before each."""

    pages: Sequence[str]
    sent: Sequence[Sent]

    @property
    def times(self) -> Sequence[int]:
        """When the pages were read, in seconds since 1970."""
        return range(BEGIN_SECONDS, BEGIN_SECONDS + len(self.pages))


def record(folder: Path, images: Batch) -> Recorded:
    """Start a server of two versions, and read its page between calls of all kinds."""
    for version, network in enumerate((STABLE, CANARY), start=1):
        model = graph.build(network, reference=reference.measure(network, images[:500]))
        publishing.publish(model, folder, "digits", version)
    pages, all_sent, sent = [], [], Sent()
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(start_server(folder, *SETTINGS))
        # Both workers get some of them.
        channels = [
            stack.enter_context(
                grpc.insecure_channel(server.grpc_address, options=[*OWN_CONNECTION.items()])
            )
            for _ in range(CONNECTIONS)
        ]
        for number in range(N_PAGES):
            pages.append(_read(server, sent))
            all_sent.append(Sent(sent.methods.copy(), sent.codes.copy(), sent.images))
            _send(channels, number, images, sent)
    return Recorded(pages, all_sent)


def _send(channels: Sequence[grpc.Channel], number: int, images: Batch, sent: Sent) -> None:
    """Send some calls of each kind, of which some fail."""
    for k in range(6 + number % 5):
        n = 1 + (7 * k + 3 * number) % 20
        pixels = (255 * images[n * k : n * (k + 1)]).astype(np.uint8)
        channel = channels[(k + number) % len(channels)]
        if k % 3 == 2:
            inferred = infer_request(pixels, model="digits")
            ask(channel, "ModelInfer", inferred, protocol.ModelInferResponse)
            sent.methods["ModelInfer"] += 1
        else:
            predict(channel, PredictRequest(pixels_u8=pixels.tobytes()))
            sent.methods["Predict"] += 1
        sent.codes["OK"] += 1
        sent.images += n
    wrong = {
        "InvalidArgument": PredictRequest(label="canary" if number % 2 else "stable", pixels=[0.5]),
        "NotFound": PredictRequest(model="nothing"),
    }
    for code, request in wrong.items():
        with contextlib.suppress(grpc.RpcError):
            predict(channels[number % len(channels)], request)
        sent.methods["Predict"] += 1
        sent.codes[code] += 1


def _read(server: ServerProcess, sent: Sent) -> str:
    """Return the page, once all that was sent is on it."""
    text = ""

    def is_complete() -> bool:
        nonlocal text
        text = httpx.get(f"http://{server.http_address}/metrics", timeout=PATIENCE_SECONDS).text
        page = parse(text)
        stable = total(page, "mlpserve_images_total", version="1")
        # What the canary did not answer it has classified too, a little later.
        shadowed, skipped = (
            total(page, f"mlpserve_shadow_{what}images_total") for what in ("", "skipped_")
        )
        ended = Counter(totals(page, "grpc_server_handled_total", "grpc_code"))
        return ended == sent.codes and stable == shadowed + skipped

    wait_for(is_complete)
    return text
