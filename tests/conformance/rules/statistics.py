"""The extension statistics; nobody else may call the model meanwhile, since they are counts."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from mlpserve.inference import open_inference_pb2 as protocol
from tests.conformance.rule import rule
from tests.conformance.subject import (
    ROWS,
    UNKNOWN,
    NotApplicable,
    Subject,
    expect,
    refusal,
)
from tests.conformance.waiting import look_until

EXTENSION = SECTION = "statistics"
PATIENCE_SECONDS = 5.0
"""How long counts may take to arrive, where several processes have them."""

N_CALLS = 5
N_CONNECTIONS = 8
MILLISECONDS_OF_2001 = 1_000_000_000_000

Statistics = protocol.ModelStatistics


def _ask(subject: Subject, name: str = "", version: str = "") -> list[Statistics]:
    request = protocol.ModelStatisticsRequest(name=name, version=version)
    answer = subject.server.call("ModelStatistics", request, protocol.ModelStatisticsResponse)
    return list(answer.model_stats)


def _of(subject: Subject, version: str) -> Statistics:
    """Return what is counted of one version."""
    found = [one for one in _ask(subject, subject.model, version) if one.version == version]
    expect(len(found) == 1, f"{len(found)} statistics of version {version}")
    return found[0]


@dataclass(frozen=True, slots=True)
class Growth:
    """A version's statistics before and after some calls."""

    before: Statistics
    after: Statistics

    def of(self, count: Callable[[Statistics], int]) -> int:
        """Return how much a count has grown."""
        return count(self.after) - count(self.before)


def _grow(subject: Subject, *batches: tuple[int, ...], bad: int = 0) -> Growth:
    """Make calls with these batches, and some bad ones before, one after the other."""
    version = subject.server.infer(subject.request()).model_version
    before = _settled(subject, version)
    for _ in range(bad):
        request = subject.request()
        request.inputs[0].name = UNKNOWN
        subject.refused(request, "an unknown input")
    for rows in batches:
        subject.server.infer(subject.request(*rows))
    wanted = before.inference_stats.success.count + len(batches)
    after = look_until(
        lambda: _of(subject, version),
        lambda found: found.inference_stats.success.count >= wanted,
        PATIENCE_SECONDS,
    )
    return Growth(before, after)


def _settled(subject: Subject, version: str) -> Statistics:
    """Return the statistics once the answered calls have been counted."""
    looks: list[Statistics] = []

    def look() -> Statistics:
        looks.append(_of(subject, version))
        return looks[-1]

    return look_until(look, lambda found: looks[-2:] == [found] * 2, PATIENCE_SECONDS)


@rule(SECTION, "The statistics have the model's name and its version.", EXTENSION)
def model_and_version_are_named(subject: Subject) -> None:
    found = _ask(subject, subject.model)
    expect(bool(found), "there are no statistics of the model")
    names = {one.name for one in found}
    expect(names == {subject.model}, f"statistics of {subject.model} name {names}")


@rule(SECTION, "If no version is given, statistics are of all versions of the model.", EXTENSION)
def all_versions_are_counted(subject: Subject) -> None:
    found = [one.version for one in _ask(subject, subject.model)]
    expect(len(set(found)) == len(found), f"a version is there twice: {found}")
    missing = set(subject.versions) - set(found)
    expect(not missing, f"versions without statistics: {sorted(missing)}")


@rule(SECTION, "If a version is given, statistics are of that version alone.", EXTENSION)
def one_version_is_counted_alone(subject: Subject) -> None:
    for version in subject.versions:
        found = [one.version for one in _ask(subject, subject.model, version)]
        expect(found == [version], f"statistics of version {version} are of {found}")


@rule(SECTION, "If no name is given, statistics are of all models.", EXTENSION)
def all_models_are_counted(subject: Subject) -> None:
    names = {one.name for one in _ask(subject)}
    expect(subject.model in names, f"statistics of all models are of {sorted(names)}")


@rule(SECTION, "Errors are indicated by the status: an unknown model is an error.", EXTENSION)
def unknown_model_is_an_error(subject: Subject) -> None:
    refusal(lambda: _ask(subject, UNKNOWN), f"statistics of model {UNKNOWN}")


@rule(SECTION, "Errors are indicated by the status: an unknown version is an error.", EXTENSION)
def unknown_version_is_an_error(subject: Subject) -> None:
    version = subject.unknown_version
    refusal(lambda: _ask(subject, subject.model, version), f"statistics of version {version}")


@rule(SECTION, "Statistics are of all activity, whichever connection asks.", EXTENSION)
def all_connections_are_told_the_same(subject: Subject) -> None:
    connect = subject.server.connect
    if connect is None:
        raise NotApplicable("there is one connection")
    version = subject.server.infer(subject.request()).model_version
    wanted = _settled(subject, version).inference_stats.success.count
    for _ in range(N_CONNECTIONS):
        with connect() as channel:
            server = replace(subject.server, channel=channel)
            found = _of(replace(subject, server=server), version).inference_stats.success.count
        expect(found == wanted, f"another connection is told of {found} calls instead of {wanted}")


