"""`python -m deploy.prometheus` writes the page of the runbook that Prometheus serves."""

from deploy.prometheus import runbook

if __name__ == "__main__":
    runbook.PAGE.write_text(runbook.render())
    print(f"wrote {runbook.PAGE}")
