"""The colours of the dashboards, legible on light and on dark, and told apart by the colour-blind:
what is well is blue, not green.
"""

BLUE, AMBER, RED, TEAL = "#71a5f4", "#e68a00", "#bd320f", "#24798f"
VIOLET, PINK, GREY = "#a31aff", "#d6336c", "#868e96"

QUANTILES = {"p50": TEAL, "p90": BLUE, "p99": AMBER, "p99.9": RED}
"""The same on every panel."""
