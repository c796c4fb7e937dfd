"""The rules say what they should, read what there is, and each alert is tested and explained."""

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml

from deploy.prometheus import runbook
from harness.server_process import ROOT
from server.models.policy import read_policies
from tests.deploy import rules
from tests.deploy.rules import Rule
from tests.programs import need

OWN_PAGE = "{{ $externalURL }}/user/runbook.html"
RUNBOOK_URL = (
    f"{{{{ with $externalLabels.runbook }}}}{{{{ . }}}}{{{{ else }}}}{OWN_PAGE}{{{{ end }}}}"
)
UNSET = ("labels", "traffic", "shadow")


@pytest.fixture(scope="session")
def promtool() -> str:
    return need("promtool", "prometheus")


def check(command: Iterable[str | Path]) -> None:
    done = subprocess.run([*command], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_configuration_and_rules_are_valid(promtool: str) -> None:
    check([promtool, "check", "config", rules.PROMETHEUS / "prometheus.yml"])
    check([promtool, "check", "rules", "--lint-fatal", *rules.rule_files()])


@pytest.mark.parametrize("file", rules.case_files(), ids=lambda file: file.stem)
def test_cases(promtool: str, file: Path) -> None:
    check([promtool, "test", "rules", file])


@pytest.mark.parametrize("rule", rules.alerting(), ids=lambda rule: rule.name)
def test_each_alert_has_a_case_that_fires_and_one_that_stays_quiet(rule: Rule) -> None:
    cases = [case for case in rules.read_cases() if case.alert == rule.alert]
    assert {case.fires(rule) for case in cases} == {True, False}


@pytest.mark.parametrize("rule", rules.alerting(), ids=lambda rule: rule.name)
def test_each_alert_says_what_it_is(rule: Rule) -> None:
    assert rule.labels["severity"] in ("page", "ticket")
    assert set(rule.annotations) == {"summary", "description", "runbook_url"}
    assert "$value" in rule.annotations["description"]
    # What these become, promtool and a real Prometheus say.
    shown, anchor = rule.annotations["runbook_url"].split("#")
    assert shown == RUNBOOK_URL
    assert anchor in anchors()


def test_each_alert_has_a_section_of_the_runbook_and_each_section_an_alert() -> None:
    sections = re.findall(r"^## (\w+)$", rules.RUNBOOK.read_text(), re.MULTILINE)
    assert sections == list(dict.fromkeys(sections))
    assert set(sections) == {rule.alert for rule in rules.alerting()}
    assert anchors() == ["runbook", *map(str.lower, sections)]


def anchors() -> list[str]:
    """Return what a link can name of the page of the runbook, in order."""
    return re.findall(r'<h[1-6] id="([^"]+)"', runbook.PAGE.read_text())


def test_the_page_of_the_runbook_is_current() -> None:
    page = runbook.PAGE.read_text()
    assert page == runbook.render(), "python -m deploy.prometheus writes it again"
    # Files of the repository are not served with it.
    links = re.findall(r'href="([^"]+)"', page)
    assert {link[0] for link in links} <= {"#", "h"}
    assert {link[1:] for link in links if link.startswith("#")} <= set(anchors())


def test_settings_of_the_runbook_can_be_read() -> None:
    found = re.findall(r'--(labels|traffic) "(.+?)"', rules.RUNBOOK.read_text())
    assert {setting for setting, _ in found} == {"labels", "traffic"}
    for setting, text in found:
        policies = read_policies("latest 1", **dict.fromkeys(UNSET, "") | {setting: text})
        assert policies.named == ["digits"]


def test_what_is_counted_in_steps_is_recorded_in_such_steps() -> None:
    """Numbers of bad calls are sums of rates, multiplied by the seconds between two of them."""
    groups = yaml.safe_load((rules.PROMETHEUS / "rules" / "recording.yml").read_text())["groups"]
    (slo,) = (group for group in groups if group["name"] == "slo")
    assert slo["interval"] == "30s"
    counts = [rule["expr"] for rule in slo["rules"] if ":increase" in rule["record"]]
    assert len(counts) == 4
    assert all(count.startswith("30 * sum_over_time(") for count in counts)


def test_servers_are_found_by_the_name_that_compose_gives_them() -> None:
    config = yaml.safe_load((rules.PROMETHEUS / "prometheus.yml").read_text())
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    (job,) = (job for job in config["scrape_configs"] if job["job_name"] == "mlpserve")
    (discovery,) = job["dns_sd_configs"]
    (name,) = discovery["names"]
    assert (name in compose["services"], discovery["port"]) == (True, 8080)
