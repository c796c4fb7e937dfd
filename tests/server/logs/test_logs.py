"""Whatever a process logs, in whichever way: the same form, and nothing that variables hold."""

import json
import subprocess
import sys

import pytest

from harness.server_process import ROOT, environment

TALK = """
import logging, sys, threading, warnings
import structlog
from server.logs.setup import configure_logs

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
from server.logs.setup import configure_logs

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
    # In how many seconds is the machine's matter.
    assert len(written) >= 20
    assert len(written) + sum(left_out) == 500


ODD = """
import gc, logging, sys, threading, warnings
import structlog
from server.logs.setup import configure_logs, flush

configure_logs("info", "json")
log = structlog.get_logger()

class Rude:
    def __repr__(self):
        raise ValueError("no")
    def __del__(self):
        raise ValueError("ignored")

class Careful:
    def __del__(self):
        # A finalizer may come while another line is being queued.
        log.info("from a finalizer")

log.info("with a rude field", field=Rude())
log.info("%d", "no number")
log.info("twice", **{"self": 1, "level": 2})
log.info(event="no", field=1)
log.log(17, "a level that there is not")
log.exception("without an error")
log.info("caf\\udce9", path="caf\\udce9")
logging.getLogger("library").warning("%d and %s", "no number")
logging.getLogger("library").warning("%s", Rude())
logging.getLogger("library").warning(Rude())
logging.getLogger("library").error("odd", exc_info=(None, None, None), stack_info=True)
del sys
Rude()
gc.collect()
for _ in range(200):
    Careful()

def none(*_):
    raise RuntimeError("can't start new thread")

start, threading.Thread.start = threading.Thread.start, none
for _ in range(50):
    try:
        raise ValueError("bounded")
    except ValueError:
        log.exception("without threads")
threading.Thread.start = start

def at_the_end_of_the_stack(depth):
    if depth:
        at_the_end_of_the_stack(depth - 1)
    else:
        try:
            log.info("deep", field=[[1]])
        except RecursionError as error:
            # No call at all can be made there, this one and structlog's first included.
            trace = error.__traceback__.tb_next
            assert trace is None or trace.tb_next is None

for depth in range(700, 1000):
    try:
        at_the_end_of_the_stack(depth)
    except RecursionError:
        break
print("done", flush=True)
import sys
print("to standard error", file=sys.stderr)
sys.stderr.write("x" * 50_000)
"""


def test_logging_never_raises() -> None:
    command = [sys.executable, "-c", ODD]
    ended = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert ended.stdout == "done\n", ended.stderr
    assert ended.returncode == 0
    *lines, long = ended.stderr.splitlines()
    found = [json.loads(line) for line in lines if line.startswith("{")]
    events = [line["event"] for line in found]
    assert events[0] == "with a rude field"
    assert "without an error" in events
    assert "ignored error" in events
    assert events.count("from a finalizer") == 200
    # Some of the fifty, of which the lines before may have taken places.
    assert 0 < events.count("without threads") <= 40
    assert "to standard error" in lines
    assert len(long) <= 50_000


CLOSED = """
import os, sys, threading
import structlog
from server.logs.writer import STDERR
from server.logs.setup import configure_logs, flush

configure_logs("info", sys.argv[1])
log = structlog.get_logger()
for number in range(10):
    log.info("a line", number=number)
try:
    raise ValueError("no")
except ValueError:
    log.exception("an error")
print("to standard error", file=sys.stderr, flush=True)
flush()
print(STDERR.lost)
raise SystemExit(7)
"""


@pytest.mark.parametrize(
    ("style", "redirection"),
    [("console", "2>&-"), ("json", "2>/dev/full"), ("auto", "2>&- <&-")],
)
def test_a_standard_error_that_takes_nothing(style: str, redirection: str) -> None:
    command = ["sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-c", CLOSED, style]
    ended = subprocess.run(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True)
    assert (ended.stdout, ended.returncode) == ("12\n", 7)
