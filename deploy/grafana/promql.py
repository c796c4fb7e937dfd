"""The forms of questions to Prometheus that several panels have in common."""

WINDOW = "[$__rate_interval]"
"""Grafana puts in at least four times the scrape interval, so that a rate has enough samples."""

SERVER_ERRORS = (
    'grpc_code=~"Unknown|Internal|Unavailable|DataLoss|DeadlineExceeded|ResourceExhausted"'
)
"""The codes that count against the server; all others but OK are the caller's."""


CALLS = 'instance=~"$instance", worker=~"$worker", grpc_method=~"$method"'
WORKERS = 'instance=~"$instance", worker=~"$worker"'
INSTANCES = 'instance=~"$instance"'
"""Which series a dashboard's variables choose."""


def rate(counter: str, selector: str, by: str = "") -> str:
    """Return how much a counter grows per second, in all or for each value of the labels `by`."""
    return f"{total(by)} (rate({counter}{{{selector}}}{WINDOW}))"


def rate_of_used(counter: str, selector: str, by: str) -> str:
    """Return the same without what has not been counted since the start.

    Methods and codes have a series each from the start, most of which stay at zero.
    """
    used = f"{total(by)} ({counter}{{{selector}}}) > 0"
    return f"{rate(counter, selector, by)} and {used}"


def quantile(q: str, histogram: str, selector: str, by: str = "") -> str:
    """Return the value that a share `q` of the observations does not exceed."""
    buckets = rate(f"{histogram}_bucket", selector, f"{by}, le" if by else "le")
    return f"histogram_quantile({q}, {buckets})"


def mean(histogram: str, selector: str, by: str = "") -> str:
    """Return the mean of the observations."""
    counted = rate(f"{histogram}_count", selector, by)
    return f"{rate(f'{histogram}_sum', selector, by)} / {counted}"


def total(by: str) -> str:
    """Return the beginning of a sum, by labels if there are any."""
    return f"sum by ({by})" if by else "sum"
