"""ModelInfer: several rows in a call, and several calls at once."""

import grpc
import numpy as np

from tests.conformance.rule import rule
from tests.conformance.subject import (
    ROWS,
    Broken,
    Subject,
    expect,
    row_of,
    same,
    values_of,
)

AT_ONCE = 16


@rule("Inference (REST: outputs)", "If the output is batched, it has the shape of the full batch.")
def batch_has_its_rows(subject: Subject) -> None:
    subject.need_batches()
    for name, values in subject.answer(subject.request(*ROWS)).items():
        expect(
            values.shape[:1] == (len(ROWS),),
            f"{name} has shape {list(values.shape)} for {len(ROWS)} rows",
        )


@rule("Inference (REST: outputs)", "A batch of one row has its dimension, too.")
def batch_of_one_has_its_dimension(subject: Subject) -> None:
    subject.need_batches()
    for name, values in subject.answer(subject.request(0)).items():
        expect(values.shape[:1] == (1,), f"{name} has shape {list(values.shape)} for one row")


@rule("Tensor Data", "Tensors are in row-major order: each row of a batch has its own answer.")
def rows_are_answered_as_alone(subject: Subject) -> None:
    subject.need_batches()
    subject.need_sense()
    batch = subject.answer(subject.request(*ROWS))
    for index, seed in enumerate(ROWS):
        alone = subject.answer(subject.request(seed))
        expect(same(row_of(batch, index), alone), f"row {index} has another answer alone")


@rule("Tensor Data", "Elements are in linear order: if rows change their order, so do the answers.")
def rows_keep_their_order(subject: Subject) -> None:
    subject.need_batches()
    subject.need_sense()
    forwards, backwards = (subject.answer(subject.request(*order)) for order in (ROWS, ROWS[::-1]))
    reversed_rows = {name: values[::-1] for name, values in backwards.items()}
    expect(same(forwards, reversed_rows), "rows in reversed order have no reversed answers")


@rule("Tensor Data", "A batch in contents is the same tensor as in raw form.")
def typed_batches_mean_the_same(subject: Subject) -> None:
    subject.need_batches()
    subject.need_sense()
    raw, typed = (subject.answer(form(*ROWS)) for form in (subject.request, subject.typed_request))
    expect(same(raw, typed), "the same batch has other answers raw and typed")


@rule("Inference", "A response answers its own request, even when many are in progress.")
def calls_at_once_keep_their_answers(subject: Subject) -> None:
    subject.need_sense()
    requests = [subject.request(seed) for seed in range(AT_ONCE)]
    wanted = [subject.answer(request) for request in requests]
    for index, answer in enumerate(subject.server.infer_at_once(requests)):
        if isinstance(answer, grpc.RpcError):
            raise Broken(f"request {index} of {AT_ONCE} failed: {answer.details()}")
        expect(same(values_of(answer), wanted[index]), f"request {index} has another's answer")


@rule("Inference", "A response has the id of its own request, even when many are in progress.")
def calls_at_once_keep_their_ids(subject: Subject) -> None:
    requests = [subject.request(seed) for seed in range(AT_ONCE)]
    for index, request in enumerate(requests):
        request.id = f"id {index}"
    for request, answer in zip(requests, subject.server.infer_at_once(requests), strict=True):
        if isinstance(answer, grpc.RpcError):
            raise Broken(f"request {request.id} of {AT_ONCE} failed: {answer.details()}")
        expect(answer.id == request.id, f"request {request.id} has the answer {answer.id}")


@rule("Inference (REST: inputs)", "Shape and data represent the full batch, whatever its size.")
def batches_at_once_keep_their_rows(subject: Subject) -> None:
    subject.need_batches()
    subject.need_sense()
    sizes = [1 + index % len(ROWS) for index in range(AT_ONCE)]
    requests = [subject.request(*ROWS[:size]) for size in sizes]
    whole = subject.answer(subject.request(*ROWS))
    answers = subject.server.infer_at_once(requests)
    for size, answer in zip(sizes, answers, strict=True):
        if isinstance(answer, grpc.RpcError):
            raise Broken(f"a batch of {size} failed: {answer.details()}")
        wanted = {name: np.asarray(values[:size]) for name, values in whole.items()}
        expect(same(values_of(answer), wanted), f"a batch of {size} has others' rows")
