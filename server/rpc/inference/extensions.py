"""ServerMetadata: which extensions of the protocol a server has, under Triton's names for them."""

from collections.abc import Callable, Collection

import mlpserve
from mlpserve.inference import open_inference_pb2 as protocol
from server.rpc.inference import SERVICE
from server.settings.settings import Settings

OF_REQUESTS = ("binary_tensor_data", "classification", "parameters", "schedule_policy")
"""What ModelInfer understands."""

REPOSITORY = ("RepositoryIndex", "RepositoryModelLoad", "RepositoryModelUnload")
BY_METHODS = {
    "model_configuration": ("ModelConfig",),
    "statistics": ("ModelStatistics",),
    "model_repository": REPOSITORY,
    "model_repository(unload_dependents)": REPOSITORY,
}
"""The methods that an extension consists of."""

UNWATCHED = {"model_repository", "model_repository(unload_dependents)"}
"""Extensions that a server lacks while it loads models by itself."""


def server_metadata(
    paths: Collection[str], settings: Settings
) -> Callable[[protocol.ServerMetadataRequest], protocol.ServerMetadataResponse]:
    """Return what describes a server with the methods at these paths."""
    by_methods = [
        name
        for name, methods in BY_METHODS.items()
        if all(f"/{SERVICE}/{method}" in paths for method in methods)
        and (name not in UNWATCHED or settings.watch == "off")
    ]
    described = protocol.ServerMetadataResponse(
        name="mlpserve",
        version=mlpserve.__version__,
        extensions=sorted([*OF_REQUESTS, *by_methods]),
    )
    return lambda _request: described
