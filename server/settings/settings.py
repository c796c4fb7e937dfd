"""One Settings object: everything that can be set, by flag, environment variable or file."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

LISTENING = "Listening"
MODELS = "Models"
LIMITS = "Limits"
CONNECTIONS = "Connections"
SECURITY = "Security"
RUNNING = "Running"
DRAINING = "Draining"
LOGS = "Logs"
TRACES = "Traces"
GROUPS = (LISTENING, MODELS, LIMITS, CONNECTIONS, SECURITY, RUNNING, DRAINING, LOGS, TRACES)
"""The headings of `--help`, in its order."""

PER_MODEL = {"versions", "labels", "traffic", "shadow"}
"""Settings with a part for each model, which the file may have as tables."""


def _option(
    default: object, help_text: str, kind: "click.ParamType[Any] | None" = None, *, group: str
) -> Any:
    """Declare a setting: its default value, its line in `--help`, what values it takes, and under
    which heading it stands.
    """
    return field(default=default, metadata={"help": help_text, "type": kind, "group": group})


MAX_SECONDS = 2_000_000
"""The longest duration that makes sense, 23 days: gRPC counts milliseconds in 31 bits."""

MAX_COUNT = 2**31 - 1
MAX_THREADS = 10_000
MAX_WORKERS = 1024


class Number(click.FloatRange):
    """A number in a range, which nan is in for click; a subclass, as click has no other place."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number; fails with the range as the remedy when there is none in it."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value} is not in the range {self._describe_range()}.", param, ctx)
        return number


def _seconds(min_seconds: float = 0, max_seconds: float = MAX_SECONDS) -> Number:
    return Number(min_seconds, max_seconds)


def _count(max_count: int = MAX_COUNT, min_count: int = 1) -> click.IntRange:
    return click.IntRange(min_count, max_count)


