"""Which calls are picked, and whose trace they belong to."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from server.logs.sampling import Bound, gap
from server.telemetry import trace_context

TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize("rate", [0.01, 0.3, 0.9])
def test_gaps_pick_the_share(rate: float) -> None:
    gaps = [gap(rate) for _ in range(20_000)]
    assert min(gaps) == 1
    # The share is known to a fiftieth of itself, as a standard deviation is 1/140 of it.
    assert len(gaps) / sum(gaps) == pytest.approx(rate, rel=0.05)


def test_none_and_all() -> None:
    assert gap(0) == float("inf")
    assert {gap(1) for _ in range(10)} == {1}


def test_a_bound_tells_what_it_leaves_out_once() -> None:
    told: list[int] = []
    bound = Bound(5, told.append)
    allowed = sum(bound.allows() for _ in range(1000))
    # They may fall into two seconds, or on a slow day into more.
    assert 5 <= allowed < 1000
    bound.tell()
    bound.tell()
    assert sum(told) == 1000 - allowed
    assert 0 not in told


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
