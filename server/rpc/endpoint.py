"""The gRPC server on its port: the services, each method on the lane or on threads of its own."""

import threading
from collections.abc import Callable, Mapping

import grpc
import structlog
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor

import mlpserve
from server.files.certificates import watch_certificate
from server.files.reload_registry import ReloadRegistry
from server.files.tokens import Tokens
from server.models.served import Served
from server.rpc import admin, classifier, health, inference, reflection
from server.rpc.admission import Admission, Gate, declare
from server.rpc.inference import loading, requests
from server.rpc.inference.asking import AskAll
from server.rpc.lane import lane
from server.rpc.lane.call import LaneCall, Route
from server.rpc.lane.outbox import Outbox
from server.rpc.lane.versions import check
from server.rpc.listening import binding, handshake, stopping, tls
from server.rpc.listening.options import options
from server.rpc.methods import HEALTH_CHECK, plain_methods
from server.rpc.plain import Plain
from server.rpc.threads import inside, streams
from server.rpc.threads.pools import Pool
from server.rpc.threads.service import (
    Service,
    respond_alone,
)
from server.running.batcher import Batcher
from server.settings.addresses import is_local
from server.settings.settings import Settings
from server.system.scheduling import Scheduling
from server.system.threads import Threads
from server.telemetry import metrics
from server.telemetry.recording import Recording, make_recording

log = structlog.get_logger()

PREDICT = f"/{classifier.SERVICE}/Predict"
INFER = f"/{inference.SERVICE}/ModelInfer"
READERS = {PREDICT: classifier.read_request, INFER: requests.read_request}
"""The hot methods, and the functions that read their messages."""

STREAMS = {
    f"/{classifier.SERVICE}/PredictStream": streams.PREDICT,
    f"/{inference.SERVICE}/ModelStreamInfer": streams.INFER,
}

HEALTH_WATCH = f"/{health.NAME}/Watch"
THREADS, HEALTH_THREADS = 4, 2
"""Threads for the calls that are not on the lane, and for health."""

OTHER_MESSAGES, PROBE_MESSAGES = 4, 8
"""How many messages of other methods, and of probes, may arrive at once."""

PROBE_PATIENCE_SECONDS = 0.25
"""How long a probe's few bytes may take while others wait; probers give up after a second or so."""

END_SECONDS = 2.0
"""How long a stop waits, after the grace period, for runs that have not ended."""


