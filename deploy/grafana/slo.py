"""The dashboard of the objectives: what is left of their budgets, and how fast it goes."""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.models import dashboard as models

from deploy.grafana import colours
from deploy.grafana.boards import LOADED, RESTARTED, assemble, chosen
from deploy.grafana.panels import (
    HALF,
    QUARTER,
    Panel,
    gauges,
    high_is_bad,
    lines,
    low_is_bad,
    number,
    rows,
)
from deploy.grafana.promql import SERVER_ERRORS, rate, rate_of_used
from deploy.grafana.units import PER_SECOND, SECONDS, SHARE, TIMES, counted


@dataclass(frozen=True, slots=True)
class Objective:
    """A promise to callers: the label `slo` of its rules, and what it counts as good."""

    slo: str
    share: str
    good: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """When an alert fires: the budget burns `factor` times too fast over both windows."""

    severity: str
    factor: float
    long: str
    short: str

    def __str__(self) -> str:
        """Return what the legend calls it."""
        return f"{self.severity}: {self.factor:g} times over {self.long} and {self.short}"


OBJECTIVES = (
    Objective(
        "availability",
        "99.9%",
        "answered without server error",
        "the errors by code below, then the dashboard of the service",
    ),
    Objective(
        "latency",
        "99%",
        "answered within 5 ms",
        "where a call's time goes, on the dashboard of the service",
    ),
)

# From the Site Reliability Workbook, chapter 5.
ALARMS = (
    Alarm("page", 14.4, "1h", "5m"),
    Alarm("page", 6, "6h", "30m"),
    Alarm("ticket", 3, "1d", "2h"),
    Alarm("ticket", 1, "3d", "6h"),
)
BURN_WINDOWS = {"5m": colours.RED, "1h": colours.AMBER, "6h": colours.BLUE, "3d": colours.TEAL}
BUDGET_LEFT = low_is_bad(0, 0.25)
JOB = 'job=~"$job"'
PERIOD = "30d"
"""For which the budget is meant to last."""


def build() -> models.Dashboard:
    """Return the dashboard."""
    return assemble(
        "slo",
        "The objectives, 99.9% of calls answered without server error and 99% within 5 ms: what is "
        "left of the errors that they allow, and how fast it goes.",
        [chosen("job", "mlpserve_workers")],
        {
            "Budgets": _budgets(),
            "Burn rates": _burning(),
            "Versions": _by_version(),
            "Causes": _causes(),
        },
        [LOADED, RESTARTED],
        since="now-24h",
    )


def _errors(objective: Objective, window: str) -> str:
    """Return the share of calls in the window that were not good."""
    return f'slo:sli_error:ratio_rate{window}{{{JOB}, slo="{objective.slo}"}}'


def _allowed(objective: Objective) -> str:
    """Return the share that may be so, as what to divide by."""
    return f'on (slo) group_left () slo:error_budget:ratio{{slo="{objective.slo}"}}'


def _burn(objective: Objective, window: str) -> str:
    """Return how many times faster than allowed the budget goes, by a window's share of errors."""
    return f"{_errors(objective, window)} / {_allowed(objective)}"


def _left(objective: Objective) -> str:
    """Return the share of the period's budget that is left; below 0 it is overdrawn."""
    which = f'{{{JOB}, slo="{objective.slo}"}}'
    # Sums, so that each call weighs the same, and not each hour.
    bad, every = (
        f"sum_over_time(slo:{of}:rate5m{which}[{PERIOD}])" for of in ("bad_calls", "calls")
    )
    return f"1 - {bad} / ({every} > 0) / {_allowed(objective)}"


def _budgets() -> Sequence[Panel]:
    firing = 'ALERTS{alertstate="firing"}'
    return [
        *(
            number(
                f"Budget left: {objective.slo}",
                f"{objective.share} of calls shall be {objective.good}. This is what is left "
                "of the others that 30 days may have; below 0 they had more. When it is low: "
                f"no risky changes; see {objective.remedy}.",
                {objective.slo: _left(objective)},
                unit=SHARE,
                width=QUARTER,
                steps=BUDGET_LEFT,
            )
            for objective in OBJECTIVES
        ),
        number(
            "Burn rate now",
            "How many times faster than allowed each budget went in the last hour. 1 uses it up in "
            "30 days, 14.4 in two.",
            {objective.slo: _burn(objective, "1h") for objective in OBJECTIVES},
            unit=TIMES,
            width=QUARTER,
            steps=high_is_bad(1, 6),
        ),
        number(
            "Alerts firing",
            "How many alerts fire now; the table below names them.",
            {"firing": f"count({firing}) or vector(0)"},
            unit=counted("alerts"),
            width=QUARTER,
            steps=(models.Threshold(None, colours.BLUE), models.Threshold(1, colours.RED)),
        ),
        lines(
            "Budget left",
            "The same over time. A steep fall is an incident, a steady one a fault that nobody has "
            "noticed.",
            {objective.slo: _left(objective) for objective in OBJECTIVES},
            unit=SHARE,
            width=HALF,
            steps=BUDGET_LEFT,
            colours={"availability": colours.BLUE, "latency": colours.TEAL},
        ),
        rows(
            "Alerts",
            "The alerts that fire. The runbook has a section for each that says what to do.",
            {"{{alertname}}": firing},
            value="firing",
            hidden=["alertstate", "job"],
            width=HALF,
            height=8,
        ),
    ]


