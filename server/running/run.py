"""Runs a model once for calls that arrived together, and gives each of them its own answer."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, repeat
from operator import attrgetter
from typing import TypeAlias

import numpy as np
import structlog

from canonical import Canonical
from modelfile.input_range import PIXELS
from server.errors import Cancelled, Expired, InvalidField, RequestError
from server.models.model import Batch, Model
from server.running.calls import NO_PIXELS, NOT_COUNTED, Call, fail, fail_all
from server.running.overflow import refuse_overflows
from server.running.pixels import (
    Part,
    are_valid,
    canonicalize_in_place,
    find_bad_pixel,
    ink_of,
    is_sliced,
    join,
    slices,
)
from server.running.request import FLOAT_BYTES, LABELS_OF_ONE_BYTE, Answer, Labels
from server.telemetry.record import Record, note_exemplars, note_expired, note_run
from server.telemetry.version_stats import VersionStats

log = structlog.get_logger()

_request, _size = attrgetter("request"), attrgetter("size")

_ALL_WRITTEN = {bytes}

WRITTEN_TOGETHER = 4
"""From this many equal requests on, their answers are written at once."""


@dataclass(slots=True, eq=False)
class Run:
    """The results of a model for all images of a run, in their parts' order.

    `layers` are the activations (N, neurons), the output layer's first, `labels` (N,) its brightest
    neurons, `ink` (N,) the sum of each image's pixels as the model has read them. `errors` and
    `canonical` have an entry for each part if any part needs one.
    """

    model: Model
    layers: list[Batch]
    labels: Labels
    ink: Batch
    errors: Sequence[InvalidField | None] = ()
    canonical: Sequence[Canonical | None] = ()


Offer: TypeAlias = Callable[[Sequence[Call], Run], None]


def answer(model: Model, stats: VersionStats, calls: Sequence[Call], offer: Offer | None) -> None:
    """Run the model once and answer each call whose caller still waits; every call has ended then,
    and nothing is raised.

    `offer` gets the answered calls with the run, and may keep their pixels.
    """
    try:
        waiting = drop_abandoned(model, stats, calls)
        if waiting:
            finished = _answer(model, stats, waiting)
            if offer is not None:
                offer(waiting, finished)
    except Exception as error:
        log.exception("run failed", model=model.name, version=model.version)
        fail_all(calls, error, stats)
    finally:
        # The calls themselves are there until their callers have read the answers.
        for call in calls:
            call.message, call.pixels = b"", NO_PIXELS


def drop_abandoned(model: Model, stats: VersionStats, calls: Sequence[Call]) -> Sequence[Call]:
    """Return the calls whose callers still wait, and refuse the others."""
    now = time.perf_counter()
    waiting = [call for call in calls if not call.cancelled and call.deadline > now]
    if len(waiting) == len(calls):
        return calls
    # Not by asking again: a caller may have left since, but its call is still in the run.
    kept = set(waiting)
    for call in calls:
        error: RequestError
        if call in kept:
            continue
        if call.cancelled:
            error = Cancelled("cancelled", "the caller has left")
        elif call.begin + call.request.timeout_seconds <= now:
            error = Expired(
                "timeout",
                f"the request's timeout, {call.request.timeout_seconds:g} s, passed before the "
                "model ran; retry later, or give it more time",
            )
        else:
            error = Expired(
                "deadline",
                "the call's deadline passed before the model ran; retry later, or give it more "
                "time",
            )
        call.record = call.record or Record()
        note_expired(call, call.record, model, now)
        fail(call, error, stats)
    return waiting


def _answer(model: Model, stats: VersionStats, calls: Sequence[Call]) -> Run:
    begin = time.perf_counter()
    finished = run(model, calls)
    ran = time.perf_counter()
    try:
        stats.count_run(len(calls), len(finished.labels))
        _observe(stats, calls, finished)
    except Exception:
        log.exception(NOT_COUNTED)
    responses = write(calls, finished)
    encoded = time.perf_counter()
    try:
        answered = _count(stats, calls, responses, len(finished.labels), (begin, ran, encoded))
        if note_run(calls, model, len(finished.labels), begin, ran, encoded):
            note_exemplars(answered, stats.predictions.exemplars, encoded)
    except Exception:
        log.exception(NOT_COUNTED)
    for call, response in zip(calls, responses, strict=True):
        if isinstance(response, bytes):
            try:
                call.answer(response)
            except Exception as error:
                log.exception("answering failed")
                fail(call, error, stats)
        else:
            call.record = call.record or Record(model=model, images=call.size)
            fail(call, response, stats)
    return finished


def _count(
    stats: VersionStats,
    calls: Sequence[Call],
    responses: Sequence[bytes | Exception],
    images: int,
    times: tuple[float, float, float],
) -> Sequence[Call]:
    """Count the run and the calls that are going to be answered, and return these."""
    answered, answered_images = calls, images
    if set(map(type, responses)) != _ALL_WRITTEN:
        pairs = zip(calls, responses, strict=True)
        answered = [call for call, response in pairs if isinstance(response, bytes)]
        answered_images = sum(map(_size, answered))
    stats.predictions.count_run(answered, images, answered_images, times)
    return answered


def _observe(stats: VersionStats, calls: Sequence[Call], finished: Run) -> None:
    """Note the images that are going to be answered."""
    ink, activations, labels = finished.ink, finished.layers[0], finished.labels
    if any(finished.errors):
        answered = [
            index
            for call, error in zip(calls, finished.errors, strict=True)
            for index in [error is None] * call.size
        ]
        ink, activations, labels = ink[answered], activations[answered], labels[answered]
    stats.observe(ink, activations, labels)


def run(model: Model, parts: Sequence[Part]) -> Run:
    """Run a model for several requests; a bad one does not affect the others."""
    requests = set(map(_request, parts))
    hidden = any(request.hidden_activations for request in requests)
    # Only models of pixels accept bytes, and every byte is valid.
    is_bytes = all(request.is_bytes for request in requests)
    canonical: Sequence[Canonical | None] = ()
    is_canonical = any(request.canonicalize for request in requests)
    if is_sliced(parts, sum(map(_size, parts))) and not is_canonical:
        layers, ink, is_valid = _run_slices(model, parts, hidden, is_bytes)
    else:
        batch = join(parts, requests, model.n_pixels)
        is_valid = is_bytes or are_valid(batch, model.input_range)
        if is_canonical:
            batch = batch.copy()
            canonical = [
                canonicalize_in_place(
                    batch[end - part.size : end], model.image_layout, model.input_range
                )
                if part.request.canonicalize
                else None
                for part, end in zip(parts, accumulate(map(_size, parts)), strict=True)
            ]
        ink = ink_of(batch, is_valid and model.input_range is PIXELS)
        layers = model.predict(batch, hidden)
    errors: Sequence[InvalidField | None] = ()
    if not is_valid:
        errors = [find_bad_pixel(part, model.input_range) for part in parts]
    if model.may_overflow:
        errors = refuse_overflows(parts, layers[0], errors)
    return Run(model, layers, layers[0].argmax(axis=1), ink, errors, canonical)


def _run_slices(
    model: Model, parts: Sequence[Part], hidden: bool, is_bytes: bool
) -> tuple[list[Batch], Batch, bool]:
    """Return the layers of a large run, its images' ink, and whether all pixels are valid."""
    outputs, inks, all_valid = [], [], True
    for batch in slices(parts, model.n_pixels):
        is_valid = is_bytes or are_valid(batch, model.input_range)
        all_valid = all_valid and is_valid
        inks.append(ink_of(batch, is_valid and model.input_range is PIXELS))
        outputs.append(model.predict(batch, hidden))
    layers = [np.concatenate(layer) for layer in zip(*outputs, strict=True)]
    return layers, np.concatenate(inks), all_valid


