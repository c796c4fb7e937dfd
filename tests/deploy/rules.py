"""The rules of deploy/prometheus and their test cases, as far as tests look at them."""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from harness.server_process import ROOT

PROMETHEUS = ROOT / "deploy" / "prometheus"
RUNBOOK = ROOT / "docs" / "runbook.md"

_STRING = re.compile(r"\"[^\"]*\"|'[^']*'")
_MATCHERS = re.compile(r"\{[^}]*\}")
_GROUPING = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_DURATION = re.compile(r"\[[^]]*\]|\boffset\s+\w+")
_NAME = re.compile(r"(?<![\w:.])[a-zA-Z_:][\w:]*(?![\w:]*\s*\()")
_WORDS = {"and", "or", "unless", "bool", "offset", "by", "on", "sum", "min", "max"}


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: `alert` is empty for one that records, `record` for one that alerts."""

    record: str
    alert: str
    expression: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The alert's name with the labels that tell it from others of that name."""
        return " ".join([self.alert, *self.labels.values()])


@dataclass(frozen=True, slots=True)
class Case:
    """What a test case expects of an alert: the labels of each of its instances that fires."""

    alert: str
    firing: tuple[Mapping[str, str], ...]

    def fires(self, rule: Rule) -> bool:
        """Whether the rule is among them."""
        return any(rule.labels.items() <= labels.items() for labels in self.firing)


@functools.cache
def read_rules() -> list[Rule]:
    """Return all rules, in the order of their files."""
    groups = [group for file in rule_files() for group in _read(file)["groups"]]
    return [
        Rule(
            rule.get("record", ""),
            rule.get("alert", ""),
            rule["expr"],
            rule.get("labels", {}),
            rule.get("annotations", {}),
        )
        for group in groups
        for rule in group["rules"]
    ]


def alerting() -> list[Rule]:
    """Return the rules that alert."""
    return [rule for rule in read_rules() if rule.alert]


@functools.cache
def read_cases() -> list[Case]:
    """Return what the test cases expect of alerts."""
    return [
        Case(case["alertname"], tuple(expected["exp_labels"] for expected in case["exp_alerts"]))
        for file in case_files()
        for test in _read(file)["tests"]
        for case in test.get("alert_rule_test", ())
    ]


def rule_files() -> list[Path]:
    """Return the files of rules."""
    return sorted((PROMETHEUS / "rules").glob("*.yml"))


def case_files() -> list[Path]:
    """Return the files of test cases."""
    return sorted((PROMETHEUS / "tests").glob("*.yml"))


def queries() -> list[str]:
    """Return the queries that the runbook shows."""
    return re.findall(r"^    (.+)$", RUNBOOK.read_text(), re.MULTILINE)


def metrics_in(expression: str) -> set[str]:
    """Return the names of the metrics that a PromQL expression reads."""
    for part in (_STRING, _MATCHERS, _GROUPING, _DURATION):
        expression = part.sub(" ", expression)
    return set(_NAME.findall(expression)) - _WORDS


def _read(file: Path) -> Any:
    return yaml.safe_load(file.read_text())
