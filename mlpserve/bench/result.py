"""What is measured, and what came of it.

Times are seconds: `started_at` since 1970, all others since the run began, which is when the first
call should have been sent; the warm-up lies before it and is not part of it. Histograms hold whole
microseconds (see histogram.py). A call that was sent is counted once in `codes`, whatever came of
it; calls that had no place in flight were not sent and are in `unsent` alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from hdrh.histogram import HdrHistogram

from mlpserve.connection.options import SERVICE

INFERENCE_SERVICE = "inference.GRPCInferenceService"


class Protocol(StrEnum):
    """Which method is called: mlpserve.v1 Predict, or the Open Inference Protocol's ModelInfer."""

    PREDICT = "predict"
    INFER = "infer"

    @property
    def service(self) -> str:
        """The full name of the method's service."""
        return SERVICE if self is Protocol.PREDICT else INFERENCE_SERVICE

    @property
    def method(self) -> str:
        """The method's name."""
        return "Predict" if self is Protocol.PREDICT else "ModelInfer"


class Form(StrEnum):
    """How pixels travel: a float32 or a byte each."""

    FLOATS = "floats"
    BYTES = "bytes"


class Arrivals(StrEnum):
    """How an open loop's calls are spaced."""

    CONSTANT = "constant"
    POISSON = "poisson"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send where. Either `rate` (open loop) or `concurrency` (closed loop) is given.

    Parameters
    ----------
    rate
        Calls a second, of all processes together.
    concurrency
        Callers that each wait for an answer before the next call, of all processes together.
    batch
        Images of a call and their weights, which need not add up to 1: ((1, 9.0), (64, 1.0)).
    timeout_seconds
        How long a call may take once it is sent.
    processes, connections
        How many send, and how many connections they have together, at least one each.
    max_in_flight
        Calls that may wait for an answer at once, of all processes together.
    check
        Whether to compare each answer's labels with what the server says of each image alone.
    model, version, label
        Empty, 0 and empty for the server's default and the newest.
    images
        What the images are, for people.
    """

    address: str
    protocol: Protocol = Protocol.PREDICT
    form: Form = Form.BYTES
    rate: float | None = None
    arrivals: Arrivals = Arrivals.CONSTANT
    concurrency: int | None = None
    seconds: float = 10.0
    warmup_seconds: float = 1.0
    batch: tuple[tuple[int, float], ...] = ((1, 1.0),)
    seed: int = 0
    processes: int = 1
    connections: int = 1
    timeout_seconds: float = 10.0
    max_in_flight: int = 10_000
    check: bool = False
    model: str = ""
    version: int = 0
    label: str = ""
    images: str = "random levels"


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """One second of a run, the `second`-th from 0.

    `sent`, `unsent` and the histograms are of the calls that should have been sent in it, whenever
    their answers came; `answered` and `failed` count the calls that ended in it, with OK and
    otherwise. The histograms have two significant digits and hold the calls that were answered OK.
    """

    second: int
    sent: int
    unsent: int
    answered: int
    failed: int
    intended: HdrHistogram
    service: HdrHistogram


@dataclass(frozen=True, slots=True)
class Stall:
    """A time in which calls waited, `calls` of them at its end, and none was answered."""

    begin_seconds: float
    end_seconds: float
    calls: int = 0


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the server spent a call's time, by its own /metrics, between the start and the end of
    the run: how many times, and how long on average and at two quantiles (None: unknown).

    Quantiles are read from buckets: one below `first_bound_seconds`, the end of the first, is a
    guess.
    """

    name: str
    count: int
    mean_seconds: float
    p50_seconds: float | None = None
    p99_seconds: float | None = None
    first_bound_seconds: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What came of a plan.

    Attributes
    ----------
    seconds
        From when the first call should have been sent until the last one ended, or the run was
        interrupted.
    sent, answered, images
        Calls sent; calls answered OK; images in those answers.
    unsent
        Calls that should have been sent while `max_in_flight` others waited.
    codes
        Calls by the name of their status: OK, UNAVAILABLE... Their sum is `sent`.
    messages
        For each status but OK, the details of the first such call.
    wrong_labels
        Images whose label is not what it should be; None when labels were not checked.
    intended, service
        Latency of the calls answered OK: from when they should have been sent, and from when they
        were. In a closed loop both are the same.
    lag
        Of every call sent: when it was sent, minus when it should have been.
    windows
        Every second of the run, the empty ones too.
    stalls
        The longest times without an answer, in their order.
    lost_processes
        How processes ended that did so before their work: "by SIGKILL". What they had not yet told,
        and what they had in flight, is missing.
    is_interrupted
        Whether somebody ended the run early.
    cpu_seconds
        CPU time of all sending processes.
    busy
        How many cores the busiest of them used; one can't use much more than one.
    unmeasured
        Calls of the warm-up and for `check`, which servers count and this result does not.
    """

    plan: Plan
    started_at: float
    seconds: float
    sent: int
    answered: int
    images: int
    unsent: int
    codes: Mapping[str, int]
    messages: Mapping[str, str]
    wrong_labels: int | None
    intended: HdrHistogram
    service: HdrHistogram
    lag: HdrHistogram
    windows: tuple[Window, ...]
    stalls: tuple[Stall, ...] = ()
    stages: tuple[Stage, ...] = ()
    lost_processes: tuple[str, ...] = ()
    is_interrupted: bool = False
    cpu_seconds: float = 0.0
    busy: float = 0.0
    unmeasured: int = 0

    @property
    def load_seconds(self) -> float:
        """How long calls were due or awaited: the last is due a little before the plan's end."""
        return self.seconds if self.is_interrupted else max(self.seconds, self.plan.seconds)
