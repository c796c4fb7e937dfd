"""The gRPC server on its port: the services, each method on the lane or on threads of its own."""

import threading
from collections.abc import Callable, Mapping
from typing import TypeAlias

import grpc
import structlog
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection

import mlpserve
from mlpserve.inference import open_inference_pb2 as protocol
from mlpserve.v1 import admin_pb2, classifier_pb2
from server.files.certificates import watch_certificate
from server.files.reload_registry import ReloadRegistry
from server.files.tokens import Tokens
from server.models.served import Served
from server.rpc import admin, catalog, classifier, handshake, health, inference, listener
from server.rpc.admission import Access
from server.rpc.lane import desk, lane
from server.rpc.threads import handlers, inside, instrumentation
from server.rpc.threads.behaviors import Method
from server.rpc.threads.instrumentation import Instrumentation
from server.rpc.threads.pools import Pool
from server.running.batcher import Batcher
from server.settings.addresses import is_local
from server.settings.settings import Settings
from server.system.scheduling import Scheduling
from server.system.threads import Threads
from server.telemetry import metrics
from server.telemetry.recording import make_recording

log = structlog.get_logger()

PREDICT = f"/{classifier.SERVICE}/Predict"
INFER = f"/{inference.SERVICE}/ModelInfer"
READERS = {PREDICT: classifier.read_request, INFER: inference.read_request}
"""The hot methods, and what reads their messages."""

HEALTH_CHECK, HEALTH_WATCH = (f"/{health.NAME}/{name}" for name in ("Check", "Watch"))
THREADS, HEALTH_THREADS = 4, 2
"""Threads for the calls that are not on the lane, and for health."""

OTHER_MESSAGES, PROBE_MESSAGES = 4, 8
"""Messages of other methods, and of probes, that arrive at the same time on the lane."""

PROBE_PATIENCE_SECONDS = 0.25
"""How long a probe's few bytes may take while others wait: a prober itself waits a second or so."""

END_SECONDS = 2.0
"""How long a stop waits, after the grace period, for runs that have not ended."""

Plain: TypeAlias = tuple[type[Message], Callable[..., Message | bytes]]
"""What a method takes, and the function that returns its answer."""


