"""What is served, asked anew for each request: versions come and go."""

from http import HTTPStatus

from starlette.requests import Request

from mlpserve.connection.options import SERVICE
from mlpserve.models import Model, ModelVersion, find_model
from mlpserve.protocol.catalog import decode_models, encode_network_request
from server.http.errors import LATER, HttpError
from server.http.grpc_port import GrpcPort
from server.http.paths.selection import Selection


async def list_models(port: GrpcPort, request: Request) -> tuple[Model, ...]:
    """Return all models; raises HttpError."""
    return decode_models(await port.call(f"/{SERVICE}/ListModels", b"", request))


async def find_version(
    port: GrpcPort, request: Request, selection: Selection
) -> tuple[Model, ModelVersion]:
    """Return the model and the version that answer a selection, unless the server spreads requests
    that name no version over several; raises HttpError.
    """
    model = find_model(await list_models(port, request), selection.model)
    if model is not None:
        number = selection.version or model.default_version
        if selection.label:
            number = model.labels.get(selection.label, 0)
        for version in model.versions:
            if version.version == number and version.is_loaded:
                return model, version
    # gRPC's own words for what is not there.
    await port.call(f"/{SERVICE}/GetNetwork", encode_network_request(*selection), request)
    raise HttpError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "the model has just been loaded; retry",
        headers=LATER,
    )
