"""What servers get wrong: for each rule, the faults that it has to notice."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np

from mlpserve.inference import open_inference_pb2 as protocol
from tests.conformance.faulty import Fault, Honest
from tests.conformance.reference import LABELS, Refused
from tests.conformance.tensors import TEXT, Output, Tensor, read

MODEL = "scores"
STATISTICS, CONFIG, METADATA = "ModelStatistics", "ModelConfig", "ModelMetadata"
INFER, STREAM, READY = "ModelInfer", "ModelStreamInfer", "ModelReady"
INDEX, LOAD, UNLOAD = "RepositoryIndex", "RepositoryModelLoad", "RepositoryModelUnload"

Change = Callable[[Any], object]
Condition = Callable[[Any], object]


def _good_request() -> protocol.ModelInferRequest:
    kind = protocol.ModelInferRequest.InferInputTensor
    return protocol.ModelInferRequest(
        model_name=MODEL,
        inputs=[
            kind(name="a", datatype="FP32", shape=[1, 2, 3]),
            kind(name="b", datatype="INT32", shape=[1, 2]),
        ],
        raw_input_contents=[bytes(24), bytes(8)],
    )


GOOD: dict[str, Any] = {
    INFER: _good_request(),
    READY: protocol.ModelReadyRequest(name=MODEL),
    METADATA: protocol.ModelMetadataRequest(name=MODEL),
    CONFIG: protocol.ModelConfigRequest(name=MODEL),
    STATISTICS: protocol.ModelStatisticsRequest(name=MODEL),
    LOAD: protocol.RepositoryModelLoadRequest(model_name=MODEL),
}
"""What forgiving servers answer instead of a bad request."""


def always(_: Any) -> bool:
    """Whatever is asked."""
    return True


def is_raw(request: protocol.ModelInferRequest) -> bool:
    """Whether its inputs are raw."""
    return bool(request.raw_input_contents)


def is_typed(request: protocol.ModelInferRequest) -> bool:
    """Whether its inputs are in the fields of their datatypes."""
    return not request.raw_input_contents


def names_outputs(request: protocol.ModelInferRequest) -> bool:
    """Whether it names outputs."""
    return bool(request.outputs)


def names_backwards(request: protocol.ModelInferRequest) -> bool:
    """Whether it names all outputs, the last first."""
    return [output.name for output in request.outputs] == ["word", "best", "scores"]


def names_several(request: protocol.ModelInferRequest) -> bool:
    """Whether it names several outputs."""
    return len(request.outputs) > 1


def classifies(request: protocol.ModelInferRequest) -> bool:
    """Whether it asks for classes."""
    return any("classification" in output.parameters for output in request.outputs)


def altered(method: str, change: Change, when: Condition = always) -> Fault:
    """A server whose answers are changed, to requests of this kind."""

    def answer(honest: Honest, request: Any) -> Any:
        response = honest(request)
        if when(request):
            change(response)
        return response

    return Fault(method, answer)


def wrote(method: str, **fields: object) -> Fault:
    """A server whose answers have these fields."""

    def change(response: Any) -> None:
        for name, value in fields.items():
            setattr(response, name, value)

    return altered(method, change)


def misread(method: str, change: Change, when: Condition = always) -> Fault:
    """A server that reads something else than the request says."""

    def answer(honest: Honest, request: Any) -> Any:
        changed = type(request).FromString(request.SerializeToString())
        if when(request):
            change(changed)
        return honest(changed)

    return Fault(method, answer)


def refused(method: str, when: Condition = always) -> Fault:
    """A server that refuses good requests of this kind."""

    def answer(honest: Honest, request: Any) -> Any:
        if when(request):
            raise Refused("no reason")
        return honest(request)

    return Fault(method, answer)


def forgiven(method: str, *reasons: str) -> Fault:
    """A server that answers what it has to refuse for these reasons."""

    def answer(honest: Honest, request: Any) -> Any:
        try:
            return honest(request)
        except Refused as error:
            if error.reason not in reasons:
                raise
            return honest(GOOD[method])

    return Fault(method, answer)


def mute(method: str) -> Fault:
    """A server whose errors have no message."""

    def answer(honest: Honest, request: Any) -> Any:
        try:
            return honest(request)
        except Refused as error:
            raise Refused("", error.code) from error

    return Fault(method, answer)


def later(n_calls: int, fault: Fault) -> Fault:
    """A server whose fault shows after some calls."""
    calls = 0

    def answer(honest: Honest, request: Any) -> Any:
        nonlocal calls
        calls += 1
        return fault.answer(honest, request) if calls > n_calls else honest(request)

    return Fault(fault.method, answer)


def confused() -> Fault:
    """A server that answers the request before."""
    last: list[Any] = []

    def answer(honest: Honest, request: Any) -> Any:
        last.append(request)
        return honest(last[-2] if len(last) > 1 else request)

    return Fault(INFER, answer)


def dead_after_errors() -> Fault:
    """A server that an error ends."""
    errors: list[Refused] = []

    def answer(honest: Honest, request: Any) -> Any:
        if errors:
            raise Refused("dead", grpc.StatusCode.INTERNAL)
        try:
            return honest(request)
        except Refused as error:
            errors.append(error)
            raise

    return Fault(INFER, answer)


def counting_errors() -> Fault:
    """A server that counts failures as successes."""

    def answer(honest: Any, request: Any) -> Any:
        try:
            return honest(request)
        except Refused:
            honest.__self__.count_of(MODEL, 2).inference_stats.success.count += 1
            raise

    return Fault(INFER, answer)


def streamed(change: Callable[[Iterator[Any]], Any]) -> Fault:
    """A server whose streams are changed."""
    return Fault(STREAM, lambda honest, requests: change(honest(requests)))


def until_error(answers: Iterator[Any]) -> Iterator[Any]:
    """End with the first error."""
    for answer in answers:
        yield answer
        if answer.error_message:
            return


def raising(answers: Iterator[Any]) -> Iterator[Any]:
    """Raise the first error."""
    for answer in answers:
        if answer.error_message:
            raise Refused(answer.error_message)
        yield answer


def without_message(answers: Iterator[Any]) -> Iterator[Any]:
    """Leave out what was wrong."""
    for answer in answers:
        answer.error_message = ""
        yield answer


def with_other_values(answers: Iterator[Any]) -> Iterator[Any]:
    """Answer zeros."""
    for answer in answers:
        zeros(answer.infer_response)
        yield answer


def zeros(response: protocol.ModelInferResponse) -> None:
    """Make the first output zeros."""
    if response.raw_output_contents:
        response.raw_output_contents[0] = bytes(len(response.raw_output_contents[0]))
    else:
        contents = response.outputs[0].contents.fp32_contents
        contents[:] = [0.0] * len(contents)


def without_output(response: protocol.ModelInferResponse) -> None:
    """Leave out the last output."""
    del response.outputs[-1]
    del response.raw_output_contents[-1:]


def in_ascii(response: protocol.ModelInferResponse) -> None:
    """Know no other letters."""
    response.id = response.id.encode("ascii", "replace").decode()


def extended(field: str, value: object) -> Change:
    """Append to a repeated field."""
    return lambda response: getattr(response, field).append(value)


def repeated(field: str) -> Change:
    """Append to a repeated field what its first element is."""

    def change(response: Any) -> None:
        values = getattr(response, field)
        values.append(values[0])

    return change


def emptied(field: str) -> Change:
    """Remove all of a repeated field."""
    return lambda response: response.ClearField(field)


def shortened(field: str) -> Change:
    """Remove the first element of a repeated field."""
    return lambda response: getattr(response, field).__delitem__(0)


def put(path: str, value: object) -> Change:
    """Set a field of a field, such as outputs.0.datatype or versions.0."""
    *way, last = path.split(".")

    def change(response: Any) -> None:
        target = response
        for step in way:
            target = target[int(step)] if step.isdigit() else getattr(target, step)
        if last.isdigit():
            target[int(last)] = value
        else:
            setattr(target, last, value)

    return change


def rearranged(change: Callable[[Any], Any]) -> Change:
    """Change the values of each output (N, ...) along its rows, or their number."""

    def apply(response: protocol.ModelInferResponse) -> None:
        for index, output in enumerate(response.outputs):
            values = change(read(output, response.raw_output_contents[index]))
            response.raw_output_contents[index] = Tensor("", output.datatype, values).raw
            output.shape[:] = values.shape

    return apply


def classes(change: Callable[[list[list[bytes]]], list[list[bytes]]]) -> Fault:
    """A server with other classes: rows of texts."""

    def apply(response: protocol.ModelInferResponse) -> None:
        output = response.outputs[0]
        texts = read(output, response.raw_output_contents[0]).tolist()
        values = np.array(change(texts), object)
        response.raw_output_contents[0] = Tensor("", TEXT, values).raw
        output.shape[:] = values.shape

    return altered(INFER, apply, classifies)


@dataclass(frozen=True, slots=True)
class Part:
    """What an element of a classification is made of, and the row that it stands in."""

    value: str
    index: str
    label: str
    row: int


def each(write: Callable[[Part], str]) -> Fault:
    """A server whose classes are written differently."""

    def rows(texts: list[list[bytes]]) -> list[list[bytes]]:
        return [
            [write(Part(*_split(text), number)).encode() for text in row]
            for number, row in enumerate(texts)
        ]

    return classes(rows)


def _split(text: bytes) -> tuple[str, str, str]:
    value, index, label = text.decode().split(":")
    return value, index, label


def in_columns(request: protocol.ModelInferRequest) -> None:
    """Read the first input as if its columns came first."""
    tensor = request.inputs[0]
    contents = tensor.contents.fp32_contents
    values = np.array(contents).reshape(tensor.shape[0], -1)
    contents[:] = values.ravel("F").tolist()


def in_another_field(response: protocol.ModelInferResponse) -> None:
    """Write floats as doubles."""
    contents = response.outputs[0].contents
    contents.fp64_contents.extend(contents.fp32_contents)
    contents.ClearField("fp32_contents")


def as_contents(response: protocol.ModelInferResponse) -> None:
    """Write FP16 as floats."""
    for output, raw in zip(response.outputs, response.raw_output_contents, strict=True):
        values = read(Output(datatype=output.datatype, shape=output.shape), raw)
        output.contents.fp32_contents.extend(values.ravel().tolist())
    response.ClearField("raw_output_contents")


def each_stat(change: Change) -> Fault:
    """A server that counts differently."""
    return altered(STATISTICS, lambda response: [change(one) for one in response.model_stats])


def scaled(path: str, factor: float) -> Fault:
    """A server that counts so much more, or less."""
    *way, last = path.split(".")

    def change(stat: Any) -> None:
        for step in way:
            stat = getattr(stat, step)
        setattr(stat, last, int(getattr(stat, last) * factor))

    return each_stat(change)


def each_batch(change: Change) -> Fault:
    """A server that counts batches differently."""
    return each_stat(lambda stat: [change(batch) for batch in stat.batch_stats])


def without_model(response: Any) -> None:
    """Leave a model out of an index or of statistics."""
    field = "models" if hasattr(response, "models") else "model_stats"
    entries = [entry for entry in getattr(response, field) if entry.name != MODEL]
    response.ClearField(field)
    getattr(response, field).extend(entries)


def asks_for(version: str) -> Condition:
    """Whether a request is for this version."""
    return lambda request: request.version == version


def has_parameter(name: str) -> Condition:
    """Whether a request has a parameter with an integer."""
    return lambda request: (
        name in request.parameters and request.parameters[name].HasField("int64_param")
    )


def timed_out(request: protocol.ModelInferRequest) -> bool:
    """Whether a request has a timeout of a microsecond."""
    return "timeout" in request.parameters and request.parameters["timeout"].int64_param == 1


def silent_timeout(honest: Honest, request: Any) -> Any:
    """Let the caller's own deadline end what has a short timeout."""
    if timed_out(request):
        raise Refused("", grpc.StatusCode.DEADLINE_EXCEEDED)
    return honest(request)


