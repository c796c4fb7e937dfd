"""What a model's file says of itself, as far as the server believes it."""

from collections.abc import Mapping

from modelfile.metadata import Metadata, MetadataError, decode
from server.errors import Fault
from server.texts import fault_of, shown

MAX_LABEL_LENGTH = 256


def read_metadata(values: Mapping[str, memoryview]) -> Metadata:
    """Return what the entries say; raises Fault when they can't be used."""
    try:
        metadata = decode(values)
        for label in metadata.labels:
            if fault := fault_of(label):
                raise MetadataError(f"has the label {shown(repr(label))}, which {fault}")
            if len(label) > MAX_LABEL_LENGTH:
                raise MetadataError(
                    f"has the label {label[:20]!r}... of more than {MAX_LABEL_LENGTH} characters"
                )
    except MetadataError as error:
        raise Fault(f"{error}; export it again", error.reason) from error
    return metadata
