"""What a model's file says of itself, as far as the server believes it."""

from collections.abc import Mapping

from modelfile.metadata import Metadata, MetadataError, decode
from server.errors import Fault


def read_metadata(values: Mapping[str, memoryview]) -> Metadata:
    """Return what the entries say; raises Fault when they can't be used."""
    try:
        return decode(values)
    except MetadataError as error:
        raise Fault(f"{error}; export it again", error.reason) from error
