"""The gRPC server on its port: the services, each method on the lane or on threads of its own."""

from collections.abc import Callable

import grpc
import structlog
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor
from grpc_reflection.v1alpha import reflection

from mlpserve.inference import open_inference_pb2 as protocol
from mlpserve.v1 import classifier_pb2
from server import metrics
from server.access import Access
from server.addresses import is_local
from server.batching import Batcher
from server.certificates import watch_certificate
from server.reloading import Reloads
from server.rpc import (
    admin,
    catalog,
    classifier,
    connections,
    handlers,
    health,
    inference,
    instrumentation,
    lane,
)
from server.rpc.instrumentation import Instrumentation, Method
from server.rpc.pools import Pool
from server.rpc.recording import make_recording
from server.scheduling import Scheduling
from server.settings import Settings
from server.tokens import Tokens

log = structlog.get_logger()

PREDICT = f"/{classifier.SERVICE}/Predict"
INFER = f"/{inference.SERVICE}/ModelInfer"
READERS = {PREDICT: classifier.read_request, INFER: inference.read_request}
"""The hot methods, and what reads their messages."""


class Endpoint:
    """A gRPC server that listens, and answers predictions once `batcher.models` is set."""

    def __init__(self, settings: Settings, reloads: Reloads) -> None:
        """Raises StartupError when a certificate or tokens can't be read."""
        self.batcher = Batcher(
            settings.max_batch_size, settings.max_queued_images, settings.max_message_bytes
        )
        self._recording = make_recording(settings)
        self._tls = _read_certificate(settings, reloads)
        self._access = _read_tokens(settings, reloads)
        guard = None if self._access is None else self._access.refusal
        self._ready = False
        calls = settings.max_concurrent_calls
        metrics.MAX_CALLS.set(calls)
        pools = {path: Pool("predict", settings.threads, calls) for path in READERS}
        streams = Pool("stream", settings.max_streams, settings.max_streams)
        other = Pool("grpc", settings.threads, calls)
        self._server = grpc.server(
            other,
            interceptors=[Instrumentation(self._recording, other, streams, pools, guard)],
            options=connections.options(settings),
        )
        self._lane = self._make_lane(settings)
        self._mount_classifier()
        self._mount_inference()
        services = [classifier.SERVICE, inference.SERVICE]
        if settings.admin_tokens_file is not None:
            handlers.mount(self._server, admin.SERVICE, admin.methods(reloads))
            services.append(admin.SERVICE)
        instrumentation.declare(map(_descriptor, (*services, health.NAME, reflection.SERVICE_NAME)))
        self._health = health.Health(self._server, tuple(services))
        if settings.reflection != "off":
            names = (*services, health.NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, self._server)
        self._address = settings.grpc_address
        self._scheduling = settings.scheduling

    def _make_lane(self, settings: Settings) -> lane.Lane | None:
        if settings.lane == "off":
            return None
        if reason := lane.check(grpc.__version__):
            log.warning("serving without the lane, which is slower", reason=reason)
            return None
        limits = lane.Limits(
            calls=settings.max_concurrent_calls,
            messages=settings.max_arriving_messages,
            delay_seconds=settings.batch_delay_seconds,
            joined_calls=min(lane.JOINED_CALLS, settings.max_batch_size),
        )
        methods = {}
        for path, read in READERS.items():
            method = Method.of(path, self._recording)
            methods[path] = lane.Method(read, method.calls, method.recorder)
        tokens = None if self._access is None else self._access.tokens
        guard = None if tokens is None else tokens.refusal
        return lane.Lane(
            self._server, methods, self.batcher.take, limits, self.batcher.refusal, guard
        )

    def _mount_classifier(self) -> None:
        stream = handlers.stream(self.batcher, classifier.read_request)
        about = catalog.Catalog(lambda: self.batcher.models)
        methods = {
            "PredictStream": stream,
            "ListModels": handlers.plain(classifier_pb2.ListModelsRequest, about.list_models),
            "GetNetwork": handlers.plain(classifier_pb2.GetNetworkRequest, about.get_network),
        }
        if self._lane is None:
            methods["Predict"] = handlers.unary(self.batcher, classifier.read_request)
        handlers.mount(self._server, classifier.SERVICE, methods)

    def _mount_inference(self) -> None:
        about = inference.Inference(lambda: self.batcher.models, lambda: self._ready)
        methods = {
            "ServerLive": handlers.plain(protocol.ServerLiveRequest, about.server_live),
            "ServerReady": handlers.plain(protocol.ServerReadyRequest, about.server_ready),
            "ModelReady": handlers.plain(protocol.ModelReadyRequest, about.model_ready),
            "ServerMetadata": handlers.plain(protocol.ServerMetadataRequest, about.server_metadata),
            "ModelMetadata": handlers.plain(protocol.ModelMetadataRequest, about.model_metadata),
        }
        if self._lane is None:
            methods["ModelInfer"] = handlers.unary(self.batcher, inference.read_request)
        handlers.mount(self._server, inference.SERVICE, methods)

    def start(self, make_room: Callable[[], None]) -> None:
        """Listen and answer calls; raises StartupError when the address can't be had.

        `make_room` has the worker that has the address, and can't share it, stop listening.
        """
        self._binding = connections.Binding(self._server, self._address, self._tls, make_room)
        self._server.start()
        if self._lane is not None:
            self._lane.start()
            if self._scheduling == "auto":
                Scheduling(self._lane).start()

    def set_ready(self, ready: bool) -> None:
        """Tell probes and balancers whether to send calls here."""
        self._ready = ready
        self._health.set_ready(ready)

    def stop(self, grace_seconds: float) -> None:
        """Refuse new calls, let those in progress end within the grace period, and close."""
        self._binding.close()
        connections.stop_listening()
        stopped = self._server.stop(grace_seconds)
        self._health.end_watches()
        stopped.wait()
        if self._lane is not None:
            self._lane.join()
        self._recording.stop()


def _descriptor(service: str) -> ServiceDescriptor:
    return descriptor_pool.Default().FindServiceByName(service)


def _read_certificate(settings: Settings, reloads: Reloads) -> grpc.ServerCredentials | None:
    """Return TLS if the settings want it; raises StartupError when its files can't be used."""
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    files = watch_certificate(settings.tls_certificate, settings.tls_key, settings.tls_client_ca)
    reloads.watch(files)
    return connections.credentials(files)


def _read_tokens(settings: Settings, reloads: Reloads) -> Access | None:
    """Return who may call, if not everybody; raises StartupError when a file can't be used."""
    tokens = admin_tokens = None
    if settings.tokens_file is not None:
        tokens = Tokens("tokens", settings.tokens_file, "the server's tokens")
        reloads.watch(tokens.files)
    if settings.admin_tokens_file is not None:
        admin_tokens = Tokens(
            "admin_tokens", settings.admin_tokens_file, "the server's admin tokens"
        )
        reloads.watch(admin_tokens.files)
    if tokens is None and admin_tokens is None:
        return None
    if settings.tls_certificate is None and not is_local(settings.grpc_address):
        log.warning(
            "tokens travel readably, since there is no TLS",
            grpc=settings.grpc_address,
            remedy="give --tls-certificate and --tls-key, or put a proxy with TLS in front",
        )
    open_services = {health.NAME}
    if settings.reflection == "open":
        open_services.add(reflection.SERVICE_NAME)
    return Access(tokens, admin.SERVICE, admin_tokens, open_services)
