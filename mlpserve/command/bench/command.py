"""The command mlpserve bench: loads a server and says what came of each call."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from mlpserve.bench.encoding import to_json
from mlpserve.bench.find_rate import MAX_RATE, MIN_RATE
from mlpserve.bench.findings import failed_calls
from mlpserve.bench.hgrm import format_hgrm
from mlpserve.bench.report import draw_result
from mlpserve.bench.result import Arrivals, Form, Plan, Protocol, Result
from mlpserve.command.bench.compare import WithCompare
from mlpserve.command.bench.images import ImageSource
from mlpserve.command.bench.measuring import Measurer
from mlpserve.command.bench.plan import check_number, metrics_address, parse_batch
from mlpserve.command.bench.searching import search
from mlpserve.command.bench.showing import count_interrupts
from mlpserve.command.options import Reach, model_option, time_option, version_option, with_reach
from mlpserve.terminal.durations import duration_option
from mlpserve.terminal.interrupts import INTERRUPTED
from mlpserve.terminal.tables import make_console

DEFAULT_RATE = 100.0
DEFAULT_P99_SECONDS = 0.005
MAX_CALLERS = 100_000

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_NEW_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)


_HELP = """Put load on the server at ADDRESS, and report latencies, throughput and errors.

ADDRESS is HOST:PORT of the server's --grpc-address. Calls are sent when they are due, however
long others take, so that a server's pause is seen by all calls that it keeps waiting. The latency
from when a call was due (intended) says what callers see, the one from when it was sent what the
server took. --concurrency has callers wait for each other instead.

\b
  mlpserve bench localhost:50051 --rate 1000
  mlpserve bench localhost:50051 --concurrency 32 --batch 1:0.9,64:0.1 --check
  mlpserve bench localhost:50051 --find-rate --p99 5ms
  mlpserve bench compare before.json after.json

