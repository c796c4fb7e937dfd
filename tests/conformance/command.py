"""The command: which server and model, which rules, and the table of what became of them."""

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import IO

import click
import grpc

from tests.conformance.bridge import OF_GRPC, bridge
from tests.conformance.calls import Server
from tests.conformance.rule import Outcome, Result, Rule, run
from tests.conformance.rules import RULES
from tests.conformance.subject import Subject

COLOURS = {Outcome.PASSED: "green", Outcome.FAILED: "red", Outcome.SKIPPED: "yellow"}
NAME_WIDTH = max(len(rule.name) for rule in RULES)
MAX_MESSAGE_BYTES = 256 * 1024 * 1024


class CantAsk(click.ClickException):
    """The server or the model is not there."""

    exit_code = 2


class Shape(click.ParamType[tuple[str, list[int]]]):
    """NAME:SIZES, such as words:12 or image:3,224,224."""

    name = "NAME:SIZES"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, list[int]]:
        """Read it; the sizes are positive."""
        name, colon, sizes = str(value).rpartition(":")
        numbers = [int(size) if size.isdecimal() else 0 for size in sizes.split(",")]
        if not colon or min(numbers) < 1:
            self.fail(f"{value!r} is not NAME:SIZES, such as image:3,224,224", param, ctx)
        return name, numbers


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.argument("address")
@click.option("--model", "-m", required=True, help="Name of the model to ask.")
@click.option("--version", "-x", default="", help="Its version; by default the server chooses.")
@click.option(
    *("--shape", "shapes"),
    type=Shape(),
    multiple=True,
    help="Sizes of an input without the batch, where its metadata has -1; by default 3 each.",
)
@click.option("--zeros", is_flag=True, help="Send zeros; some rules can't be checked with them.")
@click.option(
    "--only", multiple=True, metavar="PATTERN", help="Rules to check, such as 'metadata.*'."
)
@click.option("--skip", multiple=True, metavar="PATTERN", help="Rules to leave out.")
@click.option(
    *("--extension", "unlisted"),
    multiple=True,
    metavar="NAME",
    help="An extension to check, though the server does not list it.",
)
@click.option("--change-models", is_flag=True, help="Unload the model and load it again, too.")
@click.option("--tls", is_flag=True, help="Connect with TLS.")
@click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Certificates to trust, with TLS; by default gRPC's own.",
)
@click.option("--token-file", type=click.File(), help="A bearer token to send with each call.")
@click.option(
    "--admin-token-file", type=click.File(), help="Another one for loading and unloading models."
)
@click.option(
    *("--timeout", "timeout_seconds"),
    type=click.FloatRange(min=0, min_open=True),
    default=30.0,
    show_default=True,
    help="Seconds that a call may take.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for all rules.")
@click.option("--list", "only_list", is_flag=True, help="Print the rules and check none.")
def main(
    address: str,
    model: str,
    version: str,
    shapes: Sequence[tuple[str, list[int]]],
    zeros: bool,
    only: Sequence[str],
    skip: Sequence[str],
    unlisted: Sequence[str],
    change_models: bool,
    tls: bool,
    ca: Path | None,
    token_file: IO[str] | None,
    admin_token_file: IO[str] | None,
    timeout_seconds: float,
    as_json: bool,
    only_list: bool,
) -> None:
    """Check whether the gRPC server at ADDRESS keeps to the Open Inference Protocol, version 2; or
    the HTTP server, if that begins with http:// or https://.

    Inputs are made from the model's metadata. Rules of an extension are checked when the server
    lists it. Let nobody else call the model meanwhile: statistics are counts.

    Exits with 0 when no rule is broken, with 1 when one is, with 2 when the server can't be asked.
    """
    chosen = [
        rule for rule in RULES if (not only or _matches(rule, only)) and not _matches(rule, skip)
    ]
    if not chosen:
        raise click.UsageError("no rule matches; --list prints them")
    if only_list:
        for rule in chosen:
            click.echo(f"{rule.name}\n    {_words(rule)}")
        return
    metadata = _authorization(token_file)
    admin_metadata = _authorization(admin_token_file) or metadata
    with contextlib.ExitStack() as stack:
        if address.startswith(("http://", "https://")):
            chosen = [rule for rule in chosen if not _matches(rule, OF_GRPC)]
            bridged = stack.enter_context(bridge(address, ca, timeout_seconds))
            connect = partial(_connect, bridged, False, None)
        else:
            connect = partial(_connect, address, tls or ca is not None, ca)
        channel = stack.enter_context(connect())
        server = Server(channel, timeout_seconds, metadata, admin_metadata, connect)
        extensions = frozenset(unlisted)
        subject = Subject(server, model, version, dict(shapes), zeros, change_models, extensions)
        _reach(server, subject, address)
        table = Table()
        results = check(subject, chosen, None if as_json else table.add)
    if as_json:
        click.echo(json.dumps(summary(address, subject, results), indent=2))
    else:
        table.end(results)
    raise SystemExit(int(any(result.outcome is Outcome.FAILED for result in results)))


