"""The server and the model that are examined, and what rules ask of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import grpc
import numpy as np

from mlpserve.inference import open_inference_pb2 as protocol
from tests.conformance import tensors
from tests.conformance.calls import Server
from tests.conformance.tensors import FIELDS, FORMATS, Tensor, Values

ANY_SIZE = -1
UNKNOWN = "unknown-b5f2a1c9"
"""The name of no model, input or output."""

NO_ANSWER = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNIMPLEMENTED,
)
"""Statuses that say nothing of the request: whoever gets them has not been refused."""

Request = protocol.ModelInferRequest
Response = protocol.ModelInferResponse


class Broken(Exception):
    """The server broke a rule."""


class NotApplicable(Exception):
    """The rule can't be checked with this server or model."""


def expect(kept: bool, otherwise: str) -> None:
    """Raise Broken with these words unless the rule is kept."""
    if not kept:
        raise Broken(otherwise)


def unless(missing: bool, reason: str) -> None:
    """Raise NotApplicable for this reason if something is missing."""
    if missing:
        raise NotApplicable(reason)


@dataclass
class Subject:
    """A server's model.

    `shapes` has the sizes of inputs, without the batch, where metadata says that any will do;
    `zeros` has all inputs filled with zeros; `unlisted` are extensions that the server has without
    listing them.
    """

    server: Server
    model: str
    version: str = ""
    shapes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    zeros: bool = False
    may_change_models: bool = False
    unlisted: frozenset[str] = frozenset()

    @cached_property
    def extensions(self) -> frozenset[str]:
        """The extensions that the server lists, and those that it has without listing them."""
        return self.unlisted.union(self.server.server_metadata().extensions)

    @cached_property
    def metadata(self) -> protocol.ModelMetadataResponse:
        """What the server says of the model."""
        return self.server.model_metadata(self.model, self.version)

    @property
    def versions(self) -> list[str]:
        """The versions that may be asked for; raises NotApplicable when there are none."""
        unless(not self.metadata.versions, "the model's metadata lists no versions")
        return list(self.metadata.versions)

    @property
    def unknown_version(self) -> str:
        """A version that the model does not have; raises NotApplicable when it has none at all."""
        taken = set(self.versions)
        return next(text for text in map(str, range(987_654_321, 0, -1)) if text not in taken)

    @cached_property
    def max_batch_size(self) -> int | None:
        """How many rows the configuration allows, if it says so; 0 when it has no batches."""
        if "model_configuration" not in self.extensions:
            return None
        request = protocol.ModelConfigRequest(name=self.model, version=self.version)
        answer = self.server.call("ModelConfig", request, protocol.ModelConfigResponse)
        return answer.config.max_batch_size

    @property
    def is_batched(self) -> bool:
        """Whether the first dimension of all tensors is that of a batch."""
        metadata = self.metadata
        shapes = [list(tensor.shape) for tensor in (*metadata.inputs, *metadata.outputs)]
        return all(shape[:1] == [ANY_SIZE] for shape in shapes) and self.max_batch_size != 0

    def need_batches(self) -> None:
        """Raise NotApplicable unless a call may have several rows."""
        is_small = self.max_batch_size is not None and self.max_batch_size < len(ROWS)
        unless(not self.is_batched or is_small, "the model takes no batches")

    def tensors(self, *seeds: int) -> list[Tensor]:
        """Make the model's inputs, a row for each seed; without batches the first seed counts.

        A row of some seed is the same, alone or among others.
        """
        made = []
        for wanted in self.metadata.inputs:
            unless(wanted.datatype not in FORMATS, f"the datatype {wanted.datatype} is not known")
            row = list(wanted.shape)[1:] if self.is_batched else list(wanted.shape)
            given = list(self.shapes.get(wanted.name, ()))
            sizes = given or [DEFAULT_SIZE if size == ANY_SIZE else size for size in row]
            shape = [1, *sizes] if self.is_batched else sizes
            rows = [
                tensors.make(wanted.name, wanted.datatype, shape, seed, self.zeros)
                for seed in (seeds or (0,))
            ]
            made.append(tensors.join(rows) if self.is_batched else rows[0])
        return made

    def request(self, *seeds: int, of: Sequence[Tensor] | None = None) -> Request:
        """Return a request with these rows, or these tensors, in the raw form."""
        given = self.tensors(*seeds) if of is None else of
        return Request(
            model_name=self.model,
            model_version=self.version,
            inputs=[tensor.described() for tensor in given],
            raw_input_contents=[tensor.raw for tensor in given],
        )

    def typed_request(self, *seeds: int) -> Request:
        """Return a request with these rows in the fields of their datatypes; raises NotApplicable
        when one has none.
        """
        given = self.tensors(*seeds)
        raw_only = [tensor.name for tensor in given if tensor.datatype not in FIELDS]
        unless(bool(raw_only), f"inputs of FP16 are always raw: {raw_only}")
        return Request(
            model_name=self.model,
            model_version=self.version,
            inputs=[tensor.typed() for tensor in given],
        )

    def answer(self, request: Request) -> dict[str, Values]:
        """Return the outputs' values by their names."""
        return values_of(self.server.infer(request))

    def refused(self, request: Request, what: str) -> str:
        """Return the message of the error that a request gets; raises Broken when it is answered,
        or when the server is not there to refuse it.
        """
        return refusal(lambda: self.server.infer(request), what)

    def need_sense(self) -> None:
        """Raise NotApplicable unless answers can be compared: the same for the same rows, and
        different ones for others.
        """
        first, again, other = (self.answer(self.request(seed)) for seed in (0, 0, 1))
        unless(not same(first, again), "the model answers the same request differently")
        unless(same(first, other), "the model answers different inputs alike")


