"""One Settings object: everything that can be set, by flag, environment variable or file."""

import math
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import click

PER_MODEL = {"versions", "labels", "traffic", "shadow"}
"""Settings with a part for each model, which may be tables in the file."""

REMOVED = {
    "keepalive_seconds": "the server pings a connection after 60 s of silence",
    "keepalive_timeout_seconds": "a connection is closed 20 s after an unanswered ping",
    "max_connection_age_grace_seconds": "calls on an old connection may take as long as they need",
    "min_client_ping_seconds": "callers may ping every 10 s",
    "scheduling": "batch scheduling is used while calls keep a core busy",
    "threads": "4 threads answer the calls that are not on the lane",
}
"""What were settings once, and what holds now."""


def _option(
    default: object, help_text: str, kind: "click.ParamType[Any] | None" = None, heading: str = ""
) -> Any:
    """Declare a setting; a heading of `--help` stands above the first setting that it is for."""
    return field(default=default, metadata={"help": help_text, "type": kind, "heading": heading})


MAX_SECONDS = 2_000_000
"""The longest duration, 23 days: gRPC counts milliseconds in 31 bits."""

MAX_COUNT = 2**31 - 1
MAX_STREAMS = 10_000
MAX_WORKERS = 1024


class Number(click.FloatRange):
    """A number in a range; a subclass, because click would let nan through."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number; fails with a message that names the range if it is outside."""
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
        "Where gRPC listens: HOST:PORT (port 0 picks a free one), unix:PATH or unix-abstract:NAME.",
        heading="Listening",
    )
    http_address: str = _option(
        "127.0.0.1:8080",
        "Where HTTP (the page, its APIs, /metrics, health) listens: HOST:PORT (port 0 picks a free "
        "one).",
    )
    http_api: str = _option(
        "on",
        "on: HTTP has the page and the APIs. off: only /metrics, /healthz and /readyz.",
        click.Choice(["on", "off"]),
    )
    max_connection_age_seconds: float = _option(
        0.0,
        "Age, give or take a tenth, at which a connection gets no new calls and its caller opens "
        "another, so that calls spread over new servers. 0: unlimited.",
        _seconds(),
    )
    repository: Path = _option(
        Path("models"),
        "Folder of models, as NAME/VERSION/model.onnx.",
        click.Path(path_type=Path),
        heading="Models",
    )
    default_model: str = _option(
        "",
        "Model for requests that name none. Empty: the only model, or digits if there are several.",
    )
    versions: str = _option(
        "latest 1",
        'Versions to load of each model: "latest N" or a list such as "1, 3", followed by the '
        'models that differ: "latest 1; digits: 1, 3".',
    )
    labels: str = _option(
        "",
        'Names for versions, accepted wherever a version is: "digits: stable 1, canary 2; '
        'letters: stable 4". Labelled versions are loaded too.',
    )
    traffic: str = _option(
        "",
        "How to split requests that name no version, by weight: "
        '"digits: stable 95, canary 5". Empty: all go to the newest. Calls with the same route-key '
        "metadata get the same version.",
    )
    shadow: str = _option(
        "",
        "A version that also runs a percentage of the requests answered by others, to count how "
        'often its labels differ: "digits: canary 10".',
    )
    watch: str = _option(
        "on",
        "on: load models when their files appear or change. off: only on SIGHUP, Admin/Reload, or "
        "RepositoryModelLoad and Unload, which are refused otherwise.",
        click.Choice(["on", "off"]),
    )
    max_model_bytes: int = _option(
        256 * 1024 * 1024,
        "Largest model.onnx to load. Loading takes about three times as much memory in each "
        "worker, on top of the version that it replaces.",
        click.IntRange(min=4096, max=2**31 - 1),
        heading="Limits",
    )
    max_batch_size: int = _option(
        4096, "Maximum images in one call, and in one run of a model.", _count()
    )
    max_queued_images: int = _option(
        16_384,
        "Maximum images waiting for a model; further calls get RESOURCE_EXHAUSTED.",
        _count(),
    )
    max_queued_bytes: int = _option(
        128 * 1024 * 1024,
        "Maximum bytes of waiting messages, over all models; a single model may have half of them. "
        "Unread answers may take half as much again. Further calls get RESOURCE_EXHAUSTED.",
        _count(),
    )
    max_message_bytes: int = _option(
        64 * 1024 * 1024,
        "Largest gRPC message to receive or send. Messages up to twice as large are rejected with "
        "a remedy, larger ones by gRPC itself.",
        click.IntRange(min=4096, max=2**31 - 1),
    )
    max_http_body_bytes: int = _option(
        16 * 1024 * 1024,
        "Largest body of an HTTP request, as it arrives and as it expands. All bodies together may "
        "have four times as many bytes; further requests get 429.",
        click.IntRange(min=4096, max=2**30),
    )
    max_arriving_messages: int = _option(
        16,
        "Maximum messages received at once; each may need twice max_message_bytes of memory.",
        _count(),
    )
    max_concurrent_calls: int = _option(
        1000, "Maximum calls in progress; further calls get RESOURCE_EXHAUSTED.", _count()
    )
    max_streams: int = _option(
        64,
        "Maximum open streams, each with a thread; further streams get RESOURCE_EXHAUSTED.",
        _count(MAX_STREAMS),
    )
    tls_certificate: Path | None = _option(
        None,
        "PEM file with the server's certificate and its intermediates; gRPC then accepts TLS only. "
        "Files are read again when they change, and on SIGHUP.",
        _FILE,
        heading="Security",
    )
    tls_key: Path | None = _option(None, "PEM file with the certificate's private key.", _FILE)
    tls_client_ca: Path | None = _option(
        None,
        "PEM file with certificate authorities; callers must then present a certificate of one.",
        _FILE,
    )
    http_tls: str = _option(
        "off",
        "on: HTTP accepts TLS only, with the same certificate. With tls_client_ca its APIs and its "
        "page then demand a certificate, and are closed without TLS; /metrics and health never "
        "demand one.",
        click.Choice(["on", "off"]),
    )
    http_cors_origins: str = _option(
        "",
        'Origins of other pages that may call the APIs, such as "https://a.example, '
        'https://b.example:8443", or * for all. Empty: none.',
    )
    tokens_file: Path | None = _option(
        None,
        "File with a line `name: token` for each caller. All calls except health then need "
        "`authorization: Bearer TOKEN`.",
        _FILE,
    )
    admin_tokens_file: Path | None = _option(
        None,
        "The same for mlpserve.v1.Admin, RepositoryModelLoad and RepositoryModelUnload, which are "
        "served only if this is set.",
        _FILE,
    )
    reflection: str = _option(
        "on",
        "on: the services describe themselves, to callers with a token if tokens are set. open: to "
        "everybody. off: to nobody.",
        click.Choice(["on", "open", "off"]),
    )
    batch_delay_seconds: float = _option(
        0.0,
        "How long a call waits for others to run with. 0: not at all; calls that arrive during a "
        "run still run together.",
        _seconds(max_seconds=1),
        heading="Running",
    )
    lane: str = _option(
        "on",
        "on: predictions have a queue and a thread of their own, which is several times faster. "
        "off: they run on grpcio's thread pool, like all other calls.",
        click.Choice(["on", "off"]),
    )
    workers: int = _option(
        0,
        "Processes that share the gRPC port, each with its own limits and threads; the kernel "
        "spreads connections over them, not calls. 0: one for each usable core, by CPU affinity "
        "and the container's quota.",
        _count(MAX_WORKERS, 0),
    )
    worker_timeout_seconds: float = _option(
        30.0, "How long a worker may be unresponsive before it is replaced.", _seconds(0.1)
    )
    drain_delay_seconds: float = _option(
        2.0,
        "After SIGTERM: how long calls are still served while health says NOT_SERVING.",
        _seconds(),
        heading="Draining",
    )
    stop_grace_seconds: float = _option(
        10.0, "After the drain: how long calls in progress may take to finish.", _seconds()
    )
    log_level: str = _option(
        "info",
        "Lowest level to log.",
        click.Choice(["debug", "info", "warning", "error"]),
        heading="Logs",
    )
    log_format: str = _option(
        "auto",
        "auto: colours on a terminal, JSON otherwise.",
        click.Choice(["auto", "console", "json"]),
    )
    log_calls: float = _option(
        0.01,
        "Share of calls to log, from 0 to 1. Calls that fail are always logged, up to 20 a second "
        "in each worker.",
        Number(0, 1),
    )
    otlp_endpoint: str = _option(
        "",
        "Where to send traces, over OTLP/gRPC: http://HOST:4317, or https. Empty: no traces.",
        heading="Traces",
    )
    trace_sample_rate: float = _option(
        0.001,
        "Share of calls to trace, from 0 to 1, unless the caller's traceparent decides.",
        Number(0, 1),
    )


def _group() -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for setting in fields(Settings):
        heading = setting.metadata["heading"] or next(reversed(groups))
        groups.setdefault(heading, []).append(setting.name)
    return groups


GROUPS = _group()
"""The headings of `--help`, and the settings below each."""
