"""The Open Inference Protocol's questions: whether the server is ready, and which models it has."""

from collections.abc import Callable
from dataclasses import dataclass

from mlpserve.inference import open_inference_pb2 as protocol
from modelfile.layout import INPUT, OUTPUT
from server.errors import NotLoaded, NotReady
from server.models.model import LABELS
from server.models.served import Served
from server.rpc.inference import FLOATS, INTEGERS, PLATFORM
from server.rpc.inference.properties import describe
from server.rpc.inference.requests import read_version

ANY_SIZE = -1


@dataclass(frozen=True, slots=True)
class Metadata:
    """Answers questions about the server and its models; `is_ready` returns whether new calls are
    wanted.
    """

    served: Served
    is_ready: Callable[[], bool]
    max_message_bytes: int

    def server_live(self, _request: protocol.ServerLiveRequest) -> protocol.ServerLiveResponse:
        """Answer that the server lives."""
        return protocol.ServerLiveResponse(live=True)

    def server_ready(self, _request: protocol.ServerReadyRequest) -> protocol.ServerReadyResponse:
        """Answer whether calls are welcome."""
        return protocol.ServerReadyResponse(ready=self.is_ready())

    def model_ready(self, request: protocol.ModelReadyRequest) -> protocol.ModelReadyResponse:
        """Answer whether a model is loaded and calls are welcome; one that isn't known is not."""
        try:
            self.served.require().find(request.name, *read_version(request.version))
        except (NotLoaded, NotReady):
            return protocol.ModelReadyResponse(ready=False)
        return protocol.ModelReadyResponse(ready=self.is_ready())

    def model_metadata(
        self, request: protocol.ModelMetadataRequest
    ) -> protocol.ModelMetadataResponse:
        """Describe a model; raises NotLoaded."""
        models = self.served.require()
        model = models.find(request.name, *read_version(request.version))
        tensor = protocol.ModelMetadataResponse.TensorMetadata
        return protocol.ModelMetadataResponse(
            name=model.name,
            versions=[str(version) for version in models.by_name[model.name].by_number],
            platform=PLATFORM,
            inputs=[tensor(name=INPUT, datatype=FLOATS, shape=[ANY_SIZE, model.n_pixels])],
            outputs=[
                tensor(name=OUTPUT, datatype=FLOATS, shape=[ANY_SIZE, model.layer_sizes[-1]]),
                tensor(name=LABELS, datatype=INTEGERS, shape=[ANY_SIZE]),
            ],
            properties=describe(model, self.max_message_bytes),
        )