def unload_on_load(honest: Any, request: Any) -> Any:
    """Remove a model that is loaded again."""
    response = honest(request)
    honest.__self__.loaded.discard(request.model_name)
    return response


def instead(method: str, answer: Callable[[], Any]) -> Fault:
    """A server that answers this, whatever it is asked."""

    def fault(_honest: Honest, _request: Any) -> Any:
        return answer()

    return Fault(method, fault)


def lose_unloaded(honest: Any, request: Any) -> Any:
    """Leave models that are not loaded out of the index."""
    response = honest(request)
    if MODEL not in honest.__self__.loaded:
        without_model(response)
    return response


def ready_unloaded(honest: Any, request: Any) -> Any:
    """Say that every model is ready."""
    response = honest(request)
    for entry in response.models:
        entry.state = "READY"
    return response


UNLOADS_NOTHING = instead(UNLOAD, protocol.RepositoryModelUnloadResponse)
LOADS_NOTHING = instead(LOAD, protocol.RepositoryModelLoadResponse)
UNREADABLE = instead("unreadable", lambda: GOOD[INFER])
TYPE_FP64 = protocol.DataType.TYPE_FP64

FAULTS: dict[str, Sequence[Fault]] = {
    "health.live-is-true": [wrote("ServerLive", live=False)],
    "health.ready-is-true": [wrote("ServerReady", ready=False)],
    "health.model-is-ready": [altered(READY, put("ready", False), asks_for(""))],
    "health.versions-are-ready": [altered(READY, put("ready", False), asks_for("1"))],
    "health.unknown-model-is-not-ready": [forgiven(READY, "unknown model")],
    "health.unknown-version-is-not-ready": [forgiven(READY, "unknown version")],
    "health.ready-model-answers": [refused(INFER)],
    "metadata.server-has-a-name": [wrote("ServerMetadata", name="")],
    "metadata.server-has-a-version": [wrote("ServerMetadata", version="")],
    "metadata.extensions-are-names": [
        altered("ServerMetadata", extended("extensions", "statistics")),
        altered("ServerMetadata", extended("extensions", "")),
    ],
    "metadata.name-is-the-models": [wrote(METADATA, name="texts")],
    "metadata.versions-are-told-apart": [
        altered(METADATA, extended("versions", "1")),
        altered(METADATA, extended("versions", "")),
    ],
    "metadata.versions-have-metadata": [
        refused(METADATA, asks_for("1")),
        altered(METADATA, shortened("versions"), asks_for("1")),
        altered(METADATA, put("name", ""), asks_for("2")),
        altered(METADATA, emptied("outputs"), asks_for("2")),
    ],
    "metadata.platform-has-its-format": [wrote(METADATA, platform="numpy")],
    "metadata.inputs-have-names": [
        altered(METADATA, repeated("inputs")),
        altered(METADATA, emptied("inputs")),
        altered(METADATA, put("inputs.0.name", "")),
    ],
    "metadata.outputs-have-names": [
        altered(METADATA, repeated("outputs")),
        altered(METADATA, emptied("outputs")),
        altered(METADATA, put("outputs.0.name", "")),
    ],
    "metadata.datatypes-are-known": [
        altered(METADATA, put("outputs.0.datatype", "FLOAT")),
        altered(METADATA, put("inputs.1.datatype", "TYPE_INT32")),
    ],
    "metadata.shapes-are-sizes": [
        altered(METADATA, put("outputs.0.shape.0", 0)),
        altered(METADATA, put("inputs.0.shape.0", -2)),
    ],
    "metadata.unknown-model-is-an-error": [forgiven(METADATA, "unknown model")],
    "metadata.unknown-version-is-an-error": [forgiven(METADATA, "unknown version")],
    "metadata.error-says-why": [mute(METADATA)],
    "infer.made-input-is-answered": [altered(INFER, emptied("outputs")), refused(INFER)],
    "infer.model-name-is-returned": [wrote(INFER, model_name=""), wrote(INFER, model_name="b")],
    "infer.empty-version-uses-one": [
        altered(INFER, put("model_version", ""), lambda request: not request.model_version)
    ],
    "infer.given-version-is-used": [misread(INFER, put("model_version", "2"))],
    "infer.id-is-returned": [wrote(INFER, id=""), wrote(INFER, id="another")],
    "infer.any-id-is-returned": [
        altered(INFER, lambda response: put("id", response.id.strip())(response)),
        altered(INFER, lambda response: put("id", response.id[:255])(response)),
        altered(INFER, in_ascii),
    ],
    "infer.no-id-stays-none": [
        altered(INFER, put("id", "made up"), lambda request: not request.id)
    ],
    "infer.all-outputs-are-returned": [altered(INFER, without_output)],
    "infer.datatypes-are-those-of-metadata": [altered(INFER, put("outputs.0.datatype", "FP64"))],
    "infer.shapes-are-those-of-metadata": [
        altered(INFER, lambda response: response.outputs[0].shape.append(1)),
        altered(INFER, put("outputs.0.shape.1", 3)),
    ],
    "infer.raw-contents-are-complete": [altered(INFER, shortened("raw_output_contents"), is_raw)],
    "infer.raw-and-contents-exclude-each-other": [
        altered(INFER, lambda one: one.outputs[0].contents.fp32_contents.append(0), is_raw)
    ],
    "infer.contents-fit-shape-and-datatype": [
        altered(INFER, put("raw_output_contents.0", bytes(15)), is_raw),
        altered(INFER, put("raw_output_contents.2", b"\1\0\0\0xy"), is_raw),
        altered(INFER, put("outputs.1.shape.0", 2), is_raw),
    ],
    "infer.typed-contents-fit-too": [
        altered(INFER, in_another_field, is_typed),
        altered(INFER, lambda one: one.outputs[0].contents.fp32_contents.pop(), is_typed),
        altered(INFER, lambda one: one.outputs[1].ClearField("contents"), is_typed),
    ],
    "infer.half-precision-is-raw": [altered(INFER, as_contents, is_raw)],
    "outputs.named-outputs-alone-are-returned": [misread(INFER, emptied("outputs"))],
    "outputs.outputs-may-be-named-in-any-order": [
        refused(INFER, names_backwards),
        altered(INFER, without_output, names_several),
    ],
    "outputs.raw-contents-are-in-order": [
        altered(INFER, zeros, names_several),
        altered(
            INFER,
            lambda one: one.raw_output_contents.reverse(),
            names_several,
        ),
    ],
    "outputs.named-outputs-have-the-same-values": [altered(INFER, zeros, names_outputs)],
    "outputs.named-outputs-have-their-datatype": [
        altered(INFER, put("outputs.0.datatype", "FP32"), names_outputs)
    ],
    "forms.raw-inputs-are-read": [refused(INFER, is_raw)],
    "forms.typed-inputs-are-read": [refused(INFER, is_typed)],
    "forms.both-forms-mean-the-same": [
        misread(INFER, lambda one: one.inputs[0].contents.fp32_contents.sort(), is_typed)
    ],
    "forms.both-forms-at-once-are-an-error": [forgiven(INFER, "both forms")],
    "forms.no-data-is-an-error": [forgiven(INFER, "no data")],
    "forms.surplus-raw-contents-are-an-error": [forgiven(INFER, "raw count")],
    "forms.missing-raw-contents-are-an-error": [forgiven(INFER, "raw count")],
    "forms.short-raw-contents-are-an-error": [forgiven(INFER, "contents")],
    "forms.long-raw-contents-are-an-error": [forgiven(INFER, "contents")],
    "forms.short-typed-contents-are-an-error": [forgiven(INFER, "contents")],
    "forms.long-typed-contents-are-an-error": [forgiven(INFER, "contents")],
    "forms.contents-in-another-field-are-an-error": [forgiven(INFER, "field")],
    "forms.inputs-may-come-in-any-order": [
        refused(INFER, lambda request: request.inputs[0].name == "b"),
        altered(INFER, zeros, lambda request: request.inputs[0].name == "b"),
    ],
    "forms.broken-raw-texts-are-an-error": [forgiven(INFER, "contents")],
    "batches.batch-has-its-rows": [altered(INFER, rearranged(lambda values: values[:1]))],
    "batches.batch-of-one-has-its-dimension": [
        altered(INFER, rearranged(lambda values: values[0] if len(values) == 1 else values))
    ],
    "batches.rows-are-answered-as-alone": [altered(INFER, rearranged(lambda values: values[::-1]))],
    "batches.rows-keep-their-order": [
        altered(INFER, rearranged(lambda values: np.roll(values, 1, axis=0)))
    ],
    "batches.typed-batches-mean-the-same": [misread(INFER, in_columns, is_typed)],
    "batches.calls-at-once-keep-their-answers": [later(19, confused())],
    "batches.calls-at-once-keep-their-ids": [confused()],
    "batches.batches-at-once-keep-their-rows": [
        later(4, altered(INFER, rearranged(lambda values: np.roll(values, 1, axis=0)))),
        later(4, refused(INFER)),
    ],
    "errors.unknown-model-is-an-error": [forgiven(INFER, "unknown model")],
    "errors.unknown-version-is-an-error": [forgiven(INFER, "unknown version")],
    "errors.unknown-input-is-an-error": [forgiven(INFER, "unknown input")],
    "errors.additional-input-is-an-error": [forgiven(INFER, "unknown input")],
    "errors.missing-input-is-an-error": [forgiven(INFER, "missing input")],
    "errors.repeated-input-is-an-error": [forgiven(INFER, "repeated input")],
    "errors.unknown-output-is-an-error": [forgiven(INFER, "unknown output")],
    "errors.wrong-datatype-is-an-error": [forgiven(INFER, "datatype")],
    "errors.unknown-datatype-is-an-error": [forgiven(INFER, "unknown datatype")],
    "errors.wrong-size-is-an-error": [forgiven(INFER, "size")],
    "errors.wrong-rank-is-an-error": [forgiven(INFER, "rank")],
    "errors.negative-size-is-an-error": [forgiven(INFER, "negative")],
    "errors.overflowing-shape-is-an-error": [
        forgiven(INFER, "overflow"),
        forgiven(INFER, "contents"),
    ],
    "errors.unreadable-message-is-an-error": [UNREADABLE],
    "errors.error-says-why": [mute(INFER)],
    "errors.server-answers-after-errors": [dead_after_errors()],
    "errors.errors-are-for-their-request-alone": [
        later(14, refused(INFER)),
        later(14, forgiven(INFER, "unknown input")),
        later(14, confused()),
    ],
    "parameters.requests-may-have-parameters": [
        refused(INFER, lambda request: request.parameters),
        altered(INFER, zeros, lambda request: request.parameters),
    ],
    "parameters.inputs-may-have-parameters": [
        refused(INFER, lambda request: request.inputs[0].parameters),
        altered(INFER, zeros, lambda request: request.inputs[0].parameters),
    ],
    "parameters.outputs-may-have-parameters": [
        refused(INFER, lambda request: any(one.parameters for one in request.outputs)),
        altered(INFER, zeros, lambda request: any(one.parameters for one in request.outputs)),
    ],
    "streams.requests-are-answered": [
        streamed(lambda answers: list(answers)[:-1]),
        instead(STREAM, lambda: [protocol.ModelStreamInferResponse(error_message="no")] * 20),
    ],
    "streams.answers-are-in-order": [streamed(lambda answers: reversed(list(answers)))],
    "streams.answers-are-those-of-model-infer": [streamed(with_other_values)],
    "streams.errors-are-messages": [streamed(without_message)],
    "streams.errors-do-not-end-the-stream": [streamed(until_error), streamed(raising)],
    "streams.empty-stream-ends": [
        streamed(lambda answers: [*answers, protocol.ModelStreamInferResponse()])
    ],
    "statistics.model-and-version-are-named": [
        each_stat(put("name", "texts")),
        altered(STATISTICS, emptied("model_stats")),
    ],
    "statistics.all-versions-are-counted": [
        altered(STATISTICS, shortened("model_stats")),
        altered(STATISTICS, repeated("model_stats")),
    ],
    "statistics.one-version-is-counted-alone": [misread(STATISTICS, put("version", ""))],
    "statistics.all-models-are-counted": [
        altered(STATISTICS, without_model, lambda request: not request.name)
    ],
    "statistics.unknown-model-is-an-error": [forgiven(STATISTICS, "unknown model")],
    "statistics.unknown-version-is-an-error": [forgiven(STATISTICS, "unknown version")],
    "statistics.all-connections-are-told-the-same": [
        later(2, each_stat(lambda stat: stat.inference_stats.Clear()))
    ],
    "statistics.successes-are-counted": [scaled("inference_stats.success.count", 2)],
    "statistics.rows-are-counted": [
        each_stat(lambda stat: put("inference_count", stat.execution_count)(stat)),
        scaled("inference_count", 2),
    ],
    "statistics.executions-are-counted": [
        scaled("execution_count", 2),
        each_stat(put("execution_count", 1)),
    ],
    "statistics.waits-are-counted": [each_stat(put("inference_stats.queue.count", 0))],
    "statistics.computations-are-counted-alike": [
        each_stat(put("inference_stats.compute_input.count", 0)),
        scaled("inference_stats.compute_infer.count", 2),
        each_stat(put("inference_stats.compute_output.count", 0)),
    ],
    "statistics.durations-grow": [
        each_stat(put("inference_stats.compute_infer.ns", 0)),
        each_stat(put("inference_stats.success.ns", 0)),
        scaled("inference_stats.success.ns", 1e6),
    ],
    "statistics.whole-contains-its-parts": [scaled("inference_stats.success.ns", 0.1)],
    "statistics.failures-are-no-successes": [counting_errors()],
    "statistics.last-inference-is-a-time": [
        scaled("last_inference", 1e-3),
        each_stat(lambda stat: put("last_inference", 2 * 10**12 - stat.inference_count)(stat)),
    ],
    "statistics.batch-sizes-are-told-apart": [
        each_batch(put("batch_size", 1)),
        each_stat(emptied("batch_stats")),
    ],
    "statistics.batch-sizes-add-up": [
        each_batch(put("compute_infer.count", 1000)),
        each_batch(put("batch_size", 1)),
        each_batch(put("batch_size", 0)),
        each_stat(emptied("batch_stats")),
    ],
    "configuration.name-is-the-models": [altered(CONFIG, put("config.name", ""))],
    "configuration.versions-have-configurations": [
        refused(CONFIG, asks_for("1")),
        altered(CONFIG, put("config.name", ""), asks_for("1")),
    ],
    "configuration.inputs-are-those-of-metadata": [
        altered(CONFIG, put("config.input.0.data_type", TYPE_FP64)),
        altered(CONFIG, put("config.input.0.name", "x")),
        altered(CONFIG, lambda one: one.config.ClearField("input")),
    ],
    "configuration.outputs-are-those-of-metadata": [
        altered(CONFIG, put("config.output.0.data_type", TYPE_FP64)),
        altered(CONFIG, put("config.output.0.name", "x")),
        altered(CONFIG, lambda one: one.config.ClearField("output")),
    ],
    "configuration.dimensions-are-those-of-metadata": [
        altered(CONFIG, put("config.input.0.dims.0", 7)),
        altered(CONFIG, put("config.output.0.dims.0", -1)),
        altered(CONFIG, lambda one: one.config.output[0].ClearField("dims")),
    ],
    "configuration.largest-batch-is-answered": [altered(CONFIG, put("config.max_batch_size", 6))],
    "configuration.larger-batch-is-an-error": [
        altered(CONFIG, put("config.max_batch_size", 4)),
        forgiven(INFER, "batch size"),
    ],
    "configuration.unknown-model-is-an-error": [forgiven(CONFIG, "unknown model")],
    "configuration.unknown-version-is-an-error": [forgiven(CONFIG, "unknown version")],
    "repository.index-lists-the-model": [altered(INDEX, without_model)],
    "repository.ready-versions-are-those-of-metadata": [
        altered(INDEX, put("models.0.state", "UNAVAILABLE")),
        altered(INDEX, put("models.0.version", "")),
    ],
    "repository.states-are-known": [
        altered(INDEX, put("models.0.state", "OK")),
        altered(INDEX, put("models.0.name", "")),
    ],
    "repository.ready-models-alone-are-listed": [
        misread(INDEX, put("ready", False)),
        altered(INDEX, emptied("models"), lambda request: request.ready),
    ],
    "repository.loading-an-unknown-model-is-an-error": [forgiven(LOAD, "unknown model")],
    "repository.loaded-model-may-be-loaded-again": [Fault(LOAD, unload_on_load), refused(LOAD)],
    "repository.unloaded-model-does-not-answer": [UNLOADS_NOTHING],
    "repository.unloaded-model-is-not-ready-in-the-index": [
        UNLOADS_NOTHING,
        Fault(INDEX, lose_unloaded),
        Fault(INDEX, ready_unloaded),
    ],
    "repository.unloaded-model-may-be-loaded": [LOADS_NOTHING, refused(LOAD)],
    "classification.classes-are-texts": [
        misread(INFER, lambda one: one.outputs[0].ClearField("parameters"), classifies)
    ],
    "classification.classes-have-their-shape": [
        classes(lambda rows: [row + row[:1] for row in rows]),
        classes(lambda rows: [row[:1] for row in rows]),
    ],
    "classification.elements-have-their-format": [
        each(lambda one: f"{one.index}:{one.value}:{one.label}"),
        each(lambda one: one.value),
        each(lambda one: f"{one.value}:4:{one.label}"),
    ],
    "classification.classes-are-the-highest": [
        each(lambda one: f"{one.value}:{(int(one.index) + 1) % 4}:{one.label}")
    ],
    "classification.highest-comes-first": [classes(lambda rows: [row[::-1] for row in rows])],
    "classification.values-are-those-of-the-output": [
        each(lambda one: f"{float(one.value) + 1}:{one.index}:{one.label}"),
        each(lambda one: f"{float(one.value):.1f}:{one.index}:{one.label}"),
    ],
    "classification.all-classes-are-there-once": [
        classes(lambda rows: [[row[0]] * len(row) for row in rows])
    ],
    "classification.labels-belong-to-indexes": [
        each(lambda one: f"{one.value}:{one.index}:{LABELS[one.row]}"),
        each(lambda one: f"{one.value}:{one.index}:{LABELS[int(one.index) // 2]}"),
    ],
    "classification.other-outputs-stay": [
        altered(INFER, put("raw_output_contents.1", bytes(8)), classifies),
        altered(INFER, without_output, classifies),
    ],
    "scheduling.long-timeout-is-kept": [
        refused(INFER, has_parameter("timeout")),
        altered(INFER, zeros, has_parameter("timeout")),
    ],
    "scheduling.short-timeout-ends": [Fault(INFER, silent_timeout)],
    "scheduling.default-priority-is-answered": [
        refused(INFER, has_parameter("priority")),
        altered(INFER, zeros, has_parameter("priority")),
    ],
    "scheduling.timeout-is-a-number": [forgiven(INFER, "timeout")],
    "scheduling.priority-is-a-number": [forgiven(INFER, "priority")],
}
"""By the rule that has to notice it."""