def _burning() -> Sequence[Panel]:
    rates = [
        lines(
            f"Burn rate: {objective.slo}",
            f"How many times faster than allowed calls are not {objective.good}, over windows of "
            "different length. Short ones show what happens now, long ones what it comes to. When "
            f"it stays above 1: see {objective.remedy}.",
            {window: _burn(objective, window) for window in BURN_WINDOWS},
            unit=TIMES,
            width=HALF,
            colours=BURN_WINDOWS,
            steps=high_is_bad(1, 14.4),
        )
        for objective in OBJECTIVES
    ]
    alarms = [
        gauges(
            f"How near the alerts are: {objective.slo}",
            "Each alert fires when the budget goes that many times too fast over both of its "
            "windows, which is 100% here, and ten calls or more are not good. From 50% on: see "
            f"{objective.remedy}.",
            {str(alarm): _nearness(objective, alarm) for alarm in ALARMS},
            unit=SHARE,
            steps=high_is_bad(0.5, 1),
            maximum=1,
        )
        for objective in OBJECTIVES
    ]
    return [*rates, *alarms]


def _by_version() -> Sequence[Panel]:
    return [
        lines(
            f"Burn rate by version: {objective.slo}",
            "How many times faster than allowed the budget would go over an hour, were all "
            f"predictions {objective.good} as often as each version's. Above 1 for one version "
            "alone: take it out of the traffic; for all: see the causes below.",
            {
                "{{model}} {{version}}": f"version:sli_error:ratio_rate1h{{{JOB}, "
                f'slo="{objective.slo}"}} / {_allowed(objective)}'
            },
            unit=TIMES,
            width=HALF,
            steps=high_is_bad(1, 14.4),
        )
        for objective in OBJECTIVES
    ]


def _nearness(objective: Objective, alarm: Alarm) -> str:
    """Return the lesser burn rate of the alarm's windows, as a share of its factor."""
    long, short = _errors(objective, alarm.long), _errors(objective, alarm.short)
    lesser = f"(({long} <= {short}) or ({short} < {long}))"
    return f"{lesser} / {_allowed(objective)} / {alarm.factor:g}"


def _causes() -> Sequence[Panel]:
    method = "{{grpc_service}}/{{grpc_method}}"
    predictions = f'{JOB}, grpc_method=~"Predict|ModelInfer"'
    histogram = "grpc_server_handling_seconds"
    by_method = "grpc_service, grpc_method"
    fast = rate(f"{histogram}_bucket", f'{predictions}, le="0.005"', by_method)
    every = rate(f"{histogram}_count", predictions, by_method)
    errors = rate_of_used("grpc_server_handled_total", f"{JOB}, {SERVER_ERRORS}", "grpc_code")
    return [
        lines(
            "Server errors by code",
            "Calls per second that count against the objective. ResourceExhausted: add workers. "
            "DeadlineExceeded: callers wait less than it takes. Others: the log.",
            {"{{grpc_code}}": errors},
            unit=PER_SECOND,
        ),
        lines(
            "Slower than 5 ms",
            "Share of the calls to each method that took longer; the objective allows 1%. When one "
            "method alone is high: its callers send large batches.",
            {method: f"1 - {fast} / ({every} > 0)"},
            unit=SHARE,
            steps=high_is_bad(0.01, 0.05),
        ),
        lines(
            "Duration by method (p99)",
            "99% of each method's calls in five minutes take no longer, from the recorded "
            "quantiles, which are quick to read over weeks.",
            {method: f"method:{histogram}:p99_rate5m{{{JOB}}} > 0"},
            unit=SECONDS,
            is_logarithmic=True,
        ),
    ]
