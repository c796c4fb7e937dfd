"""A known load: calls of both protocols, some of which fail, and what they add to the counts."""

import contextlib
from collections import Counter
from dataclasses import dataclass, field

import grpc

from exporter.network.network import Batch
from harness.calls import ask, predict
from harness.forms import infer_fp32
from mlpserve.inference import open_inference_pb2 as protocol
from mlpserve.v1.classifier_pb2 import PredictRequest

LONG = "m" * 63
"""A label of a version as long as may be: wider than a phone."""

VERSIONED = ("--versions", "latest 2", "--labels", f"digits: stable 1, canary 2, {LONG} 1")
"""Settings of a server whose versions are called as follows."""

STABLE, CANARY = f"digits 1 ({LONG}, stable)", "digits 2 (canary)"


@dataclass(slots=True)
class Sent:
    """What has been sent so far."""

    methods: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    predictions: Counter[str] = field(default_factory=Counter)
    images: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    """Those that the stable version gave."""

    def send(self, channel: grpc.Channel, images: Batch) -> None:
        """Send the load once."""
        for image in images[:24]:
            answer = predict(channel, PredictRequest(model="digits", version=1, pixels=image))
            self.labels.update(answer.label_names[label] for label in answer.labels)
        for three in images[:18].reshape(6, -1):
            predict(channel, PredictRequest(model="digits", label="canary", pixels=three))
        for _ in range(4):
            inferred = protocol.ModelInferRequest.FromString(infer_fp32(2))
            ask(channel, "ModelInfer", inferred, protocol.ModelInferResponse)
        short = PredictRequest(model="digits", version=1, pixels_u8=bytes(3))
        for request in [short] * 5 + [PredictRequest(model="nothing")] * 2:
            with contextlib.suppress(grpc.RpcError):
                predict(channel, request)
        self.methods.update(Predict=24 + 6 + 5 + 2, ModelInfer=4)
        self.codes.update(InvalidArgument=5, NotFound=2)
        self.reasons.update(pixel_count=5, model_not_found=2)
        self.predictions.update({STABLE: 24 + 5, CANARY: 6 + 4})
        self.images += 24 + 6 * 3 + 4 * 2