_FILE = click.Path(path_type=Path, dir_okay=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set; each field is a flag, a variable and a key of the file."""

    grpc_address: str = _option(
        "127.0.0.1:50051",
        "Where gRPC listens: HOST:PORT, where port 0 takes a free one, unix:PATH or "
        "unix-abstract:NAME.",
        group=LISTENING,
    )
    http_address: str = _option(
        "127.0.0.1:8080",
        "Where HTTP (/metrics, health) listens, HOST:PORT; port 0 takes a free one.",
        group=LISTENING,
    )
    repository: Path = _option(
        Path("models"),
        "Folder of models, as NAME/VERSION/model.onnx.",
        click.Path(path_type=Path),
        group=MODELS,
    )
    default_model: str = _option(
        "",
        "Model that answers requests naming none. Empty: the only one there is, or else digits.",
        group=MODELS,
    )
    versions: str = _option(
        "latest 1",
        'Versions that are loaded of each model: "latest N" or a list such as "1, 3"; with a part '
        'for each model that differs: "latest 1; digits: 1, 3".',
        group=MODELS,
    )
    labels: str = _option(
        "",
        'Names for versions, usable wherever a version is: "digits: stable 1, canary 2; '
        'letters: stable 4". These versions are loaded too.',
        group=MODELS,
    )
    traffic: str = _option(
        "",
        "Which versions answer requests that name none, with weights: "
        '"digits: stable 95, canary 5". Empty: the newest. Calls with the same route-key in their '
        "metadata get the same version.",
        group=MODELS,
    )
    shadow: str = _option(
        "",
        "A version that also runs a percentage of the requests that others answer, to count where "
        'its labels differ: "digits: canary 10".',
        group=MODELS,
    )
    watch: str = _option(
        "on",
        "on: models are loaded when their files appear or change. off: on SIGHUP alone.",
        click.Choice(["on", "off"]),
        group=MODELS,
    )
    max_model_bytes: int = _option(
        256 * 1024 * 1024,
        "Largest model.onnx that is loaded, which takes about three times as much memory in each "
        "worker, beside the version before.",
        click.IntRange(min=4096, max=2**31 - 1),
        group=LIMITS,
    )
    max_batch_size: int = _option(
        4096,
        "Images taken in one call, and run together at most.",
        _count(),
        group=LIMITS,
    )
    batch_delay_seconds: float = _option(
        0.0,
        "How long a call waits for others to run with. 0: not at all; those that come while the "
        "model runs still run together.",
        _seconds(max_seconds=1),
        group=RUNNING,
    )
    max_queued_images: int = _option(
        16_384,
        "Images that wait for a run of a model; calls beyond get RESOURCE_EXHAUSTED.",
        _count(),
        group=LIMITS,
    )
    max_queued_bytes: int = _option(
        128 * 1024 * 1024,
        "Bytes of messages that wait, for all models together; one alone may have half of them. "
        "Answers that are not read may have half as many. Calls beyond get RESOURCE_EXHAUSTED.",
        _count(),
        group=LIMITS,
    )
    max_message_bytes: int = _option(
        64 * 1024 * 1024,
        "Largest gRPC message taken or sent. Calls with one of up to twice as many bytes are told "
        "what to do; beyond, gRPC itself ends them.",
        click.IntRange(min=4096, max=2**31 - 1),
        group=LIMITS,
    )
    max_arriving_messages: int = _option(
        16,
        "Messages that arrive at the same time; each may need twice max_message_bytes of memory.",
        _count(),
        group=LIMITS,
    )
    max_concurrent_calls: int = _option(
        1000,
        "Calls in progress; further ones get RESOURCE_EXHAUSTED.",
        _count(),
        group=LIMITS,
    )
    max_streams: int = _option(
        64,
        "Streams open at the same time, a thread each; further ones get RESOURCE_EXHAUSTED.",
        _count(MAX_THREADS),
        group=LIMITS,
    )
    keepalive_seconds: float = _option(
        60.0,
        "Silence after which the server pings a caller, to find connections that are dead.",
        _seconds(1),
        group=CONNECTIONS,
    )
    keepalive_timeout_seconds: float = _option(
        20.0,
        "How long the answer to such a ping may take, after which the connection is closed.",
        _seconds(0.1),
        group=CONNECTIONS,
    )
    min_client_ping_seconds: float = _option(
        10.0,
        "Least time between pings of a caller, with or without calls; who pings more often is "
        "sent away with too_many_pings.",
        _seconds(),
        group=CONNECTIONS,
    )
    max_connection_age_seconds: float = _option(
        0.0,
        "Age, give or take a tenth, at which a connection gets no new calls and its caller makes "
        "another, so that calls spread over new servers. 0: never.",
        _seconds(),
        group=CONNECTIONS,
    )
    max_connection_age_grace_seconds: float = _option(
        0.0,
        "How long calls on such a connection may take to end. 0: as long as they want.",
        _seconds(),
        group=CONNECTIONS,
    )
    tls_certificate: Path | None = _option(
        None,
        "PEM file with the server's certificate, and those between it and its authority. gRPC then "
        "takes TLS only. Files are read again when they change, and on SIGHUP.",
        _FILE,
        group=SECURITY,
    )
    tls_key: Path | None = _option(
        None, "PEM file with the certificate's private key.", _FILE, group=SECURITY
    )
    tls_client_ca: Path | None = _option(
        None,
        "PEM file with authorities. Callers must then show a certificate of one of them.",
        _FILE,
        group=SECURITY,
    )
    tokens_file: Path | None = _option(
        None,
        "File with a line `name: token` for each caller. All calls but health then need "
        "`authorization: Bearer TOKEN`.",
        _FILE,
        group=SECURITY,
    )
    admin_tokens_file: Path | None = _option(
        None,
        "The same for mlpserve.v1.Admin, which is served only with it.",
        _FILE,
        group=SECURITY,
    )
    reflection: str = _option(
        "on",
        "on: the services describe themselves, to callers with a token if there are tokens. open: "
        "to everybody. off: to nobody.",
        click.Choice(["on", "open", "off"]),
        group=SECURITY,
    )
    lane: str = _option(
        "on",
        "on: predictions have a queue and a thread of their own, which is several times faster. "
        "off: they run on grpcio's thread pool, like all other calls.",
        click.Choice(["on", "off"]),
        group=RUNNING,
    )
    threads: int = _option(
        4, "Threads for calls that are not on the lane.", _count(MAX_THREADS), group=RUNNING
    )
    scheduling: str = _option(
        "auto",
        "auto: while the lane's calls keep a core busy, a worker's threads interrupt no other "
        "(batch scheduling, on Linux), which answers up to a quarter more. normal: never.",
        click.Choice(["auto", "normal"]),
        group=RUNNING,
    )
    workers: int = _option(
        0,
        "Processes that share the gRPC port, each with limits and threads of its own; the kernel "
        "gives each connection, not each call, to one of them. 0: as many as there are cores to "
        "use, by affinity and the container's quota.",
        _count(MAX_WORKERS, 0),
        group=RUNNING,
    )
    worker_timeout_seconds: float = _option(
        30.0,
        "How long a worker may give no sign of life until another takes its place.",
        _seconds(0.1),
        group=RUNNING,
    )
    drain_delay_seconds: float = _option(
        2.0,
        "After SIGTERM: how long calls are still served while health says NOT_SERVING.",
        _seconds(),
        group=DRAINING,
    )
    stop_grace_seconds: float = _option(
        10.0,
        "After the drain: how long calls in progress may take to end.",
        _seconds(),
        group=DRAINING,
    )
    log_level: str = _option(
        "info",
        "Least level that is logged.",
        click.Choice(["debug", "info", "warning", "error"]),
        group=LOGS,
    )
    log_format: str = _option(
        "auto",
        "auto: colours on a terminal, JSON otherwise.",
        click.Choice(["auto", "console", "json"]),
        group=LOGS,
    )
    log_calls: float = _option(
        0.01,
        "Share of the calls that are logged, 0 to 1. Those that end with an error are as well, up "
        "to 20 a second in each worker.",
        Number(0, 1),
        group=LOGS,
    )
    otlp_endpoint: str = _option(
        "",
        "Where traces go, over OTLP/gRPC: http://HOST:4317, or https. Empty: there are none.",
        group=TRACES,
    )
    trace_sample_rate: float = _option(
        0.001,
        "Share of the calls that are traced, 0 to 1, of those whose caller has not decided it in "
        "traceparent.",
        Number(0, 1),
        group=TRACES,
    )
