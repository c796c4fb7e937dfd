"""What Prometheus is given, and the runbook that it shows."""