def check(
    subject: Subject, rules: Sequence[Rule], report: Callable[[Result], None] | None = None
) -> list[Result]:
    """Check the rules, and report each result at once."""
    results = []
    for result in run(subject, rules):
        results.append(result)
        if report:
            report(result)
    return results


def summary(address: str, subject: Subject, results: Sequence[Result]) -> dict[str, object]:
    """Return all results as values of JSON."""
    counts = Counter(result.outcome for result in results)
    return {
        "address": address,
        "model": subject.model,
        "version": subject.version,
        **{outcome.value: counts[outcome] for outcome in Outcome},
        "rules": [
            {
                "name": result.rule.name,
                "section": result.rule.section,
                "sentence": result.rule.sentence,
                "extension": result.rule.extension,
                "outcome": result.outcome.value,
                "reason": result.reason,
            }
            for result in results
        ],
    }


class Table:
    """Prints each rule as soon as it is checked; rules that are skipped together, together."""

    def __init__(self) -> None:
        self._skipped: list[Result] = []

    def add(self, result: Result) -> None:
        """Print a result."""
        if self._skipped and not _alike(self._skipped[0], result):
            self._flush()
        if result.outcome is Outcome.SKIPPED:
            self._skipped.append(result)
        else:
            _line(result.outcome, result.rule.name, _words(result.rule))
            _reason(result)

    def end(self, results: Sequence[Result]) -> None:
        """Print how many rules came to what."""
        self._flush()
        counts = Counter(result.outcome for result in results)
        numbers = ", ".join(f"{counts[outcome]} {outcome.value}" for outcome in Outcome)
        click.echo(f"\n{len(results)} rules: {numbers}")

    def _flush(self) -> None:
        if not self._skipped:
            return
        first, count = self._skipped[0], len(self._skipped)
        rule = first.rule
        if count == 1:
            _line(first.outcome, rule.name, _words(rule))
        else:
            _line(first.outcome, f"{_group(rule)}.*", f"{count} rules")
        _reason(first)
        self._skipped.clear()


def _words(rule: Rule) -> str:
    return f"{rule.section}: {rule.sentence}"


def _group(rule: Rule) -> str:
    return rule.name.partition(".")[0]


def _alike(some: Result, other: Result) -> bool:
    """Whether two results can be printed as one."""
    of_some, of_other = (
        (result.outcome, result.reason, _group(result.rule)) for result in (some, other)
    )
    return of_some == of_other


def _line(outcome: Outcome, name: str, words: str) -> None:
    mark = click.style(f"{outcome.value:8}", fg=COLOURS[outcome])
    click.echo(f"{mark}{name:{NAME_WIDTH}} {words}")


def _reason(result: Result) -> None:
    if result.reason:
        words = f"{'':8}{_shorten(result.reason)}"
        click.echo(click.style(words, fg=COLOURS[result.outcome]))


def _shorten(text: str, most: int = 400) -> str:
    words = " ".join(text.split())
    return words if len(words) <= most else f"{words[:most]}..."


def _matches(rule: Rule, patterns: Sequence[str]) -> bool:
    return any(fnmatch(rule.name, pattern) for pattern in patterns)


def _connect(address: str, tls: bool, ca: Path | None) -> grpc.Channel:
    options = [
        # Channels would share a connection.
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ]
    if not tls:
        return grpc.insecure_channel(address, options)
    credentials = grpc.ssl_channel_credentials(ca.read_bytes() if ca else None)
    return grpc.secure_channel(address, credentials, options)


def _authorization(token_file: IO[str] | None) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token_file.read().strip()}"),) if token_file else ()


def _reach(server: Server, subject: Subject, address: str) -> None:
    """Ask for the model; raises ClickException, with exit code 2, when nothing can be asked."""
    try:
        server.live()
        _ = subject.metadata
    except grpc.RpcError as error:
        words = f"{address} can't be asked: {error.code().name}: {error.details()}"
        raise CantAsk(words) from error
