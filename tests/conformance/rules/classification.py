"""The extension classification: the highest values of an output, instead of all."""

import math
from dataclasses import dataclass

import numpy as np

from tests.conformance.rule import rule
from tests.conformance.subject import (
    ROWS,
    Broken,
    Subject,
    equal,
    expect,
    unless,
    values_of,
)
from tests.conformance.tensors import TEXT, Values

EXTENSION = SECTION = PARAMETER = "classification"


@dataclass(frozen=True, slots=True)
class Class:
    """An element of a classification: value:index, and a label if there is one."""

    value: float
    index: int
    label: str | None


def _output(subject: Subject) -> tuple[str, int]:
    """Return the first output that has classes, and how many."""
    for tensor in subject.metadata.outputs:
        row = list(tensor.shape)[1 if subject.is_batched else 0 :]
        if tensor.datatype.startswith("FP") and len(row) == 1 and row[0] > 1:
            return tensor.name, row[0]
    unless(True, "the model has no output of classes")
    raise AssertionError


def _classify(subject: Subject, count: int, *seeds: int) -> tuple[str, str, Values, Values]:
    """Return the output's name, its datatype, its classes and its plain values."""
    name, _ = _output(subject)
    plain = subject.answer(subject.request(*seeds))[name]
    request = subject.request(*seeds)
    request.outputs.add(name=name).parameters[PARAMETER].int64_param = count
    response = subject.server.infer(request)
    (output,) = response.outputs
    return name, output.datatype, values_of(response)[name], plain


def _parse(text: bytes) -> Class:
    parts = text.decode().split(":", 2)
    try:
        return Class(float(parts[0]), int(parts[1]), parts[2] if len(parts) > 2 else None)
    except (ValueError, IndexError):
        raise Broken(f"{text!r} is not <value>:<index>[:<label>]") from None


def _rows(subject: Subject, count: int, *seeds: int) -> list[tuple[list[Class], Values]]:
    """Return each row's classes and its plain values."""
    _, _, classes, plain = _classify(subject, count, *seeds)
    n_classes = plain.shape[-1]
    texts = classes.reshape(-1, classes.shape[-1]) if classes.ndim else classes.reshape(1, 1)
    values = plain.reshape(-1, n_classes)
    expect(len(texts) == len(values), f"{len(texts)} rows of classes for {len(values)} rows")
    return [
        ([_parse(text) for text in row], numbers)
        for row, numbers in zip(texts, values, strict=True)
    ]


@rule(SECTION, "The returned tensor is of type BYTES.", EXTENSION)
def classes_are_texts(subject: Subject) -> None:
    name, datatype, _, _ = _classify(subject, 1)
    expect(datatype == TEXT, f"{name} has datatype {datatype}")


@rule(SECTION, "The returned tensor has shape [batch-size, count].", EXTENSION)
def classes_have_their_shape(subject: Subject) -> None:
    batch = ROWS if subject.is_batched else (0,)
    for count in (1, 2):
        name, _, classes, plain = _classify(subject, count, *batch)
        wanted = (*plain.shape[:-1], count)
        expect(classes.shape == wanted, f"{name} has shape {list(classes.shape)}, not {wanted}")


@rule(SECTION, "An element is <value>:<index>, and :<label> where there is one.", EXTENSION)
def elements_have_their_format(subject: Subject) -> None:
    _, n_classes = _output(subject)
    for classes, _ in _rows(subject, 2):
        for one in classes:
            expect(0 <= one.index < n_classes, f"the index {one.index} is not of {n_classes}")


@rule(SECTION, "The classes are the highest-valued elements of the output.", EXTENSION)
def classes_are_the_highest(subject: Subject) -> None:
    batch = ROWS if subject.is_batched else (0,)
    for classes, values in _rows(subject, 2, *batch):
        highest = sorted(map(float, values), reverse=True)[: len(classes)]
        found = [float(values[one.index]) for one in classes]
        expect(found == highest, f"the classes' values are {found}, the highest {highest}")


@rule(SECTION, "The highest comes first.", EXTENSION)
def highest_comes_first(subject: Subject) -> None:
    _, n_classes = _output(subject)
    for classes, values in _rows(subject, n_classes):
        numbers = [float(values[one.index]) for one in classes]
        expect(numbers == sorted(numbers, reverse=True), f"the values come as {numbers}")


@rule(SECTION, "The value is the one that the output has at that index.", EXTENSION)
def values_are_those_of_the_output(subject: Subject) -> None:
    batch = ROWS if subject.is_batched else (0,)
    for classes, values in _rows(subject, 2, *batch):
        for one in classes:
            wanted = float(values[one.index])
            close = math.isclose(one.value, wanted, rel_tol=1e-3, abs_tol=1e-5)
            expect(close, f"class {one.index} has the value {one.value}, the output has {wanted}")


@rule(SECTION, "Each class is there once when all are requested.", EXTENSION)
def all_classes_are_there_once(subject: Subject) -> None:
    _, n_classes = _output(subject)
    for classes, _ in _rows(subject, n_classes):
        found = sorted(one.index for one in classes)
        expect(found == list(range(n_classes)), f"the indexes are {found}")


@rule(SECTION, "A label belongs to its index.", EXTENSION)
def labels_belong_to_indexes(subject: Subject) -> None:
    _, n_classes = _output(subject)
    batch = ROWS if subject.is_batched else (0, 1)
    labels: dict[int, str | None] = {}
    for classes, _ in _rows(subject, n_classes, *batch):
        for one in classes:
            known = labels.setdefault(one.index, one.label)
            expect(known == one.label, f"class {one.index} is called {known!r} and {one.label!r}")
    named = [label for label in labels.values() if label is not None]
    expect(len(set(named)) == len(named), f"several classes have a label: {sorted(named)}")


@rule(SECTION, "An output without the parameter is returned unchanged.", EXTENSION)
def other_outputs_stay(subject: Subject) -> None:
    name, _ = _output(subject)
    others = [tensor.name for tensor in subject.metadata.outputs if tensor.name != name]
    unless(not others, "the model has one output")
    subject.need_sense()
    request = subject.request()
    for one in (name, *others):
        request.outputs.add(name=one)
    wanted = subject.answer(request)
    request.outputs[0].parameters[PARAMETER].int64_param = 1
    found = subject.answer(request)
    for other in others:
        expect(
            other in found and equal(np.asarray(found[other]), wanted[other]),
            f"{other} changes when {name} is classified",
        )
