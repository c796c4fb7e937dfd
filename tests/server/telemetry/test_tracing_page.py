"""The commands of docs/observability.md that turn traces on, as they are pasted."""

from pathlib import Path

from tests.documents import clone, pages

EXPORT = ".venv/bin/python -m exporter export"

# Nothing may be installed or downloaded: all that traces need is there already.
OFFLINE = "export PIP_DRY_RUN=1 PIP_NO_INDEX=1 PIP_DISABLE_PIP_VERSION_CHECK=1"


def test_a_server_starts_with_traces(tmp_path: Path) -> None:
    lines = pages.block("docs/observability.md", "--otlp-endpoint http://localhost:4317").text
    with clone.clone(tmp_path) as made, made.serve(f"{EXPORT}\n{OFFLINE}\n{lines}") as server:
        # Without the packages, or with another flag, it would not.
        assert server.http_address == "127.0.0.1:8080"
        assert server.log[-1]["event"] == "serving"
