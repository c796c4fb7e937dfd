"""The files that the dashboards become."""

import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana import model, service, slo

FOLDER = Path(__file__).resolve().parent / "dashboards"


def files() -> dict[Path, str]:
    """Return the content of every dashboard's file."""
    boards = {"service": service.build(), "model": model.build(), "slo": slo.build()}
    return {FOLDER / f"{name}.json": _encode(board) for name, board in boards.items()}


def _encode(board: object) -> str:
    return json.dumps(board, cls=JSONEncoder, indent=2, sort_keys=True) + "\n"
