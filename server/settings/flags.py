"""Settings as flags: headings in `--help`, errors for misspelt names, and where each value is from.

Flags win over environment variables, over a TOML file, over defaults.
"""

import contextlib
import difflib
import json
import os
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from server.settings.settings import GROUPS, PER_MODEL, Settings
from server.texts import has_controls, shorten

ENVIRONMENT_PREFIX = "MLPSERVE"
LONGEST_SHOWN = 80
FOREIGN_VARIABLES = {"MLPSERVE_MNIST"}
"""The exporter's own."""

_SERVICE_LINK = re.compile(
    r"MLPSERVE(_\w+)?_(SERVICE_HOST=|SERVICE_PORT(_\w+)?=|PORT=\w+://|PORT_\d+_(TCP|UDP|SCTP)).*"
)
"""What Kubernetes sets for each service in sight, and so for one that is called mlpserve."""


class SettingsCommand(click.Command):
    """A command whose help has headings, and which takes no misspelt environment variable.

    A subclass, since click has no other place for either.
    """

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Read flags, environment and file, or print the help."""
        with checked_output():
            return super().make_context(info_name, args, parent, **extra)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read flags, environment and file; raises UsageError."""
        rest = super().parse_args(ctx, args)
        known = {_variable(parameter.name) for parameter in self.params} | FOREIGN_VARIABLES
        for name, value in sorted(os.environ.items()):
            if name.startswith(f"{ENVIRONMENT_PREFIX}_") and name not in known:
                if _SERVICE_LINK.fullmatch(f"{name}={value}"):
                    continue
                raise click.UsageError(
                    f"the environment variable {name} is no setting{_nearest(name, known)}", ctx
                )
        return rest

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the settings under their headings, then what is no setting."""
        groups: dict[str, list[tuple[str, str]]] = {group: [] for group in (*GROUPS, "Other")}
        of_setting = {setting.name: setting.metadata["group"] for setting in fields(Settings)}
        for parameter in self.get_params(ctx):
            if record := parameter.get_help_record(ctx):
                groups[of_setting.get(parameter.name, "Other")].append(record)
        for group, records in groups.items():
            if records:
                with formatter.section(group):
                    formatter.write_dl(records)


@contextlib.contextmanager
def checked_output() -> Iterator[None]:
    """Tell in one line when what the block prints can't be written, on a full disk for example.

    That a reader is gone is nothing to be told, and click ends quietly.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        # Python would try again at the end.
        sys.stdout = None
        raise click.ClickException(
            f"can't write to standard output: {error.strerror or error}"
        ) from error


def settings_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add a flag per setting to a click command, which receives the settings by name."""
    for setting in reversed(fields(Settings)):
        command = click.option(
            "--" + setting.name.replace("_", "-"),
            setting.name,
            default=setting.default,
            type=setting.metadata["type"],
            help=setting.metadata["help"],
            show_default=setting.default not in ("", None),
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


def restore(values: Mapping[str, Any]) -> Settings:
    """Return settings from plain values such as a file has; variables don't count."""
    found: dict[str, Any] = {}

    def take(**converted: Any) -> None:
        found.update(converted)

    command = click.command()(settings_options(take))
    command.main([], prog_name="", standalone_mode=False, default_map=dict(values))
    return Settings(**found)


def describe(context: click.Context, settings: Settings) -> Iterator[str]:
    """Yield the settings as lines of a TOML file, each with a comment on where its value is from.

    Settings name the files that hold secrets, and hold none themselves.
    """
    for group in GROUPS:
        its = [setting for setting in fields(Settings) if setting.metadata["group"] == group]
        if not its:
            continue
        yield f"# {group}"
        for setting in its:
            value = getattr(settings, setting.name)
            # TOML has no word for nothing.
            entry = f"# {setting.name} =" if value is None else f"{setting.name} = {_toml(value)}"
            yield f"{entry}  # {_source(context, setting.name)}"
        yield ""


def _source(context: click.Context, name: str) -> str:
    """Say where the value of a setting is from."""
    match context.get_parameter_source(name):
        case ParameterSource.COMMANDLINE:
            return "flag"
        case ParameterSource.ENVIRONMENT:
            return f"environment variable {_variable(name)}"
        case ParameterSource.DEFAULT_MAP:
            return f"file {context.meta[_FILE]}"
        case _:
            return "default"


MAX_CONFIG_BYTES = 1 << 20
"""What is read of a settings file."""

_FILE = f"{__name__}.file"


def _read_file(context: click.Context, parameter: click.Parameter, path: Path | None) -> None:
    """Make the values of a TOML file the defaults of the flags; an unknown key is an error."""
    if path is None:
        return
    try:
        with path.open("rb") as file:
            content = file.read(MAX_CONFIG_BYTES + 1)
        if len(content) > MAX_CONFIG_BYTES:
            raise ValueError(f"it has more than {MAX_CONFIG_BYTES} bytes")
        values = tomllib.loads(content.decode())
    except (OSError, ValueError, RecursionError) as error:
        raise click.BadParameter(f"{path} can't be read: {error}", context, parameter) from error
    known = {setting.name for setting in fields(Settings)}
    for key in values:
        if key not in known:
            raise click.BadParameter(
                f"{path} has the unknown key {key!r}{_nearest(key, known)}", context, parameter
            )
    for key, value in values.items():
        text = _flat(value, "; ", ": ") if key in PER_MODEL else value
        # As a flag would have it: a number is looked at like one there. True is an int to Python.
        if isinstance(text, bool) or not isinstance(text, str | int | float):
            raise click.BadParameter(
                f"{path}: {key} is {_shown(text)}, wanted a text or a number", context, parameter
            )
        values[key] = str(text)
        if key not in PER_MODEL and has_controls(values[key]):
            raise click.BadParameter(
                f"{path}: {key} is {_shown(text)}, which holds a control character",
                context,
                parameter,
            )
    context.default_map = values
    context.meta[_FILE] = path


def _shown(value: object) -> str:
    """Return a value as Python has it, short enough for a message."""
    return shorten(repr(value), LONGEST_SHOWN)


def _flat(value: object, comma: str = ", ", colon: str = " ") -> str:
    """Return lists and tables of the file in the form that the flag has."""
    match value:
        case dict():
            return comma.join(f"{name}{colon}{_flat(part)}" for name, part in value.items())
        case list():
            return ", ".join(map(str, value))
        case _:
            return str(value)


def _variable(name: str | None) -> str:
    """Return the environment variable of a flag."""
    return f"{ENVIRONMENT_PREFIX}_{name}".upper()


def _nearest(name: str, known: Iterable[str]) -> str:
    """Return what a misspelt name was probably meant to be, or where all names stand."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"; do you mean {close[0]}?" if close else "; --help lists all settings"


def _toml(value: object) -> str:
    """Return a setting's value as TOML, whose strings are JSON's."""
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)
