"""What docs/http.md says of settings, statuses and limits is so."""

import re
from dataclasses import fields

import grpc

from harness.server_process import ROOT
from server.http import bodies, grpc_port
from server.http.calling.statuses import STATUSES
from server.http.coding import compression
from server.http.connections import bounds
from server.http.connections.writing import PIECE_BYTES
from server.settings.settings import Settings

PAGE = (ROOT / "docs" / "http.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The cells of all tables below a heading."""
    part = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in part.splitlines()
        if line.startswith("| ")
    ]


def test_each_setting_of_http_is_there_with_its_default() -> None:
    told = {name.strip("`"): default.strip("`") for name, default, *_ in rows("Settings")[1:]}
    for setting in fields(Settings):
        if "http" in setting.name:
            default = told["--" + setting.name.replace("_", "-")].replace("16 MiB", str(1 << 24))
            assert default == str(setting.default)


def test_each_code_of_grpc_has_the_status_that_it_says() -> None:
    told: dict[str, int] = {}
    for text, codes, *_ in (row for row in rows("Errors") if len(row) == 2):
        for code in re.findall(r"`([A-Z_]+)`", codes):
            told.setdefault(code, int(text[:3]) if text[:3].isdigit() else 0)
    for kind, status in STATUSES.items():
        if kind is not grpc.StatusCode.RESOURCE_EXHAUSTED:
            assert told[kind.name] == status, kind
    # The first is for what is too large, and the second for what waiting mends.
    assert told["RESOURCE_EXHAUSTED"] == 413


def test_limits_are_those_of_the_code() -> None:
    told = dict(rows("Limits")[1:])
    assert told["headers"] == f"{bounds.MAX_HEAD_BYTES // 1024} KiB"
    assert told["a connection without a complete request"] == f"{bounds.SILENT_SECONDS:g} s"
    request = told["a request, from its headers to the end of its answer"]
    seconds = (bounds.REQUEST_SECONDS, grpc_port.MAX_SECONDS)
    assert request == "{:g} s, of which gRPC has {:g} s".format(*seconds)
    assert told["a caller that reads nothing of its answer"] == f"{bounds.STALLED_SECONDS:g} s"
    assert told["calls of gRPC in progress"] == str(grpc_port.MAX_CALLS)
    unread = told[f"unread answers of more than {PIECE_BYTES // 1024} KiB"]
    assert unread == f"{bodies.ANSWERS} x `--max-http-body-bytes`, or one alone"
    everything = told["the bodies of all requests and gRPC's answers, together"]
    assert everything == f"{bodies.BODIES} x `--max-http-body-bytes`"
    assert f"after {bodies.PATIENCE_SECONDS:g} s while others had no room" in PAGE
    assert f"answers of more than {compression.MIN_BYTES:,} bytes are compressed" in PAGE
