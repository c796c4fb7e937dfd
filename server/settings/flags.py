"""Settings as flags: headings in `--help`, errors for unknown names, and the source of each value.

Flags take precedence over environment variables, these over a TOML file, and that over defaults.
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

from server.settings.settings import GROUPS, PER_MODEL, REMOVED, Settings
from server.texts import has_controls, shorten

ENVIRONMENT_PREFIX = "MLPSERVE"
MAX_SHOWN = 80
"""Characters of a wrong value that an error shows."""

FOREIGN_VARIABLES = {"MLPSERVE_MNIST"}
"""The exporter's."""

_SERVICE_LINK = re.compile(
    r"MLPSERVE(_\w+)?_(SERVICE_HOST=|SERVICE_PORT(_\w+)?=|PORT=\w+://|PORT_\d+_(TCP|UDP|SCTP)).*"
)
"""What Kubernetes sets for each service in the namespace, such as one named mlpserve."""


class SettingsCommand(click.Command):
    """A command whose help has headings, and which rejects unknown environment variables.

    A subclass, because click has no other hook for either.
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
        try:
            rest = super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if hint := _removed(error.option_name):
                raise click.UsageError(f"No such option: {error.option_name}{hint}", ctx) from error
            raise
        known = {_variable(parameter.name) for parameter in self.params} | FOREIGN_VARIABLES
        for name, value in sorted(os.environ.items()):
            if name.startswith(f"{ENVIRONMENT_PREFIX}_") and name not in known:
                if _SERVICE_LINK.fullmatch(f"{name}={value}"):
                    continue
                raise click.UsageError(
                    f"the environment variable {name} is not a setting{_hint(name, known)}", ctx
                )
        return rest

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the settings under their headings, then the other options."""
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
    """Report in one line that what the block prints can't be written, for example on a full disk.

    When the reader is gone, click ends quietly.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        # Python would try again at exit.
        sys.stdout = None
        raise click.ClickException(
            f"can't write to standard output: {error.strerror or error}"
        ) from error


def settings_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add a flag for each setting to a click command, which receives them by name."""
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
        help="TOML file with any of these settings, with underscores for dashes.",
    )(command)


def restore(values: Mapping[str, Any]) -> Settings:
    """Return settings from plain values, in which JSON has kept them."""
    paths = {s.name for s in fields(Settings) if isinstance(s.metadata["type"], click.Path)}
    restored = {name: Path(values[name]) for name in paths if values[name] is not None}
    return Settings(**{**values, **restored})


def describe(context: click.Context, settings: Settings) -> Iterator[str]:
    """Yield the settings as lines of a TOML file, each with its source in a comment.

    Settings name the files that hold secrets, and hold none themselves.
    """
    for group in GROUPS:
        yield f"# {group}"
        for setting in fields(Settings):
            if setting.metadata["group"] != group:
                continue
            value = getattr(settings, setting.name)
            # TOML has no null.
            entry = f"# {setting.name} =" if value is None else f"{setting.name} = {_toml(value)}"
            yield f"{entry}  # {_source(context, setting.name)}"
        yield ""


def _source(context: click.Context, name: str) -> str:
    """Return where the value of a setting comes from."""
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
"""Largest settings file."""

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
                f"{path} has the unknown key {key!r}{_hint(key, known)}", context, parameter
            )
    for key, value in values.items():
        text = _flat(value, "; ", ": ") if key in PER_MODEL else value
        # Strings, because click then checks numbers as it does in flags. In Python True is an int.
        if isinstance(text, bool) or not isinstance(text, str | int | float):
            raise click.BadParameter(
                f"{path}: {key} is {_shown(text)}, not a string or a number", context, parameter
            )
        values[key] = str(text)
        if key not in PER_MODEL and has_controls(values[key]):
            raise click.BadParameter(
                f"{path}: {key} is {_shown(text)}, which contains a control character",
                context,
                parameter,
            )
    context.default_map = values
    context.meta[_FILE] = path


def _shown(value: object) -> str:
    """Return a value's repr, short enough for a message."""
    return shorten(repr(value), MAX_SHOWN)


def _flat(value: object, comma: str = ", ", colon: str = " ") -> str:
    """Return lists and tables of the file in the form of the flag."""
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


def _removed(name: str) -> str:
    """Return what holds now if a flag, variable or key is a setting that was removed."""
    key = name.lower().removeprefix(f"{ENVIRONMENT_PREFIX}_".lower()).lstrip("-").replace("-", "_")
    return f"; it was removed: {REMOVED[key]}" if key in REMOVED else ""


def _hint(name: str, known: Iterable[str]) -> str:
    """Return what became of an unknown setting, or what it was probably meant to be."""
    if removed := _removed(name):
        return removed
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else "; --help lists all settings"


def _toml(value: object) -> str:
    """Return a setting's value as TOML, whose strings are JSON's."""
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)
