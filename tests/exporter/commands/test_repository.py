"""What deployers do with a repository: list its versions, retire some, and restore them."""

import re
from pathlib import Path

import pytest

from exporter.export import graph, publishing
from exporter.export.publishing import find_versions
from harness.networks import random_network
from tests.exporter.commands.test_cli import refused, run

MODEL = graph.build(random_network((4, 3)))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Versions 1, 2 and 10 of digits, which shipped, and version 1 of mine."""
    folder = tmp_path / "models"
    assert run("export", "--repository", folder).exit_code == 0
    for name, version in (("digits", 2), ("digits", 10), ("mine", 1)):
        publishing.publish(MODEL, folder, name, version)
    return folder


def listed(repository: Path) -> list[list[str]]:
    """Return model, version, state and accuracy of each line that `list` prints."""
    result = run("list", "--repository", repository)
    assert result.exit_code == 0, result.output
    heading, *lines = (re.split("  +", line) for line in result.stdout.splitlines())
    assert heading == ["MODEL", "VERSION", "STATE", "SIZE", "ACCURACY", "PUBLISHED"]
    return [[*line[:3], line[4]] for line in lines]


def test_list_shows_each_version_with_what_is_known_of_it(repository: Path) -> None:
    assert run("retire", "digits", "--version", "2", "--repository", repository).exit_code == 0
    (repository / "mine" / "1" / "model.onnx").write_bytes(b"no model")
    publishing.publish(MODEL, repository, "name").parents[1].rename(repository / "lost+found")
    assert listed(repository) == [
        ["digits", "1", "older", "97.39%"],
        ["digits", "10", "newest", "not measured"],
        ["digits", "2", "retired", "not measured"],
        ["mine", "1", "newest", "fails its checks"],
    ]


def test_list_of_nothing(tmp_path: Path) -> None:
    result = run("list", "--repository", tmp_path)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "holds no model; publish one with `export`" in result.stderr
    assert "none is not a folder; give --repository" in refused(
        "list", "--repository", tmp_path / "none"
    )


def test_going_back_to_the_previous_version_and_forth(repository: Path) -> None:
    where = ("--repository", repository)
    back = run("retire", "digits", "--version", "newest", *where)
    assert back.stdout == "retired digits, version 10; version 2 is the newest now\n"
    assert find_versions(repository / "digits") == [1, 2]
    forth = run("restore", "digits", *where)
    assert forth.stdout == "restored digits, version 10; version 10 is the newest now\n"
    assert find_versions(repository / "digits") == [1, 2, 10]


def test_a_model_is_retired_whole_and_restored_version_by_version(repository: Path) -> None:
    where = ("--repository", repository)
    result = run("retire", "digits", *where)
    assert result.stdout == "retired digits, version 1, 2, 10; the model is no longer served\n"
    # Servers retire a model whose folder is gone.
    assert not (repository / "digits").exists()
    assert "has no model 'digits' (it is retired); it has mine" in refused(
        "retire", "digits", *where
    )
    # The exporter of a container, which starts again with the stack.
    again = run("export", "--unless-published", *where)
    assert (again.exit_code, again.stdout) == (0, "")
    assert "digits is retired, so nothing is exported" in again.stderr
    assert run("restore", "digits", "--version", "2", *where).exit_code == 0
    assert find_versions(repository / "digits") == [2]
    assert run("export", "--unless-published", *where).stdout.endswith("digits/2/model.onnx\n")


def test_the_number_of_a_retired_version_is_not_given_again(repository: Path) -> None:
    target = ("--repository", repository, "--incompatible")
    assert run("retire", "digits", "--version", "10", *target[:2]).exit_code == 0
    line = refused("export", *target, "--version", "10")
    assert "10 was retired, and a version never changes; leave --version out" in line
    assert run("export", *target).stdout.endswith("digits/11/model.onnx\n")


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("retire digts", "has no model 'digts'; it has digits, mine"),
        ("retire digits --version 3", "3 of digits is not published; published: 1, 2, 10"),
        ("retire digts --version newest", "has no model 'digts'; it has digits, mine"),
        ("retire mine --version 1", "1 is the only one of mine; leave --version out to retire"),
        ("retire mine --version newest", "1 is the only one of mine; leave --version out"),
        ("retire ../mine", "has no model '../mine'"),
        ("restore mine", "has no retired version of 'mine'; nothing is retired"),
        ("restore ../mine", "has no retired version of '../mine'"),
    ],
)
def test_what_there_is_not_is_refused_with_what_there_is(
    repository: Path, command: str, told: str
) -> None:
    assert told in refused(*command.split(), "--repository", repository)
    assert find_versions(repository / "digits") == [1, 2, 10]
    assert find_versions(repository / "mine") == [1]


def test_the_only_model_is_retired_when_that_is_meant(repository: Path) -> None:
    where = ("--repository", repository)
    assert run("retire", "mine", *where).exit_code == 0
    line = refused("retire", "digits", *where)
    assert "digits is the only model of " in line
    assert "publish another first, or add --last" in line
    assert run("retire", "digits", "--last", *where).exit_code == 0
    assert "retired: digits, mine" in refused("restore", "none", *where)
    assert "3 of digits is not retired; retired: 1, 2, 10" in refused(
        "restore", "digits", "--version", "3", *where
    )


def test_a_version_that_is_there_again_is_not_replaced(repository: Path) -> None:
    where = ("--repository", repository)
    assert run("retire", "digits", "--version", "2", *where).exit_code == 0
    copy = repository / "digits" / "2"
    copy.mkdir()
    assert f"{copy} exists already; remove one of the two" in refused("restore", "digits", *where)


def test_a_version_is_a_number_or_the_newest(repository: Path) -> None:
    result = run("retire", "digits", "--version", "v2", "--repository", repository)
    assert result.exit_code == 2
    assert "--version: 'v2' is neither a number nor `newest`" in result.stderr
