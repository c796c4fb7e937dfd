"""Workers have the settings that their parent has sent them, whatever their environment says."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from server.settings.flags import restore
from server.settings.settings import Settings


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        replace(Settings(), repository=Path("a/b"), tokens_file=Path("tokens"), workers=3),
        replace(Settings(), labels="digits: stable 1", log_calls=0.5, versions="latest 2"),
    ],
)
def test_settings_survive_the_way(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLPSERVE_WORKERS", "7")
    assert restore(json.loads(json.dumps(asdict(settings), default=str))) == settings
