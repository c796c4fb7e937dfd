"""The files that the dashboards become: those that Grafana reads, and the page about them."""

import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana import model, page, service, slo
from deploy.grafana.reading import parse

_ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = _ROOT / "deploy" / "grafana" / "dashboards"
PAGE = _ROOT / "docs" / "dashboards.md"


def dashboards() -> dict[Path, str]:
    """Return the content of every dashboard's file, in the order in which one reads them."""
    boards = {"service": service.build(), "model": model.build(), "slo": slo.build()}
    return {FOLDER / f"{name}.json": _encode(board) for name, board in boards.items()}


def files() -> dict[Path, str]:
    """Return the content of every file that is written, by its path."""
    written = dashboards()
    read = [(file.stem, parse(content)) for file, content in written.items()]
    return {**written, PAGE: page.write(read)}


def _encode(board: object) -> str:
    return json.dumps(board, cls=JSONEncoder, indent=2, sort_keys=True) + "\n"
