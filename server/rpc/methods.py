"""The methods that answer one message with one and run no model, and what answers each."""

from collections.abc import Callable

from grpc_health.v1 import health_pb2

from mlpserve.inference import open_inference_pb2 as protocol
from mlpserve.v1 import admin_pb2, classifier_pb2
from server.models.served import Served
from server.rpc import admin, catalog, classifier, inference
from server.rpc.health import NAME, Health
from server.rpc.inference import loading, metadata, statistics
from server.rpc.inference.asking import AskAll
from server.rpc.inference.config import Configuration
from server.rpc.inference.extensions import server_metadata
from server.rpc.inference.index import Index
from server.rpc.plain import Plain
from server.settings.settings import Settings

HEALTH_CHECK = f"/{NAME}/Check"

STATISTICS_THREADS = 4
"""Callers of ModelStatistics that share an answer."""


def plain_methods(
    settings: Settings,
    served: Served,
    ask_all: AskAll,
    health: Health,
    is_ready: Callable[[], bool],
) -> dict[str, Plain]:
    """Return the methods by their paths; `ask_all` asks all workers, `is_ready` tells whether new
    calls are wanted.
    """
    about = catalog.Catalog(served)
    config = Configuration(served, settings)
    oip = metadata.Metadata(served, is_ready, settings.max_message_bytes)
    own, theirs = f"/{classifier.SERVICE}", f"/{inference.SERVICE}"
    methods = {
        f"{own}/ListModels": Plain(classifier_pb2.ListModelsRequest, about.list_models),
        f"{own}/GetNetwork": Plain(classifier_pb2.GetNetworkRequest, about.get_network),
        f"{theirs}/ServerLive": Plain(protocol.ServerLiveRequest, oip.server_live),
        f"{theirs}/ServerReady": Plain(protocol.ServerReadyRequest, oip.server_ready),
        f"{theirs}/ModelReady": Plain(protocol.ModelReadyRequest, oip.model_ready),
        f"{theirs}/ModelMetadata": Plain(protocol.ModelMetadataRequest, oip.model_metadata),
        f"{theirs}/ModelConfig": Plain(protocol.ModelConfigRequest, config.model_config),
        f"{theirs}/RepositoryIndex": Plain(
            protocol.RepositoryIndexRequest, Index(served).repository_index
        ),
        HEALTH_CHECK: Plain(health_pb2.HealthCheckRequest, health.check),
    }
    methods |= _shared_methods(settings, served, ask_all)
    # Last, since it lists the others.
    methods[f"{theirs}/ServerMetadata"] = Plain(
        protocol.ServerMetadataRequest, server_metadata(methods, settings)
    )
    return methods


def _shared_methods(settings: Settings, served: Served, ask_all: AskAll) -> dict[str, Plain]:
    """Return the methods, by their paths, for which all workers are asked."""
    counts = statistics.Statistics(served, ask_all)
    methods = {
        f"/{inference.SERVICE}/ModelStatistics": Plain(
            protocol.ModelStatisticsRequest, counts.model_statistics, STATISTICS_THREADS
        )
    }
    if settings.admin_tokens_file is not None:
        changes = loading.Loading(served, ask_all, settings.watch == "on")
        load, unload = loading.PATHS
        reload = f"/{admin.SERVICE}/Reload"
        methods[reload] = Plain(admin_pb2.ReloadRequest, admin.reload(ask_all), 1)
        methods[load] = Plain(protocol.RepositoryModelLoadRequest, changes.load, 1)
        methods[unload] = Plain(protocol.RepositoryModelUnloadRequest, changes.unload, 1)
    return methods
