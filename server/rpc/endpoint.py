"""The gRPC server on its port: the services, each method on the lane or on threads of its own."""

import grpc
import structlog
from grpc_reflection.v1alpha import reflection

from mlpserve.inference import open_inference_pb2 as protocol
from server.batching import Batcher
from server.errors import StartupError
from server.rpc import classifier, handlers, health, inference, lane
from server.rpc.instrumentation import Instrumentation, Method
from server.rpc.pools import Pool
from server.settings import Settings

log = structlog.get_logger()

PREDICT = f"/{classifier.SERVICE}/Predict"
INFER = f"/{inference.SERVICE}/ModelInfer"
READERS = {PREDICT: classifier.read_request, INFER: inference.read_request}
"""The hot methods, and what reads their messages."""


class Endpoint:
    """A gRPC server that listens, and answers predictions once `batcher.models` is set."""

    def __init__(self, settings: Settings) -> None:
        self.batcher = Batcher(settings.max_batch_size, settings.max_queued_images)
        self._ready = False
        calls = settings.max_concurrent_calls
        pools = {path: Pool("predict", settings.threads, calls) for path in READERS}
        streams = Pool("stream", settings.max_streams, settings.max_streams)
        other = Pool("grpc", settings.threads, calls)
        self._server = grpc.server(
            other,
            interceptors=[Instrumentation(other, streams, pools)],
            options=(
                # The parent keeps everybody but its workers away from the port.
                ("grpc.so_reuseport", 1),
                # It would let callers send megabytes ahead of what is asked for, in each call.
                ("grpc.http2.bdp_probe", 0),
                ("grpc.max_receive_message_length", settings.max_message_bytes),
                ("grpc.max_send_message_length", settings.max_message_bytes),
            ),
        )
        self._lane = self._make_lane(settings)
        self._mount_classifier()
        self._mount_inference()
        services = (classifier.SERVICE, inference.SERVICE)
        self._health = health.Health(self._server, services)
        names = (*services, health.NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)
        self._address = settings.grpc_address

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
        methods = {path: lane.Method(read, Method.of(path)) for path, read in READERS.items()}
        return lane.Lane(self._server, methods, self.batcher.take, limits, self.batcher.refusal)

    def _mount_classifier(self) -> None:
        stream = handlers.stream(self.batcher, classifier.read_request)
        methods = {"PredictStream": stream}
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

    def start(self) -> None:
        """Listen and answer calls; raises StartupError when the address can't be had."""
        try:
            self._server.add_insecure_port(self._address)
        except RuntimeError as error:
            raise StartupError(
                f"gRPC can't listen on {self._address}: is the port taken, or the address not this "
                "machine's? Give another --grpc-address"
            ) from error
        self._server.start()
        if self._lane is not None:
            self._lane.start()

    def set_ready(self, ready: bool) -> None:
        """Tell probes and balancers whether to send calls here."""
        self._ready = ready
        self._health.set_ready(ready)

    def stop(self, grace_seconds: float) -> None:
        """Refuse new calls, let those in progress end within the grace period, and close."""
        stopped = self._server.stop(grace_seconds)
        self._health.end_watches()
        stopped.wait()
        if self._lane is not None:
            self._lane.join()
