"""Whatever a process logs, in whichever way: the same form, and nothing that variables hold."""

import json
import subprocess
import sys

import pytest

from tests.server_process import ROOT, environment

TALK = """
import logging, sys, threading, warnings
import structlog
from server.logs import configure_logs

configure_logs("info", sys.argv[1], worker=3)
log = structlog.get_logger()

def fail(pixels):
    raise ValueError("failed")

try:
    fail([0.6180339887])
except ValueError:
    log.exception("ours")
    logging.getLogger("grpc._server").exception("a library's %s", "line")
logging.getLogger("uvicorn.error").info("never seen")
warnings.warn("a warning", stacklevel=1)
thread = threading.Thread(target=fail, args=([0.6180339887],), name="its name")
thread.start()
thread.join()
fail([0.6180339887])
"""

CROWD = """
import logging, threading
import structlog
from server.logs import configure_logs

configure_logs("info", "json")
log = structlog.get_logger()
for index in range(500):
    try:
        raise ValueError("failed")
    except ValueError:
        (log if index % 2 else logging.getLogger("library")).exception("written")
for thread in threading.enumerate():
    if thread is not threading.current_thread():
        thread.join()
"""


def said(program: str, *arguments: str) -> str:
    """Run a program and return what it wrote to standard error."""
    command = [sys.executable, "-c", program, *arguments]
    ended = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
    return ended.stderr


def test_every_line_is_json() -> None:
    lines = [json.loads(line) for line in said(TALK, "json").splitlines()]
    assert [line["event"].split(":")[-1].strip() for line in lines] == [
        "ours",
        "a library's line",
        "a warning",
        "uncaught error in a thread",
        "uncaught error",
    ]
    for line in lines:
        assert line["worker"] == 3
        assert line["timestamp"].endswith("Z")
        assert ("exception" in line) == (line["level"] != "warning")
    assert [line.get("logger") for line in lines[:3]] == [None, "grpc._server", "py.warnings"]


@pytest.mark.parametrize("style", ["json", "console"])
def test_tracebacks_do_not_show_variables(style: str) -> None:
    text = said(TALK, style)
    assert text.count("ValueError") == 4
    assert "0.618" not in text
    assert "never seen" not in text


def test_a_crowd_of_tracebacks_is_cut_and_counted() -> None:
    lines = [json.loads(line) for line in said(CROWD).splitlines()]
    written = [line for line in lines if line["event"] == "written"]
    left_out = [line["lines"] for line in lines if line["event"].startswith("errors left out")]
    # In one second or, where it is slow, in several.
    assert 20 <= len(written) < 400
    assert len(written) + sum(left_out) == 500
