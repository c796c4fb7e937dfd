"""ModelStatistics: what versions have answered, and where the time went, over all workers."""

from collections.abc import Iterable
from typing import TypeAlias

from google.protobuf.message import Message

from mlpserve.inference import open_inference_pb2 as protocol
from server.errors import InvalidField
from server.models.model import Model
from server.models.served import Served
from server.rpc.inference.asking import AskAll, Shared, ask_each
from server.rpc.inference.requests import read_version
from server.running.request import encodable
from server.telemetry.predictions import Sums, Times
from server.telemetry.version_stats import VERSIONS

SUBJECT = "statistics"

ANSWER_SECONDS = 2.0
"""How long a worker may take; the thread that answers is its own, so it takes milliseconds."""

PAUSE_SECONDS = 0.05
"""How long to wait after one question before the next: 20 a second cost other callers nothing that
can be measured.
"""

_Duration: TypeAlias = protocol.StatisticDuration
_Statistics: TypeAlias = protocol.ModelStatistics
_Batch: TypeAlias = protocol.InferBatchStatistics

Totals = dict[tuple[str, str], _Statistics]
"""Statistics by the names of models and versions."""


class Statistics:
    """Answers ModelStatistics for the models that are served."""

    def __init__(self, served: Served, ask_all: AskAll) -> None:
        self._served = served

        def ask() -> Totals:
            answers = ask_each(ask_all, SUBJECT, "", ANSWER_SECONDS, "ask again shortly")
            return add_up(answer for _, answer in answers)

        self._totals = Shared(ask, PAUSE_SECONDS)

    def model_statistics(
        self, request: protocol.ModelStatisticsRequest
    ) -> protocol.ModelStatisticsResponse:
        """Return the statistics of one version, of all versions of a model, or of all models.

        Raises NotReady, NotLoaded, InvalidField.
        """
        asked = self._asked(request.name, request.version)
        keys = [(encodable(model.name), str(model.version)) for model in asked]
        totals = self._totals.get()
        return protocol.ModelStatisticsResponse(
            model_stats=[
                totals.get((name, version), _Statistics(name=name, version=version))
                for name, version in keys
            ]
        )

    def _asked(self, name: str, version: str) -> Iterable[Model]:
        models = self._served.require()
        if version:
            if not name:
                raise InvalidField(
                    "version",
                    "version: given without a model; name the model too, or leave it out",
                    "version",
                )
            return [models.find(name, *read_version(version))]
        if name:
            return models.by_name[models.find(name, 0).name].by_number.values()
        return models


def count_here() -> bytes:
    """Return this worker's part as a serialized ModelStatisticsResponse."""
    counted = VERSIONS.sums().items()
    return protocol.ModelStatisticsResponse(
        model_stats=[_write(name, version, sums) for (name, version), sums in counted]
    ).SerializeToString()


def add_up(parts: Iterable[bytes]) -> Totals:
    """Return the sums of what workers have counted."""
    totals: Totals = {}
    for part in parts:
        for statistics in protocol.ModelStatisticsResponse.FromString(part).model_stats:
            total = totals.setdefault((statistics.name, statistics.version), statistics)
            if total is not statistics:
                _add(total, statistics)
    return totals


def _write(name: str, version: int, sums: Sums) -> _Statistics:
    answered = sums.answered
    seconds = sums.queue_seconds + sum(_seconds(answered))
    return _Statistics(
        name=encodable(name),
        version=str(version),
        last_inference=int(sums.last_time * 1e3),
        inference_count=sums.images,
        execution_count=sum(times.count for times in sums.by_size.values()),
        inference_stats=protocol.InferStatistics(
            success=_duration(answered.count, seconds),
            fail=_duration(sums.failed, sums.failed_seconds),
            queue=_duration(answered.count, sums.queue_seconds),
            **_compute(answered),
        ),
        batch_stats=[
            _Batch(batch_size=size, **_compute(times)) for size, times in sums.by_size.items()
        ],
    )


def _seconds(times: Times) -> tuple[float, float, float]:
    return times.decode_seconds, times.run_seconds, times.encode_seconds


def _compute(times: Times) -> dict[str, _Duration]:
    names = ("compute_input", "compute_infer", "compute_output")
    return {
        name: _duration(times.count, seconds)
        for name, seconds in zip(names, _seconds(times), strict=True)
    }


def _duration(count: int, seconds: float) -> _Duration:
    # Sums of floats may end a little below zero.
    return _Duration(count=count, ns=max(0, round(seconds * 1e9)))


def _add(total: _Statistics, more: _Statistics) -> None:
    """Add to the statistics of a version."""
    batches = {batch.batch_size: batch for batch in total.batch_stats}
    for batch in more.batch_stats:
        known = batches.setdefault(batch.batch_size, batch)
        if known is not batch:
            _add_durations(known, batch)
    ordered = [batch for _, batch in sorted(batches.items())]
    del total.batch_stats[:]
    total.batch_stats.extend(ordered)
    total.last_inference = max(total.last_inference, more.last_inference)
    total.inference_count += more.inference_count
    total.execution_count += more.execution_count
    _add_durations(total.inference_stats, more.inference_stats)


def _add_durations(total: Message, more: Message) -> None:
    """Add each of a message's durations to that of another of its kind."""
    for field in total.DESCRIPTOR.fields:
        if field.message_type is _Duration.DESCRIPTOR:
            duration, other = getattr(total, field.name), getattr(more, field.name)
            duration.count += other.count
            duration.ns += other.ns
