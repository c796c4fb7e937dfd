"""Finds the commands of this repository on the pages, and holds them against the programs."""

import importlib
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import click

from harness.server_process import ROOT
from tests.documents import pages

BIN = ".venv/bin/"
PYTHON = re.compile(r"(?:.*/)?python[\d.]*")
ELLIPSIS = "..."
PLACEHOLDER = re.compile(r"[A-Z]+(?::\d+)?")
"""What stands for a value of the reader's."""

SHIPPED = ("examples/", "tests/")
"""Folders whose files are there before any command has run."""

HOSTS = ("docker", "kubectl")
"""Programs that run commands where there is no .venv."""

_CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_FENCED = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
_ENDS = re.compile(r"[|&;()<>]+")

MODULES = {
    "exporter": "exporter.cli:main",
    "mlpserve": "mlpserve.command.commands:mlpserve",
    "server": "server.__main__:main",
    "server health": "server.health:health_command",
    "tests.conformance": "tests.conformance.command:main",
}
"""Where the commands of programs are; those of others are called main."""

OTHERS = ("pip", "pytest")
"""Programs of others, whose arguments are their own."""

BENCHMARKS = tuple(
    f"benchmarks.{file.stem}"
    for file in sorted((ROOT / "benchmarks").glob("*.py"))
    if "click.command" in file.read_text()
)


@dataclass(frozen=True, slots=True)
class Command:
    """A command on a page, and whether it is in a block, from where readers paste it."""

    page: str
    words: tuple[str, ...]
    is_pasted: bool

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join(self.words)}"


def commands_of(page: str) -> Iterator[Command]:
    """Yield the commands of a page, from its blocks for a shell and from its text."""
    for block in pages.blocks_of(page):
        if block.language == "sh":
            for line in block.text.replace("\\\n", " ").splitlines():
                for words in split(line):
                    yield Command(page, words, is_pasted=True)
    for code in codes_of(page):
        for words in split(code):
            yield Command(page, words, is_pasted=False)


def codes_of(page: str) -> list[str]:
    """Return what a page has between backticks within its text."""
    return [" ".join(code.split()) for code in _CODE.findall(_FENCED.sub("", pages.text(page)))]


def split(line: str) -> Iterator[tuple[str, ...]]:
    """Yield the simple commands of a line; a text that is none in a shell has none."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    try:
        for word in lexer:
            if _ENDS.fullmatch(word):
                yield tuple(words)
                words = []
            else:
                words.append(word)
    except ValueError:
        return
    yield tuple(words)


def fault_of(command: Command) -> str:
    """Return why a command does not work as it stands; "" if it does, or is none of ours."""
    words = command.words
    python = next((i for i, word in enumerate(words) if PYTHON.fullmatch(word)), len(words))
    first = words[0].removeprefix(BIN) if words else ""
    if words[python + 1 : python + 2] == ("-m",) and len(words) > python + 2:
        program, module, *arguments = words[python], *words[python + 2 :]
        is_here = first not in HOSTS
    elif first in ("mlpserve", "pytest"):
        program, module, *arguments = words[0], first, *words[1:]
        # In a text `mlpserve bench` is a name.
        is_here = command.is_pasted or len(arguments) > 1
    else:
        return fault_of_make(words[1:]) if first == "make" else ""
    if is_here and not program.startswith(BIN):
        return f"does not begin with {BIN}"
    return fault_of_arguments(module, arguments, is_exact=command.is_pasted)


def fault_of_make(arguments: Sequence[str]) -> str:
    """Return which targets there are not."""
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    unknown = [word for word in arguments if word not in targets and "=" not in word]
    return f"make has no {', '.join(unknown)}" if unknown else ""


def fault_of_arguments(module: str, words: Sequence[str], is_exact: bool) -> str:
    """Return why a program does not take these; unless they are exact, some may be left out."""
    if ELLIPSIS in words:
        words, is_exact = words[: words.index(ELLIPSIS)], False
    # As in [--lane], which may be left out.
    arguments = [word.strip("[]") for word in words]
    if arguments[:1] == ["health"] and module == "server":
        module, arguments = "server health", arguments[1:]
    is_exact &= not any(PLACEHOLDER.fullmatch(word) for word in arguments)
    try:
        # A group without any prints its help.
        if module not in OTHERS and click_command(module) and arguments:
            parse(click_command(module), arguments)
    except ImportError as error:
        return str(error)
    except click.exceptions.Exit:
        # As --help does.
        return ""
    except click.UsageError as error:
        # Earlier lines make such files, or readers bring them.
        is_file = error.message.endswith("does not exist.")
        is_value = isinstance(error, click.BadParameter)
        return "" if is_file or (is_value and not is_exact) else error.format_message()
    files = [word for word in arguments if word.startswith(SHIPPED)]
    return "".join(f"there is no {file}" for file in files if not (ROOT / file).exists())


@cache
def click_command(module: str) -> click.Command:
    """Return the command that a module runs; raises ImportError when there is no such module."""
    name, _, attribute = MODULES.get(module, f"{module}:main").partition(":")
    found = getattr(importlib.import_module(name), attribute, None)
    # Others take no arguments.
    return found if isinstance(found, click.Command) else click.Command(module)


def parse(command: click.Command, arguments: list[str]) -> None:
    """Have a command, or one of its own, take arguments without running; raises click's errors."""
    if isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
        found = command.get_command(click.Context(command), arguments[0])
        if found is None:
            raise click.UsageError(f"there is no command {arguments[0]}")
        parse(found, arguments[1:])
    else:
        command.make_context(command.name or "", list(arguments))
