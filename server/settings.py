"""One Settings object: flags win over environment variables, over a TOML file, over defaults."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import click

ENVIRONMENT_PREFIX = "MLPSERVE"


def _option(default: object, help_text: str, kind: "click.ParamType[Any] | None" = None) -> Any:
    """Declare a setting: its default value, its line in `--help` and what values it takes."""
    return field(default=default, metadata={"help": help_text, "type": kind})


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set; each field is a flag, a variable and a key of the file."""

    grpc_address: str = _option(
        "127.0.0.1:50051", "Where gRPC listens, HOST:PORT; port 0 takes a free one."
    )
    http_address: str = _option(
        "127.0.0.1:8080",
        "Where HTTP (/metrics, health) listens, HOST:PORT; port 0 takes a free one.",
    )
    repository: Path = _option(
        Path("models"), "Folder of models, as NAME/VERSION/model.onnx.", click.Path(path_type=Path)
    )
    default_model: str = _option(
        "", "Model that answers requests naming none. Empty: the only one there is, or else digits."
    )
    max_batch_size: int = _option(
        4096, "Images taken in one call, and run together at most.", click.IntRange(min=1)
    )
    batch_delay_seconds: float = _option(
        0.0,
        "How long a call waits for others to run with. 0: not at all; those that come while the "
        "model runs still run together.",
        click.FloatRange(min=0, max=1),
    )
    max_queued_images: int = _option(
        16_384,
        "Images that wait for a run; calls beyond get RESOURCE_EXHAUSTED.",
        click.IntRange(min=1),
    )
    max_message_bytes: int = _option(
        64 * 1024 * 1024, "Largest gRPC message taken or sent.", click.IntRange(min=4096)
    )
    max_arriving_messages: int = _option(
        16,
        "Messages that arrive at the same time; each may need max_message_bytes of memory.",
        click.IntRange(min=1),
    )
    max_concurrent_calls: int = _option(
        1000, "Calls in progress; further ones get RESOURCE_EXHAUSTED.", click.IntRange(min=1)
    )
    max_streams: int = _option(
        64,
        "Streams open at the same time, a thread each; further ones get RESOURCE_EXHAUSTED.",
        click.IntRange(min=1),
    )
    lane: str = _option(
        "on",
        "on: predictions have a queue and a thread of their own, which is several times faster. "
        "off: they run on grpcio's thread pool, like all other calls.",
        click.Choice(["on", "off"]),
    )
    workers: int = _option(
        0,
        "Processes that share the gRPC port, each with limits and threads of its own; the kernel "
        "gives each connection, not each call, to one of them. 0: as many as there are cores to "
        "use, by affinity and the container's quota.",
        click.IntRange(min=0),
    )
    worker_timeout_seconds: float = _option(
        30.0,
        "How long a worker may give no sign of life until another takes its place.",
        click.FloatRange(min=0, min_open=True),
    )
    threads: int = _option(4, "Threads for calls that are not on the lane.", click.IntRange(min=1))
    drain_delay_seconds: float = _option(
        2.0,
        "After SIGTERM: how long calls are still served while health says NOT_SERVING.",
        click.FloatRange(min=0),
    )
    stop_grace_seconds: float = _option(
        10.0,
        "After the drain: how long calls in progress may take to end.",
        click.FloatRange(min=0),
    )
    log_level: str = _option(
        "info", "Least level that is logged.", click.Choice(["debug", "info", "warning", "error"])
    )
    log_format: str = _option(
        "auto",
        "auto: colours on a terminal, JSON otherwise.",
        click.Choice(["auto", "console", "json"]),
    )


def _read_file(context: click.Context, parameter: click.Parameter, path: Path | None) -> None:
    """Make the values of a TOML file the defaults of the flags; an unknown key is an error."""
    if path is None:
        return
    try:
        values = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise click.BadParameter(f"{path} can't be read: {error}", context, parameter) from error
    known = {setting.name for setting in fields(Settings)}
    for key in values:
        if key not in known:
            raise click.BadParameter(
                f"{path} has the unknown key {key!r}; known keys: {', '.join(sorted(known))}",
                context,
                parameter,
            )
    context.default_map = values


def restore(values: Mapping[str, Any]) -> Settings:
    """Return settings from plain values such as a file has; variables don't count."""
    found: dict[str, Any] = {}

    def take(**converted: Any) -> None:
        found.update(converted)

    command = click.command()(settings_options(take))
    command.main([], prog_name="", standalone_mode=False, default_map=dict(values))
    return Settings(**found)


def settings_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add a flag per setting to a click command, which receives the settings by name."""
    for setting in reversed(fields(Settings)):
        command = click.option(
            "--" + setting.name.replace("_", "-"),
            setting.name,
            default=setting.default,
            type=setting.metadata["type"],
            help=setting.metadata["help"],
            show_default=setting.default != "",
            show_envvar=True,
        )(command)
    return click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        is_eager=True,
        expose_value=False,
        callback=_read_file,
        show_envvar=True,
        help="TOML file with any of these settings, dashes as underscores.",
    )(command)
