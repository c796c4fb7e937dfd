"""What docs/deploying.md has callers do; tests/deploy runs its commands for containers."""

from pathlib import Path

from harness import isolated
from tests.documents import clone, pages

PAGE = "docs/deploying.md"


def test_models_come_and_go_by_call(tmp_path: Path) -> None:
    python = isolated.install("tritonclient") / "python"
    calls = pages.block(PAGE, "import tritonclient").text
    with (
        clone.clone(tmp_path) as fresh,
        fresh.serve(pages.block(PAGE, "--admin-tokens-file").text) as server,
    ):
        assert fresh.run(python, "-c", calls) == ""
        server.wait_for("model unloaded")
        assert server.wait_for("model loaded")["model"] == "digits"
