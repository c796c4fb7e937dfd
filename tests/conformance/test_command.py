"""The command says what became of each rule, to readers and to programs."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from harness.server_process import ROOT
from tests.conformance.command import main
from tests.conformance.faults import FAULTS, MODEL
from tests.conformance.faulty import Faulty, serve
from tests.conformance.reference import Reference
from tests.conformance.rules import RULES
from tests.test_rooms import imported

TOPS = ("mlpserve", "server", "harness", "modelfile", "exporter", "tests")
ALLOWED = ("mlpserve.inference", "tests.conformance")


@pytest.fixture(scope="module")
def faulty() -> Iterator[Faulty]:
    with serve() as running:
        yield running


@pytest.fixture(autouse=True)
def fresh(faulty: Faulty) -> None:
    faulty.reference, faulty.faults = Reference(), ()


def run(faulty: Faulty, *options: str, model: str = MODEL) -> Result:
    return CliRunner().invoke(main, [faulty.address, "--model", model, *options])


def test_table_has_each_rule_and_its_sentence(faulty: Faulty) -> None:
    ended = run(faulty, "--change-models")
    assert ended.exit_code == 0, ended.output
    for rule in RULES:
        assert rule.name in ended.output
        assert rule.sentence in ended.output
    assert f"{len(RULES)} rules: {len(RULES) - 2} passed, 0 failed, 2 skipped" in ended.output
    assert "the model has no inputs of BYTES" in ended.output


def test_a_broken_rule_is_told_with_its_reason(faulty: Faulty) -> None:
    faulty.faults = tuple(FAULTS["infer.id-is-returned"][:1])
    ended = run(faulty, "--only", "infer.*id*", "--skip", "infer.any-*")
    assert ended.exit_code == 1
    assert "failed  infer.id-is-returned" in ended.output
    assert "the id is '' and not 'request 42'" in ended.output
    assert "1 passed, 1 failed" in ended.output or "2 passed, 1 failed" in ended.output


def test_rules_of_missing_extensions_are_skipped_together(faulty: Faulty) -> None:
    faulty.reference.extensions = ("classification",)
    ended = run(faulty)
    assert ended.exit_code == 0
    assert "the server does not list the extension statistics" in ended.output
    count = sum(rule.extension == "statistics" for rule in RULES)
    assert f"{count} rules" in ended.output
    assert "statistics.waits-are-counted" not in ended.output
    assert "passed  classification.highest-comes-first" in ended.output


def test_extensions_may_be_checked_that_are_not_listed(faulty: Faulty) -> None:
    faulty.reference.extensions = ()
    ended = run(faulty, "--extension", "classification", "--extension", "statistics")
    assert ended.exit_code == 0
    assert "passed  statistics.waits-are-counted" in ended.output
    assert "passed  classification.highest-comes-first" in ended.output
    assert "does not list the extension model_repository" in ended.output


def test_json_has_all_of_it(faulty: Faulty) -> None:
    faulty.faults = tuple(FAULTS["metadata.server-has-a-name"])
    ended = run(faulty, "--json")
    assert ended.exit_code == 1
    found = json.loads(ended.output)
    assert [rule["name"] for rule in found["rules"]] == [rule.name for rule in RULES]
    assert (found["model"], found["failed"]) == (MODEL, 1)
    (failed,) = (rule for rule in found["rules"] if rule["outcome"] == "failed")
    assert (failed["name"], failed["reason"]) == ("metadata.server-has-a-name", "the name is empty")
    counts = {one: found[one] for one in ("passed", "failed", "skipped")}
    assert sum(counts.values()) == len(RULES)
    unloading = [rule["reason"] for rule in found["rules"] if "unload" in rule["name"]]
    assert all("--change-models" in reason for reason in unloading)


def test_a_version_and_zeros_may_be_asked_for(faulty: Faulty) -> None:
    ended = run(faulty, "--version", "1", "--zeros")
    assert ended.exit_code == 0, ended.output
    assert "the model answers different inputs alike" in ended.output


def test_shapes_fill_what_metadata_leaves_open(faulty: Faulty) -> None:
    ended = run(faulty, "--shape", "a:3,2", "--only", "infer.made-*")
    assert ended.exit_code == 1
    assert "refused: size" in ended.output


@pytest.mark.parametrize("shape", ["a", "a:", "a:0", "a:2,-3", "2,3"])
def test_a_shape_that_is_none_is_explained(faulty: Faulty, shape: str) -> None:
    ended = run(faulty, "--shape", shape)
    assert ended.exit_code == 2
    assert "such as image:3,224,224" in ended.output


def test_rules_can_be_listed_without_a_server() -> None:
    ended = CliRunner().invoke(main, ["nowhere:1", "--model", "x", "--list"])
    assert ended.exit_code == 0
    assert all(f"{rule.name}\n" in ended.output for rule in RULES)


def test_whoever_can_not_be_asked_is_told_apart(faulty: Faulty) -> None:
    ended = run(faulty, model="nonsense")
    assert ended.exit_code == 2
    assert "can't be asked: NOT_FOUND" in ended.output
    # Port 1 has nobody.
    ended = CliRunner().invoke(main, ["127.0.0.1:1", "--model", MODEL, "--timeout", "5"])
    assert ended.exit_code == 2
    assert "127.0.0.1:1 can't be asked: UNAVAILABLE" in ended.output


def test_a_pattern_without_rules_is_an_error(faulty: Faulty) -> None:
    ended = run(faulty, "--only", "nonsense.*")
    assert ended.exit_code == 2
    assert "no rule matches" in ended.output


def test_help_says_what_exit_codes_mean() -> None:
    command = [sys.executable, "-m", "tests.conformance", "--help"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    words = " ".join(ended.stdout.split())
    assert words.startswith("Usage: python -m tests.conformance [OPTIONS] ADDRESS")
    assert "Exits with 0 when no rule is broken" in words


def test_the_suite_knows_nothing_of_this_server() -> None:
    """So that it can be pointed at any."""
    own = ("command", "rule", "subject", "calls", "tensors")
    folder = ROOT / "tests" / "conformance"
    for file in (*(folder / f"{name}.py" for name in own), *(folder / "rules").glob("*.py")):
        found = {name for name in imported(file) if name.count(".") and name.split(".")[0] in TOPS}
        assert all(name.startswith(ALLOWED) for name in found), (file, found)
