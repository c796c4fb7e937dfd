"""The colours of the dashboards, legible on light and on dark."""

GREEN, BLUE, AMBER, RED = "#2f9e44", "#1c7ed6", "#f08c00", "#e03131"
TEAL, VIOLET, PINK, GREY = "#0c8599", "#7048e8", "#d6336c", "#868e96"

QUANTILES = {"p50": GREEN, "p90": BLUE, "p99": AMBER, "p99.9": RED}
"""The same on every panel."""
