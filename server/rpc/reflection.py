"""Reflection in both versions, which differ only in name: grpcio's servicer speaks v1alpha, newer
clients ask for v1.
"""

from collections.abc import Iterator

import grpc
from google.protobuf import descriptor_pool, text_format
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha import reflection, reflection_pb2

from server.rpc.plain import reader
from server.rpc.threads.service import RespondEach

ALPHA, V1 = "v1alpha", "v1"
SERVICES = (reflection.SERVICE_NAME, reflection.SERVICE_NAME.replace(ALPHA, V1))
METHOD = "ServerReflectionInfo"


def describe_v1() -> None:
    """Add v1 to protobuf's descriptors, unless a library has."""
    pool = descriptor_pool.Default()
    alpha = FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(alpha)
    text = text_format.MessageToString(alpha).replace(ALPHA, V1)
    described = text_format.Parse(text, FileDescriptorProto())
    try:
        pool.FindFileByName(described.name)
    except KeyError:
        pool.AddSerializedFile(described.SerializeToString())


def reflect(services: list[str]) -> RespondEach:
    """Return what answers requests of either version about some services."""
    answer = reflection.ReflectionServicer(services).ServerReflectionInfo
    read = reader(reflection_pb2.ServerReflectionRequest)

    def respond(
        _: object, messages: Iterator[bytes], context: grpc.ServicerContext
    ) -> Iterator[bytes]:
        for response in answer(map(read, messages), context):
            yield response.SerializeToString()

    return respond
