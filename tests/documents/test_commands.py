"""Every command, option and variable of this repository that a page names is there."""

import itertools
import re
import shlex
from collections.abc import Iterator
from dataclasses import fields

import click
import pytest

from harness.server_process import ROOT
from server.settings.settings import Settings
from tests.documents import commands, pages
from tests.documents.commands import Command, commands_of, fault_of

PAGES = (*pages.names(), "examples/README.md")

FOREIGN = {
    "curl": ("--compressed", "--data-binary"),
    "docker": ("--build-arg", "--env", "--env-file", "--secret", "--stop-timeout"),
    "perf_analyzer": ("--async", "--request-rate-range", "--streaming"),
    "prometheus": (
        "--enable-feature",
        "--storage.tsdb.retention.time",
        "--web.external-url",
        "--web.user-assets",
    ),
}
"""Options of other programs that stand alone in a text."""


def options_of(command: click.Command) -> Iterator[str]:
    """Yield every option of a command and of its commands."""
    for parameter in command.params:
        yield from (*parameter.opts, *parameter.secondary_opts)
    if isinstance(command, click.Group):
        for other in command.commands.values():
            yield from options_of(other)


def test_commands_are_there_and_take_their_arguments() -> None:
    found = [command for page in PAGES for command in commands_of(page)]
    assert not [f"{command}: {fault}" for command in found if (fault := fault_of(command))]
    ours = [command for command in found if any(word.startswith(".venv") for word in command.words)]
    assert len(ours) > 100


# These run for minutes or hours, or download. Tests of the programs run each of them with less.
LONG = [
    *pages.blocks("docs/benchmarks.md"),
    pages.block("docs/page.md", "benchmarks.drawn_digits"),
]


def test_long_commands_take_their_arguments() -> None:
    """They are not run here."""
    for block in LONG:
        found = [words for line in block.text.splitlines() for words in commands.split(line)]
        ours = [Command(block.page, words, is_pasted=True) for words in found if words]
        assert ours
        assert not [fault for fault in map(fault_of, ours) if fault]


def test_the_command_on_the_page_for_drawing() -> None:
    html = (ROOT / "server" / "http" / "static" / "index.html").read_text()
    (line,) = re.findall(r">([^<>]*-m exporter[^<>]*)<span", html)
    words = (*shlex.split(line.replace("\\\n", "")), "FILE")
    assert words[-2:] == ("--weights", "FILE")
    assert not fault_of(Command("/", words, is_pasted=True))


def test_options_within_the_text_are_there() -> None:
    of_modules = map(commands.click_command, (*commands.MODULES, *commands.BENCHMARKS))
    known = {option for command in of_modules for option in options_of(command)}
    known |= {"--help", "--version", *itertools.chain.from_iterable(FOREIGN.values())}
    unknown = {
        f"{page}: {code}"
        for page in PAGES
        for code in commands.codes_of(page)
        if (option := re.match(r"--[a-z][\w.-]*", code)) and option[0] not in known
    }
    assert not unknown


def test_variables_are_settings() -> None:
    known = {f"MLPSERVE_{setting.name.upper()}" for setting in fields(Settings)}
    named = {
        variable for page in PAGES for variable in re.findall(r"MLPSERVE_[A-Z_]+", pages.text(page))
    }
    assert len(named) > 5
    assert not named - known - {"MLPSERVE_MNIST"}


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (".venv/bin/mlpserve predict examples/digits/7.png --format json", ""),
        (".venv/bin/mlpserve predict examples/digits/77.png", "there is no examples/digits/77.png"),
        (".venv/bin/mlpserve guess 7.png", "there is no command guess"),
        (".venv/bin/mlpserve predict 7.png --nothing", "No such option '--nothing'"),
        (".venv/bin/mlpserve predict", "Missing argument 'IMAGE...'"),
        ("mlpserve predict 7.png", "does not begin with .venv/bin/"),
        ("python -m server", "does not begin with .venv/bin/"),
        ("docker exec mlpserve python -m server health", ""),
        (".venv/bin/python -m server --workers many", "Invalid value for '--workers'"),
        (".venv/bin/python -m server --workers N", ""),
        (".venv/bin/python -m server.nothing", "No module named 'server.nothing'"),
        (".venv/bin/python -m tests.generate_stubs now", "Got unexpected extra argument (now)"),
        (".venv/bin/python -m pytest tests/test_nothing.py", "there is no tests/test_nothing.py"),
        ("make up SERVERS=3", ""),
        ("make everything", "make has no everything"),
    ],
)
def test_what_is_wrong_with_a_command_is_found(line: str, fault: str) -> None:
    found = fault_of(Command("page", tuple(line.split()), is_pasted=True))
    assert found.startswith(fault) if fault else not found