@rule(SECTION, "success counts all successful inference requests.", EXTENSION)
def successes_are_counted(subject: Subject) -> None:
    growth = _grow(subject, *[(0,)] * N_CALLS)
    count = growth.of(lambda one: one.inference_stats.success.count)
    expect(count == N_CALLS, f"success grows by {count} with {N_CALLS} calls")


@rule(SECTION, "Each inference in a batched request counts as an individual one.", EXTENSION)
def rows_are_counted(subject: Subject) -> None:
    subject.need_batches()
    growth = _grow(subject, ROWS, (0,), ROWS)
    count, wanted = growth.of(lambda one: one.inference_count), 2 * len(ROWS) + 1
    expect(count == wanted, f"inference_count grows by {count} with {wanted} rows")


@rule(SECTION, "execution_count counts executions, of one or more requests each.", EXTENSION)
def executions_are_counted(subject: Subject) -> None:
    growth = _grow(subject, *[(0,)] * N_CALLS)
    count = growth.of(lambda one: one.execution_count)
    # Each call began after the one before was answered, so none was joined with it.
    expect(count == N_CALLS, f"execution_count grows by {count} with {N_CALLS} calls in turn")


@rule(SECTION, "queue counts how long requests waited.", EXTENSION)
def waits_are_counted(subject: Subject) -> None:
    growth = _grow(subject, *[(0,)] * N_CALLS)
    count = growth.of(lambda one: one.inference_stats.queue.count)
    expect(count == N_CALLS, f"queue grows by {count} with {N_CALLS} calls")


@rule(SECTION, "compute_input, _infer and _output count the same requests.", EXTENSION)
def computations_are_counted_alike(subject: Subject) -> None:
    growth = _grow(subject, *[(0,)] * N_CALLS)
    counts = {
        "compute_input": growth.of(lambda one: one.inference_stats.compute_input.count),
        "compute_infer": growth.of(lambda one: one.inference_stats.compute_infer.count),
        "compute_output": growth.of(lambda one: one.inference_stats.compute_output.count),
    }
    expect(set(counts.values()) == {N_CALLS}, f"with {N_CALLS} calls they grow by {counts}")


@rule(SECTION, "ns is the total duration, in nanoseconds.", EXTENSION)
def durations_grow(subject: Subject) -> None:
    begin = time.monotonic_ns()
    growth = _grow(subject, *[(0,)] * N_CALLS)
    elapsed = time.monotonic_ns() - begin
    durations = {
        "success": growth.of(lambda one: one.inference_stats.success.ns),
        "compute_infer": growth.of(lambda one: one.inference_stats.compute_infer.ns),
    }
    for name, spent in durations.items():
        expect(0 < spent <= elapsed, f"{name} grows by {spent} ns with calls of {elapsed} ns")


@rule(SECTION, "success covers a request's whole time, in queues and computing.", EXTENSION)
def whole_contains_its_parts(subject: Subject) -> None:
    growth = _grow(subject, *[(0,)] * N_CALLS)
    whole = growth.of(lambda one: one.inference_stats.success.ns)
    run = growth.of(lambda one: one.inference_stats.compute_infer.ns)
    expect(run <= whole, f"compute_infer grows by {run} ns, and success by {whole} ns")


@rule(SECTION, "Only successful inferences are counted as such.", EXTENSION)
def failures_are_no_successes(subject: Subject) -> None:
    growth = _grow(subject, (0,), bad=3)
    count = growth.of(lambda one: one.inference_stats.success.count)
    rows = growth.of(lambda one: one.inference_count)
    expect((count, rows) == (1, 1), f"1 good call and 3 bad ones count as {count} ({rows} rows)")


@rule(SECTION, "last_inference is in milliseconds since the epoch.", EXTENSION)
def last_inference_is_a_time(subject: Subject) -> None:
    growth = _grow(subject, (0,))
    before, after = growth.before.last_inference, growth.after.last_inference
    expect(after >= before, f"last_inference falls from {before} to {after}")
    expect(
        MILLISECONDS_OF_2001 < after < 10 * MILLISECONDS_OF_2001,
        f"last_inference is {after}, which are not milliseconds of our time",
    )


@rule(SECTION, "batch_stats has the statistics of each batch size executed.", EXTENSION)
def batch_sizes_are_told_apart(subject: Subject) -> None:
    subject.need_batches()
    growth = _grow(subject, ROWS, ROWS)

    def executions(one: Statistics) -> int:
        found = [batch for batch in one.batch_stats if batch.batch_size == len(ROWS)]
        return found[0].compute_infer.count if found else 0

    count = growth.of(executions)
    expect(count == 2, f"2 batches of {len(ROWS)} rows count as {count} of this size")


@rule(SECTION, "batch_stats counts all executions, once under the size of each.", EXTENSION)
def batch_sizes_add_up(subject: Subject) -> None:
    after = _grow(subject, (0,), ROWS if subject.is_batched else (0,)).after
    sizes = [batch.batch_size for batch in after.batch_stats]
    expect(bool(sizes) and all(sizes), f"the batch sizes are {sizes}")
    expect(len(set(sizes)) == len(sizes), f"a batch size is there twice: {sizes}")
    total = sum(batch.compute_infer.count for batch in after.batch_stats)
    expect(
        total == after.execution_count,
        f"{total} executions of all batch sizes, and execution_count is {after.execution_count}",
    )