class Endpoint:
    """A gRPC server that listens, and answers predictions once `served` has models."""

    def __init__(self, settings: Settings, reloads: ReloadRegistry, served: Served) -> None:
        """Raises StartupError when a certificate or tokens can't be read."""
        self.batcher = Batcher(
            settings.max_batch_size,
            settings.max_queued_images,
            settings.max_message_bytes,
            settings.max_queued_bytes,
            served,
        )
        self._recording = make_recording(settings, mlpserve.__version__)
        self._tls = _read_certificate(settings, reloads)
        self._access = _read_tokens(settings, reloads)
        guard = None if self._access is None else self._access.refusal
        self._ready = False
        self._response_bytes = settings.max_message_bytes
        self._has_admin = settings.admin_tokens_file is not None
        calls = settings.max_concurrent_calls
        metrics.MAX_CALLS.set(calls)
        spare = settings.max_arriving_messages
        pools = {path: Pool("predict", THREADS, calls, spare) for path in READERS}
        probes = Pool("health", HEALTH_THREADS, calls, PROBE_MESSAGES, PROBE_PATIENCE_SECONDS)
        pools |= dict.fromkeys((HEALTH_CHECK, HEALTH_WATCH), probes)
        streams = Pool("stream", settings.max_streams, settings.max_streams, spare=0)
        threads = THREADS
        if lacking := inside.missing():
            log.warning("serving without parts of grpcio", grpcio=grpc.__version__, lacking=lacking)
        if not inside.HAS_OWN_THREADS:
            # They then run all calls.
            threads += settings.max_streams
        other = Pool("grpc", threads, calls)
        self._lane_reason = lane.check(grpc.__version__)
        has_lane = settings.lane == "on" and self._lane_reason is None
        self._server = grpc.server(
            other,
            interceptors=[
                Instrumentation(
                    self._recording, other, streams, pools, guard, settings.max_message_bytes
                )
            ],
            options=listener.options(settings, has_lane),
        )
        services = [classifier.SERVICE, inference.SERVICE]
        if self._has_admin:
            services.append(admin.SERVICE)
        self._health = health.Health(tuple(services))
        plain = self._plain_methods(reloads, served)
        self._threads = Threads(THREADS, "answer")
        self._lane = self._make_lane(settings, plain)
        self._mount(plain)
        instrumentation.declare(map(_descriptor, (*services, health.NAME, reflection.SERVICE_NAME)))
        if settings.reflection != "off":
            names = (*services, health.NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, self._server)
        self._address = settings.grpc_address

    def _plain_methods(self, reloads: ReloadRegistry, served: Served) -> dict[str, Plain]:
        """Return the methods, by their paths, that answer one message with one and run no model."""
        about = catalog.Catalog(served)
        oip = inference.Inference(served, lambda: self._ready)
        methods: dict[str, Plain] = {
            f"/{classifier.SERVICE}/ListModels": (
                classifier_pb2.ListModelsRequest,
                about.list_models,
            ),
            f"/{classifier.SERVICE}/GetNetwork": (
                classifier_pb2.GetNetworkRequest,
                about.get_network,
            ),
            f"/{inference.SERVICE}/ServerLive": (protocol.ServerLiveRequest, oip.server_live),
            f"/{inference.SERVICE}/ServerReady": (protocol.ServerReadyRequest, oip.server_ready),
            f"/{inference.SERVICE}/ModelReady": (protocol.ModelReadyRequest, oip.model_ready),
            f"/{inference.SERVICE}/ServerMetadata": (
                protocol.ServerMetadataRequest,
                oip.server_metadata,
            ),
            f"/{inference.SERVICE}/ModelMetadata": (
                protocol.ModelMetadataRequest,
                oip.model_metadata,
            ),
            HEALTH_CHECK: (health_pb2.HealthCheckRequest, self._health.check),
        }
        if self._has_admin:
            methods[f"/{admin.SERVICE}/Reload"] = (admin_pb2.ReloadRequest, admin.reload(reloads))
        return methods

    def _make_lane(self, settings: Settings, plain: Mapping[str, Plain]) -> lane.Lane | None:
        if settings.lane == "off":
            return None
        if self._lane_reason:
            log.warning("serving without the lane, which is slower", reason=self._lane_reason)
            return None
        calls, threads = settings.max_concurrent_calls, self._threads
        methods = {path: self._lane_method(path, read=read) for path, read in READERS.items()}
        # Small messages, of which many may come at a time.
        others = lane.Bounds("others", calls, OTHER_MESSAGES)
        for path, (kind, answer) in plain.items():
            respond = desk.responder(kind, answer)
            methods[path] = self._lane_method(
                path, answer=desk.on_threads(threads, respond), bounds=others
            )
        probes = lane.Bounds("health", calls, PROBE_MESSAGES, PROBE_PATIENCE_SECONDS)
        check = desk.responder(*plain[HEALTH_CHECK])
        methods[HEALTH_CHECK] = self._lane_method(
            HEALTH_CHECK, answer=desk.at_once(check), bounds=probes
        )
        limits = lane.Limits(
            calls=calls,
            messages=settings.max_arriving_messages,
            delay_seconds=settings.batch_delay_seconds,
            joined_calls=min(lane.JOINED_CALLS, settings.max_batch_size),
            response_bytes=settings.max_message_bytes,
            unread_bytes=settings.max_queued_bytes // 2,
        )
        return lane.Lane(self._server, methods, self.batcher.take, limits, self.batcher.refusal)

    def _lane_method(
        self,
        path: str,
        read: lane.Read | None = None,
        answer: Callable[[lane.Call], None] | None = None,
        bounds: lane.Bounds | None = None,
    ) -> lane.Method:
        method = Method.of(path, self._recording)
        guard = None if self._access is None else self._access.guard(path)
        return lane.Method(method.calls, method.recorder, read, answer, bounds, guard)

    def _mount(self, plain: Mapping[str, Plain]) -> None:
        """Leave to the ordinary server what the lane does not take."""
        stream = handlers.stream(self.batcher, classifier.read_request, self._response_bytes)
        mounted: dict[str, handlers.Handlers] = {classifier.SERVICE: {"PredictStream": stream}}
        if self._lane is None:
            for path, read in READERS.items():
                _, service, name = path.split("/")
                mounted.setdefault(service, {})[name] = handlers.unary(self.batcher, read)
            for path, (kind, answer) in plain.items():
                _, service, name = path.split("/")
                mounted.setdefault(service, {})[name] = handlers.plain(kind, answer)
        for service, methods in mounted.items():
            handlers.mount(self._server, service, methods)
        self._health.mount(self._server)

    def start(self, make_room: Callable[[], None] = lambda: None) -> None:
        """Listen and answer calls; raises StartupError when the address can't be had.

        `make_room` has the worker that has the address, and can't share it, stop listening.
        """
        self._binding = listener.Binding(self._server, self._address, self._tls, make_room)
        others = set(threading.enumerate())
        self._server.start()
        if not listener.can_stop_listening():
            log.warning("a stop may lose calls of connections that are just being made")
        self._serving = set(threading.enumerate()) - others
        if self._lane is not None:
            self._lane.start()
            Scheduling(self._lane).start()

    def set_ready(self, ready: bool) -> None:
        """Tell probes and balancers whether to send calls here."""
        self._ready = ready
        self._health.set_ready(ready)

    def missing_threads(self) -> list[str]:
        """Return which of the threads that calls can't do without have ended."""
        alive = {
            "gRPC's": all(thread.is_alive() for thread in self._serving),
            "lane": self._lane is None or self._lane.is_alive,
            "run or read": self.batcher.is_alive,
            "answer": self._threads.are_alive,
        }
        return [name for name, is_alive in alive.items() if not is_alive]

    def silent_seconds(self) -> float:
        """Return how long the lane has been busy with one thing; for one thread that asks often."""
        return 0.0 if self._lane is None else self._lane.silent_seconds()

    def stop(self, grace_seconds: float) -> None:
        """Refuse new calls, let those in progress end within the grace period, and close."""
        self._binding.close()
        listener.stop_listening()
        stopped = self._server.stop(grace_seconds)
        self._health.end_watches()
        stopped.wait()
        if self._lane is not None and not self._lane.join(END_SECONDS):
            log.warning("a run did not end, and its calls have no answer")
        self._recording.stop()


def _descriptor(service: str) -> ServiceDescriptor:
    return descriptor_pool.Default().FindServiceByName(service)


def _read_certificate(settings: Settings, reloads: ReloadRegistry) -> grpc.ServerCredentials | None:
    """Return TLS if the settings want it; raises StartupError when its files can't be used."""
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    files = watch_certificate(
        settings.tls_certificate, settings.tls_key, settings.tls_client_ca, handshake.attempt
    )
    reloads.watch(files)
    return listener.credentials(files)


def _read_tokens(settings: Settings, reloads: ReloadRegistry) -> Access | None:
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
