"""The client of mlpserve: send images, get their labels and every neuron's activation."""

from importlib import metadata

from mlpserve import aio
from mlpserve.client import Client
from mlpserve.connection.credentials import Tls
from mlpserve.errors import (
    DeadlineExceeded,
    ForkedProcess,
    InvalidRequest,
    InvalidResponse,
    MlpserveError,
    ModelNotFound,
    Overloaded,
    ScaleWarning,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Violation,
)
from mlpserve.models import ImageLayout, Layer, Model, ModelVersion, Network
from mlpserve.prediction import Canonicalization, Prediction
from mlpserve.streams.answer import Answer
from mlpserve.timing import Timing

try:
    __version__ = metadata.version("mlpserve")
except metadata.PackageNotFoundError:
    # The repository runs without being installed.
    __version__ = "0+repository"

__all__ = [
    "Answer",
    "Canonicalization",
    "Client",
    "DeadlineExceeded",
    "ForkedProcess",
    "ImageLayout",
    "InvalidRequest",
    "InvalidResponse",
    "Layer",
    "MlpserveError",
    "Model",
    "ModelNotFound",
    "ModelVersion",
    "Network",
    "Overloaded",
    "Prediction",
    "ScaleWarning",
    "Timing",
    "Tls",
    "TooLarge",
    "Unauthenticated",
    "Unavailable",
    "Violation",
    "__version__",
    "aio",
]