Ctrl-C ends the sending early and still reports; a second one gives up what is in flight. The exit
code is 0 when all calls were sent and answered OK, with the expected labels, and else 1.
"""


def _choice(kind: type[StrEnum]) -> click.Choice[str]:
    return click.Choice([member.value for member in kind])


@click.command(cls=WithCompare, help=_HELP)
@click.argument("address")
@click.option(
    "--rate",
    type=click.FloatRange(MIN_RATE, MAX_RATE),
    callback=check_number,
    help=f"Calls a second; with --find-rate the first rate tried.  [default: {DEFAULT_RATE:g}]",
)
@click.option(
    "--arrivals",
    type=_choice(Arrivals),
    default=Arrivals.CONSTANT.value,
    show_default=True,
    help="How calls are spaced: evenly, or by chance as those of many callers.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, MAX_CALLERS),
    help="Instead of a rate: callers that each wait for an answer before their next call.",
)
@time_option("--seconds", 10.0, "How long calls are sent.")
@click.option(
    "--warmup-seconds",
    type=click.FloatRange(0, 3600),
    callback=check_number,
    default=1.0,
    show_default=True,
    help="How long to send the same load first, unmeasured.",
)
@click.option(
    "--protocol",
    type=_choice(Protocol),
    default=Protocol.PREDICT.value,
    show_default=True,
    help="mlpserve.v1's Predict, or the Open Inference Protocol's ModelInfer.",
)
@click.option(
    "--form",
    type=_choice(Form),
    default=Form.BYTES.value,
    show_default=True,
    help="How pixels are sent.",
)
@click.option(
    "--batch",
    callback=parse_batch,
    default="1",
    show_default=True,
    help="Images in a call: a number such as 8, a range such as 1-64, or sizes with weights such "
    "as 1:0.9,64:0.1.",
)
@click.option(
    "--images",
    type=_FILE,
    help="IDX or .npy file of images; its first 10,000 are sent. Default: MNIST's test set in "
    "mlpserve's repository, elsewhere random levels.",
)
@click.option(
    "--check",
    is_flag=True,
    help="Get each image's label before the run, and compare the answers with it.",
)
@model_option
@version_option
@click.option("--label", default="", help="Label of a version, for Predict.")
@click.option(
    "--processes",
    type=click.IntRange(1, 256),
    help="Processes that send. Default: as many as the load needs, up to the number of cores.",
)
@click.option(
    "--connections",
    type=click.IntRange(1, 10_000),
    default=1,
    show_default=True,
    help="Connections of all processes, at least one each. A server's workers share its port by "
    "connection, so many workers need many; each makes the tool a little later.",
)
@click.option(
    "--max-in-flight",
    type=click.IntRange(1, 1_000_000),
    default=10_000,
    show_default=True,
    help="Calls that may wait for answers at once, at some 20 kB each; calls beyond that are not "
    "sent, but counted.",
)
@time_option("--timeout-seconds", 10.0, "How long a call may take once it is sent.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of chance.")
@click.option(
    "--find-rate", is_flag=True, help="Find the largest rate at which --p99 holds without errors."
)
@click.option(
    "--p99",
    type=duration_option(),
    metavar="DURATION",
    help="For --find-rate: the time within which 99% of calls must be answered, counted from "
    "when they are due, such as 5ms.  [default: 5ms]",
)
@click.option(
    "--metrics",
    metavar="HOST:PORT",
    help="The server's --http-address, whose /metrics show where time went; none to leave it "
    "out. Default: port 8080 of ADDRESS.",
)
@click.option("--json", "json_file", type=_NEW_FILE, help="Write the result to this file.")
@click.option(
    "--hgrm",
    "hgrm_file",
    type=_NEW_FILE,
    help="Write the latencies from when calls were due as HdrHistogram's table of percentiles.",
)
@with_reach
def bench(
    *,
    address: str,
    reach: Reach,
    rate: float | None,
    concurrency: int | None,
    arrivals: str,
    protocol: str,
    form: str,
    find_rate: bool,
    p99: float | None,
    processes: int | None,
    images: Path | None,
    metrics: str | None,
    json_file: Path | None,
    hgrm_file: Path | None,
    **options: Any,
) -> None:
    """Load a server and print what came of each call; `_HELP` says more."""
    reach.check(address)
    if rate is not None and concurrency is not None:
        raise click.UsageError("--rate and --concurrency contradict each other; give one of them")
    if find_rate and concurrency is not None:
        raise click.UsageError("--find-rate searches a rate, and --concurrency has none; drop one")
    if p99 is not None and not find_rate:
        raise click.UsageError("--p99 is for --find-rate; give both")
    if options["label"] and (options["version"] or protocol != Protocol.PREDICT):
        raise click.UsageError("--label is for --protocol predict without --version; drop one")
    for file in (json_file, hgrm_file):
        if file is not None and not file.parent.is_dir():
            raise click.UsageError(f"{file.parent} is not a folder; make it before the run")
    with count_interrupts() as interrupt:
        measurer = Measurer(
            Plan(
                address,
                concurrency=concurrency,
                arrivals=Arrivals(arrivals),
                protocol=Protocol(protocol),
                form=Form(form),
                **options,
            ),
            processes,
            reach,
            ImageSource(images),
            metrics_address(address) if metrics is None else None if metrics == "none" else metrics,
            interrupt,
        )
        console = make_console()
        if find_rate:
            found = search(measurer, rate or DEFAULT_RATE, p99 or DEFAULT_P99_SECONDS, console)
            if found is None:
                sys.exit(INTERRUPTED if interrupt.count else 1)
            measured = found
        else:
            measured = measurer.measure(rate or DEFAULT_RATE if concurrency is None else None)
    console.print(draw_result(measured.result))
    if measured.note:
        console.print(Text(measured.note, "dim"))
    _write(measured.result, json_file, hgrm_file)
    sys.exit(_exit_code(measured.result))


def _write(result: Result, json_file: Path | None, hgrm_file: Path | None) -> None:
    try:
        if json_file is not None:
            json_file.write_text(to_json(result), "utf-8")
        if hgrm_file is not None:
            hgrm_file.write_text(format_hgrm(result.intended), "utf-8")
    except OSError as error:
        raise click.ClickException(f"the result can't be written: {error}") from error


def _exit_code(result: Result) -> int:
    if result.is_interrupted:
        return INTERRUPTED
    is_good = not (
        failed_calls(result) or result.unsent or result.wrong_labels or result.lost_processes
    )
    return 0 if is_good and result.answered else 1