DEFAULT_SIZE = 3
"""Of a dimension that may have any size."""

ROWS = (0, 1, 2)
"""The rows of a batch."""


def refusal(call: Callable[[], object], what: str) -> str:
    """Return the message of the error that a call ends with; raises Broken when it has none."""
    try:
        call()
    except grpc.RpcError as error:
        expect(
            error.code() not in NO_ANSWER,
            f"{what} ended with {error.code().name}: {error.details()}",
        )
        return error.details() or ""
    raise Broken(f"{what} was answered with OK")


def values_of(response: Response) -> dict[str, Values]:
    """Return the outputs' values by their names; raises Unreadable, and Broken for a wrong number
    of raw contents.
    """
    raw: list[bytes | None] = [*response.raw_output_contents]
    if not raw:
        raw = [None] * len(response.outputs)
    expect(
        len(raw) == len(response.outputs),
        f"{len(raw)} raw_output_contents for {len(response.outputs)} outputs",
    )
    pairs = zip(response.outputs, raw, strict=True)
    return {output.name: tensors.read(output, content) for output, content in pairs}


def same(some: Mapping[str, Values], others: Mapping[str, Values]) -> bool:
    """Return whether answers are equal, numbers with a fraction up to rounding."""
    return some.keys() == others.keys() and all(
        equal(values, others[name]) for name, values in some.items()
    )


def equal(values: Values, others: Values) -> bool:
    """Return whether two outputs are equal, numbers with a fraction up to rounding."""
    if values.shape != others.shape or values.dtype != others.dtype:
        return False
    if values.dtype.kind == "f":
        tolerance = 1e-2 if values.dtype.itemsize == 2 else 1e-4
        return bool(np.allclose(values, others, tolerance, tolerance, equal_nan=True))
    return bool(np.array_equal(values, others))


def row_of(answer: Mapping[str, Values], index: int) -> dict[str, Values]:
    """Return one row of an answer, as a batch of one."""
    return {name: values[index : index + 1] for name, values in answer.items()}