class Endpoint:
    """A gRPC server that listens, and answers predictions once `served` has models."""

    def __init__(
        self, settings: Settings, reloads: ReloadRegistry, served: Served, ask_all: AskAll
    ) -> None:
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
        self._admission = _make_admission(settings, reloads, self._recording)
        self._ready = False
        self._address = settings.grpc_address
        metrics.MAX_CALLS.set(settings.max_concurrent_calls)
        services = [classifier.SERVICE, inference.SERVICE]
        if settings.admin_tokens_file is not None:
            services.append(admin.SERVICE)
        self._health = health.Health(tuple(services))
        services += [health.NAME, *reflection.SERVICES]
        reflection.describe_v1()
        declare(map(_descriptor, services))
        plain = plain_methods(settings, served, ask_all, self._health, lambda: self._ready)
        lane_error = check(grpc.__version__)
        has_lane = settings.lane == "on" and lane_error is None
        if settings.lane == "on" and lane_error:
            log.warning("serving without the lane, which is slower", error=lane_error)
        if lacking := inside.missing():
            log.warning("serving without parts of grpcio", grpcio=grpc.__version__, lacking=lacking)
        threads = THREADS
        if not inside.HAS_OWN_THREADS:
            # They then run all calls.
            threads += settings.max_streams
        other = Pool("grpc", threads, settings.max_concurrent_calls)
        self._outbox = Outbox(settings.max_message_bytes, settings.max_queued_bytes // 2)
        service = Service(self._admission, self._outbox)
        self._server = grpc.server(other, [service], options=options(settings, has_lane))
        self._threads = Threads(THREADS, "answer")
        self._own_threads: list[Threads] = []
        self._lane = self._make_lane(settings, plain) if has_lane else None
        self._mount(service, settings, other, {} if has_lane else plain, services)

    def _make_lane(self, settings: Settings, plain: Mapping[str, Plain]) -> lane.Lane:
        calls, admitted = settings.max_concurrent_calls, self._admission.method
        routes = {path: Route(admitted(path), read) for path, read in READERS.items()}
        # Small messages, of which many may come at a time.
        others = Gate[LaneCall](calls, OTHER_MESSAGES)
        for path, method in plain.items():
            answer = self._on_threads(path, method)
            routes[path] = Route(admitted(path), answer=answer, gate=others)
        probes = Gate[LaneCall](calls, PROBE_MESSAGES, PROBE_PATIENCE_SECONDS)
        # It takes microseconds, so it does without a thread.
        answer = plain[HEALTH_CHECK].end
        routes[HEALTH_CHECK] = Route(admitted(HEALTH_CHECK), answer=answer, gate=probes)
        limits = lane.Limits(
            calls=calls,
            messages=settings.max_arriving_messages,
            delay_seconds=settings.batch_delay_seconds,
            joined_calls=min(lane.JOINED_CALLS, settings.max_batch_size),
            outbox=self._outbox,
        )
        return lane.Lane(self._server, routes, self.batcher.take, limits, self.batcher.refusal)

    def _on_threads(self, path: str, method: Plain) -> Callable[[LaneCall], None]:
        """Return a function that has a method's call answered on another thread."""
        threads = self._threads
        if method.own_threads:
            threads = Threads(method.own_threads, path)
            self._own_threads.append(threads)
        return lambda call: threads.submit(method.end, call)

    def _mount(
        self,
        service: Service,
        settings: Settings,
        other: Pool,
        plain: Mapping[str, Plain],
        services: list[str],
    ) -> None:
        """Give threads the streams, and, without a lane, all else."""
        calls = settings.max_concurrent_calls
        pool_of_streams = Pool("stream", settings.max_streams, settings.max_streams, spare=0)
        probes = Pool("health", HEALTH_THREADS, calls, PROBE_MESSAGES, PROBE_PATIENCE_SECONDS)
        for path, stream in STREAMS.items():
            respond = streams.respond_each_alone(self.batcher, stream, self._outbox)
            service.add_stream(path, pool_of_streams, respond)
        if inside.HAS_STREAMS_WITHOUT_THREADS:
            service.add_watch(HEALTH_WATCH, probes, self._health.watch)
        if settings.reflection != "off":
            reflect = reflection.reflect(services)
            for name in reflection.SERVICES:
                service.add_stream(f"/{name}/{reflection.METHOD}", pool_of_streams, reflect)
        if self._lane is None:
            spare = settings.max_arriving_messages
            for path, read in READERS.items():
                pool = Pool("predict", THREADS, calls, spare)
                service.add_unary(path, pool, respond_alone(self.batcher, read))
            for path, method in plain.items():
                pool = probes if path == HEALTH_CHECK else other
                if method.own_threads:
                    pool = Pool("wait", method.own_threads, calls)
                service.add_plain(path, pool, method.respond)

    def start(self, make_room: Callable[[], None] = lambda: None) -> None:
        """Listen and answer calls; raises StartupError when the address can't be had.

        `make_room` has the worker that has the address, and can't share it, stop listening.
        """
        self._binding = binding.Binding(self._server, self._address, self._tls, make_room)
        others = set(threading.enumerate())
        self._server.start()
        if not stopping.can_stop_listening():
            log.warning("stopping may lose calls on connections that are being established")
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
            "answer": all(one.are_alive for one in (self._threads, *self._own_threads)),
        }
        return [name for name, is_alive in alive.items() if not is_alive]

    def silent_seconds(self) -> float:
        """Return how long the lane has been busy with one thing; for one thread that asks often."""
        return 0.0 if self._lane is None else self._lane.silent_seconds()

    def stop(self, grace_seconds: float) -> None:
        """Refuse new calls, let those in progress end within the grace period, and close."""
        self._binding.close()
        stopping.stop_listening()
        stopped = self._server.stop(grace_seconds)
        self._health.end_watches()
        stopped.wait()
        if self._lane is not None and not self._lane.join(END_SECONDS):
            log.warning("a run did not end, and its calls got no answer")
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
    return tls.credentials(files)


def _make_admission(settings: Settings, reloads: ReloadRegistry, recording: Recording) -> Admission:
    """Return who may call; raises StartupError when a file of tokens can't be used."""
    tokens = admin_tokens = None
    if settings.tokens_file is not None:
        tokens = Tokens("tokens", settings.tokens_file, "the server's tokens")
        reloads.watch(tokens.files)
    if settings.admin_tokens_file is not None:
        admin_tokens = Tokens(
            "admin_tokens", settings.admin_tokens_file, "the server's admin tokens"
        )
        reloads.watch(admin_tokens.files)
    has_tokens = tokens is not None or admin_tokens is not None
    if has_tokens and settings.tls_certificate is None and not is_local(settings.grpc_address):
        log.warning(
            "tokens are sent unencrypted because TLS is off",
            grpc=settings.grpc_address,
            remedy="give --tls-certificate and --tls-key, or put a proxy with TLS in front",
        )
    open_services = {health.NAME}
    if settings.reflection == "open":
        open_services.update(reflection.SERVICES)
    admins = {admin.SERVICE, *loading.PATHS}
    return Admission(recording, tokens, admins, admin_tokens, open_services)
