"""Says in sentences what a reader of the figures must know: who was the limit, what went wrong."""

from collections.abc import Iterator

from mlpserve.bench.histogram import quantile_seconds
from mlpserve.bench.result import Result, Stall
from mlpserve.terminal.durations import format_duration

MAX_LAG_SECONDS = 0.001
"""The tool is the limit when it sends one call in a hundred later than this."""

FULL_CORE = 0.9
"""The share of a core from which on a process has no time left."""

MIN_CALLS_BEYOND = 10
"""Calls beyond a quantile that it takes to trust it."""

MIN_STALL_SECONDS, MIN_STALL_TIMES = 0.1, 10
"""A time without an answer is named from this length on, and so many times what is usual: between
two answers, or what half of the calls take in the best second, since a stall makes others longer.
"""

MAX_STALLS = 5
"""Times without an answer that are named, the longest ones."""


def is_tool_limit(result: Result) -> bool:
    """Return whether the tool itself sent calls too late: then no figure is the server's."""
    lag = quantile_seconds(result.lag, 0.99)
    return lag is not None and lag > MAX_LAG_SECONDS


def failed_calls(result: Result) -> int:
    """Return how many calls were sent and not answered OK."""
    return result.sent - result.answered


def describe_findings(result: Result) -> Iterator[str]:
    """Yield each finding as a sentence or two: on the tool, on the server, on the figures."""
    if result.is_interrupted:
        yield f"The run was interrupted after {format_duration(result.seconds)}."
    for reason in result.lost_processes:
        yield f"A process of the tool ended early, {reason}: calls are missing."
    if is_tool_limit(result):
        yield _describe_lag(result)
    yield from _describe_answers(result)
    yield from _describe_figures(result)


def _describe_answers(result: Result) -> Iterator[str]:
    if not result.answered:
        yield "No call was answered OK."
    yield from map(_describe_stall, _stalls(result))
    if result.unsent:
        yield (
            f"{_count(result.unsent, 'call')} could not be sent, since "
            f"{result.plan.max_in_flight:,} others waited for answers: the server does not keep "
            "up. These calls are in no latency."
        )
    if result.wrong_labels:
        yield f"{_count(result.wrong_labels, 'image')} got another label than expected."


def _describe_figures(result: Result) -> Iterator[str]:
    failed = failed_calls(result)
    if failed and result.answered:
        yield f"Latencies are of calls answered OK: {failed:,} others are not in them."
    if 0 < result.answered < 1000 * MIN_CALLS_BEYOND:
        beyond = max(1, result.answered // 1000)
        slowest = "the slowest call" if beyond == 1 else f"the {beyond} slowest calls"
        yield f"p99.9 rests on {slowest}, too few to trust: run longer."
    if result.plan.concurrency is not None:
        yield (
            "In a closed loop callers wait while the server does, so that its pauses meet few "
            "calls. For what users see at a rate, give --rate."
        )


def _describe_lag(result: Result) -> str:
    lag = format_duration(quantile_seconds(result.lag, 0.99) or 0.0)
    busiest = "its process" if result.plan.processes == 1 else "the busiest of its processes"
    used = f"{busiest} used {result.busy:.0%} of a core"
    reason = (
        f"{used}: give more --processes"
        if result.busy >= FULL_CORE
        else f"{used} on the whole: other programs kept it waiting, or answers came all at once"
    )
    return (
        f"The tool was the limit: it sent 1% of the calls {lag} late or more, which is part of "
        f"the latency from intended. {reason[0].upper()}{reason[1:]}."
    )


def _describe_stall(stall: Stall) -> str:
    waiting = f"; {_count(stall.calls, 'call')} waited" if stall.calls else ""
    return (
        f"No answer arrived for {stall.end_seconds - stall.begin_seconds:.1f} s, "
        f"from second {stall.begin_seconds:.1f} to {stall.end_seconds:.1f}{waiting}."
    )


def _stalls(result: Result) -> list[Stall]:
    """Return the longest stalls worth a name, in the order of their time."""
    medians = [quantile_seconds(window.service, 0.5) for window in result.windows]
    usual = min((one for one in medians if one is not None), default=0.0)
    if result.answered:
        usual = min(usual, result.seconds / result.answered)
    shortest = max(MIN_STALL_SECONDS, MIN_STALL_TIMES * usual)
    lengths = {stall: stall.end_seconds - stall.begin_seconds for stall in result.stalls}
    named = [stall for stall in lengths if lengths[stall] >= shortest]
    longest = sorted(named, key=lambda stall: -lengths[stall])[:MAX_STALLS]
    return sorted(longest, key=lambda stall: stall.begin_seconds)


def _count(count: int, one: str, many: str | None = None) -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"
