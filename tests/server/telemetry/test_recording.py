"""Which calls are picked, and whose trace they belong to."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from server.logs.sampling import RateLimit, calls_until_next
from server.telemetry import trace_context
from server.telemetry.accumulators import Exemplars
from server.telemetry.metrics import LATENCY_BUCKETS
from server.telemetry.record import MAX_STAGES, Record, Stage, Timing
from server.telemetry.recording import Recording, trailing

TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize("rate", [0.01, 0.3, 0.9])
def test_gaps_pick_the_share(rate: float) -> None:
    gaps = [calls_until_next(rate) for _ in range(20_000)]
    assert min(gaps) == 1
    # The share is known to a fiftieth of itself, as a standard deviation is 1/140 of it.
    assert len(gaps) / sum(gaps) == pytest.approx(rate, rel=0.05)


def test_none_and_all() -> None:
    assert calls_until_next(0) == float("inf")
    assert {calls_until_next(1) for _ in range(10)} == {1}


def test_a_rate_limit_reports_once_what_it_drops() -> None:
    told: list[int] = []
    now = 1000.0
    limit = RateLimit(5, told.append, lambda: now)
    assert sum(limit.allows() for _ in range(1000)) == 5
    limit.tell()
    limit.tell()
    assert told == [995]
    now += 1
    assert limit.allows()


@given(
    st.from_regex(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", fullmatch=True)
    | st.sampled_from(
        [
            f"{version}-{trace_id}-{span_id}-{flags}{rest}"
            for version in ("00", "01", "ff", "0")
            for trace_id in (TRACE_ID, "0" * 32, TRACE_ID.upper())
            for span_id in (SPAN_ID, "0" * 16)
            for flags in ("00", "01", "03", "fe", "1")
            for rest in ("", "-more", "x", "-" + "x" * 600)
        ]
    )
    | st.text(max_size=60)
)
@settings(deadline=None)
def test_a_parent_is_what_opentelemetry_finds(traceparent: str) -> None:
    context = TraceContextTextMapPropagator().extract({"traceparent": traceparent})
    expected = trace.get_current_span(context).get_span_context()
    found = trace_context.read(traceparent)
    if not expected.is_valid:
        assert found is None
    else:
        assert found == trace_context.Parent(
            f"{expected.trace_id:032x}", expected.trace_flags.sampled
        )


def test_a_record_is_made_for_a_call_that_asks_for_its_timing_alone() -> None:
    recorder = Recording(0, 0).recorder("/a.Service/Method", Exemplars(LATENCY_BUCKETS))
    assert recorder.begin(0.0, (("authorization", "Bearer x"), ("x-server-timing", "0"))) is None
    record = recorder.begin(2.0, (("user-agent", "x"), ("x-server-timing", "1")))
    assert record is not None
    assert (record.timing is not None and record.timing.begin) == 2.0
    assert (record.is_logged, record.span) == (False, None)
    named = recorder.begin(0.0, (("x-request-id", "its name"),))
    assert named is not None
    assert trailing(named) == (("x-request-id", "its name"),)


def test_the_times_of_any_number_of_messages_are_summed() -> None:
    record = Record(timing=Timing(0.0))
    for _ in range(MAX_STAGES):
        record.add(Stage("queue", 1.0, 1.25), Stage("run", 2.0, 2.5))
    assert record.timing is not None
    assert record.timing.seconds == {"queue": 0.25 * MAX_STAGES, "run": 0.5 * MAX_STAGES}
    assert not record.stages, "nothing is kept of each"
    ((key, text),) = trailing(record)
    assert key == "server-timing"
    assert text.startswith("queue;dur=16000.000, run;dur=32000.000, total;dur=")