def write(calls: Sequence[Call], finished: Run) -> Sequence[bytes | Exception]:
    """Return each call's response, or the error in its place."""
    request = calls[0].request
    if (
        len(calls) >= WRITTEN_TOGETHER
        and len(calls) == len(finished.labels)
        and request.write_each is not None
        and not finished.errors
        and all(call.request is request for call in calls)
    ):
        identifiers = [call.identifier for call in calls]
        return request.write_each(finished.model, finished.labels, finished.layers, identifiers)
    answers = split(finished, [call.size for call in calls])
    errors = finished.errors or repeat(None)
    return [
        error or _write(call, part)
        for call, part, error in zip(calls, answers, errors, strict=False)
    ]


def _write(call: Call, part: Answer) -> bytes | Exception:
    """Return a response, or the error from writing it, which affects no others."""
    try:
        return call.request.write(part, call.identifier)
    except Exception as error:
        log.exception("writing an answer failed")
        return error


def split(finished: Run, sizes: Sequence[int]) -> Iterable[Answer]:
    """Return the answer for each part, by their sizes."""
    labels: Sequence[int]
    if len(finished.model.labels) <= LABELS_OF_ONE_BYTE:
        labels = finished.labels.astype(np.uint8).tobytes()
    else:
        labels = finished.labels.tolist()
    # Their memory, which is little-endian on all supported platforms.
    rows = [
        (layer.reshape(-1).view(np.uint8).data, FLOAT_BYTES * layer.shape[1])
        for layer in finished.layers
    ]
    begin = 0
    for index, size in enumerate(sizes):
        end = begin + size
        yield Answer(
            finished.model,
            labels[begin:end],
            [activations[begin * width : end * width] for activations, width in rows],
            finished.canonical[index] if finished.canonical else None,
        )
        begin = end
