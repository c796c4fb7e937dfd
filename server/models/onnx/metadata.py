"""The metadata of a model's file, as far as the server trusts it."""

from collections.abc import Mapping

from modelfile.metadata import Metadata, MetadataError, decode
from server.errors import Fault


def read_metadata(values: Mapping[str, memoryview]) -> Metadata:
    """Return the metadata of the entries; raises Fault when they can't be used."""
    try:
        return decode(values)
    except MetadataError as error:
        raise Fault(f"{error}; export it again", error.reason) from error
