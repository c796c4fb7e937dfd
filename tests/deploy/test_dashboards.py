"""Dashboards and their page are current, and complete without asking Prometheus."""

import itertools
import json
import re
from pathlib import Path

import pytest

from deploy.grafana import units, writing
from deploy.grafana.panels import DATASOURCE
from deploy.grafana.reading import Panel, read
from harness.server_process import ROOT
from server.telemetry.metrics import HANDLING_SECONDS, PREDICTION_SECONDS
from tests.colours import EYES, apart, linear
from tests.deploy import rules

GRAFANA = ROOT / "deploy" / "grafana"
WRITTEN = writing.files()
FILES = [file for file in WRITTEN if file.suffix == ".json"]
PANELS = [(file.stem, panel) for file in FILES for panel in read(file).panels]
MIN_APART = 0.05
"""In Oklab, between the colours of a panel: more than twice what is just noticed."""

RATE = re.compile(r"sum( by \([^)]*\))? \(rate\((?P<counter>\w+)")

each_panel = pytest.mark.parametrize(
    "panel", [pytest.param(panel, id=f"{name}: {panel.title}") for name, panel in PANELS]
)


@pytest.mark.parametrize("file", WRITTEN, ids=lambda file: file.name)
def test_files_are_what_the_code_writes(file: Path) -> None:
    assert file.read_text() == WRITTEN[file], "make dashboards writes them again"


def test_no_other_files_are_read_by_grafana() -> None:
    assert sorted((GRAFANA / "dashboards").glob("*.json")) == sorted(FILES)


@each_panel
def test_panel_says_what_it_shows(panel: Panel) -> None:
    assert panel.description.endswith(".")
    assert len(panel.description) > 40
    assert all(target.legend for target in panel.targets)


@each_panel
def test_panel_says_its_unit(panel: Panel) -> None:
    """Grafana shows the number alone, and says nothing, for a unit that it does not know."""
    assert units.in_words(panel.unit) or panel.axis or panel.kind == "table"
    for target in panel.targets:
        rate = RATE.match(target.expression)
        if rate is None or " / " in target.expression:
            assert panel.unit != units.PER_SECOND, target.expression
        else:
            # Seconds of a processor in a second are a share of it.
            is_share = rate["counter"].endswith("_seconds_total")
            assert panel.unit == (units.SHARE if is_share else units.PER_SECOND)


def test_the_page_says_each_unit() -> None:
    found = re.findall(r"^\| (.+?) \| (.+?) \| .+ \|$", writing.PAGE.read_text(), re.MULTILINE)
    shown = [unit for panel, unit in found if panel not in ("panel", "---")]
    expected = [units.in_words(panel.unit) or panel.axis for _, panel in PANELS]
    assert [unit.strip() for unit in shown] == [unit for unit in expected if unit]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_colours_of_a_panel_are_told_apart(file: Path) -> None:
    """Also by the colour-blind."""
    found = 0
    for panel in json.loads(file.read_text())["panels"]:
        codes = sorted(set(re.findall(r'olor": "(#\w{6})"', json.dumps(panel))))
        found += len(codes)
        for one, other in itertools.combinations(codes, 2):
            for eyes in EYES:
                assert apart(linear(one), linear(other), eyes) >= MIN_APART, (eyes, one, other)
    assert found > 3


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_panels_have_places_of_their_own(file: Path) -> None:
    board = json.loads(file.read_text())
    numbers = [each["id"] for each in board["panels"]]
    assert numbers == sorted(set(numbers))
    taken = [
        (x, y)
        for place in (each["gridPos"] for each in board["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) == 23


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_queries_use_the_variables_that_there_are(file: Path) -> None:
    board = read(file)
    names = [variable.name for variable in board.variables]
    used = {
        name
        for panel in board.panels
        for target in panel.targets
        for name in re.findall(r"\$(\w+)", target.expression)
    }
    assert used - {"__rate_interval"} == set(names)
    for variable, before in zip(board.variables, itertools.accumulate(names), strict=True):
        for name in re.findall(r"\$(\w+)", variable.metric):
            assert name in before, "a variable may only use those before it"


def test_the_datasource_is_provisioned() -> None:
    provisioned = (GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text()
    assert f"uid: {DATASOURCE.uid}\n" in provisioned
    assert {uid for file in FILES for uid in read(file).datasources} == {DATASOURCE.uid}


def test_rates_are_as_long_as_scrapes_need() -> None:
    """Grafana makes `$__rate_interval` from it."""
    provisioned = (GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text()
    prometheus = (ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text()
    (interval,) = re.findall(r"timeInterval: (\w+)", provisioned)
    assert re.findall(r"scrape_interval: (\w+)", prometheus) == [interval]


def test_durations_show_the_calls_that_have_traces() -> None:
    """The server gives exemplars to these; over a share, dots of seconds would be nonsense."""
    buckets = {f"{its.name}_bucket" for its in (HANDLING_SECONDS, PREDICTION_SECONDS)}
    shown: set[str] = set()
    for panel in (each for file in FILES for each in json.loads(file.read_text())["panels"]):
        kind = panel["type"], panel.get("fieldConfig", {}).get("defaults", {}).get("unit")
        has_dots = kind in (("timeseries", "s"), ("heatmap", "s"))
        for target in panel.get("targets", ()):
            expected = buckets & rules.metrics_in(target["expr"]) if has_dots else set()
            assert target.get("exemplar", False) == bool(expected), panel["title"]
            shown |= expected
    assert shown == buckets
