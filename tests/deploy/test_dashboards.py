"""Dashboards, their page and their pictures are current, and complete without asking Prometheus."""

import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deploy.grafana import pictures, writing
from deploy.grafana.page import picture_of
from deploy.grafana.panels import DATASOURCE
from deploy.grafana.reading import Panel, read
from deploy.grafana.rendering import scene, units
from harness.server_process import ROOT
from tests.programs import need

GRAFANA = ROOT / "deploy" / "grafana"
WRITTEN = writing.files()
FILES = [file for file in WRITTEN if file.suffix == ".json"]
SECTIONS = [(file, section) for file in FILES for section in read(file).sections]
PANELS = [(file.stem, panel) for file in FILES for panel in read(file).panels]
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
    assert units.format_value(1.0, panel.unit)
    assert all(target.legend for target in panel.targets)


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


@pytest.mark.parametrize(
    ("file", "section"), SECTIONS, ids=[f"{file.stem}: {name}" for file, name in SECTIONS]
)
def test_pictures_show_the_panels_that_there_are(file: Path, section: str) -> None:
    picture = writing.PICTURES / picture_of(file.stem, section)
    panels = [panel for panel in read(file).panels if panel.section == section]
    with Image.open(picture) as image:
        drawn = image.info["Description"]
    assert drawn == pictures.fingerprint(panels), "python -m deploy.grafana.pictures draws them"
    assert picture.stat().st_size < 150_000


@pytest.mark.parametrize(
    ("value", "unit", "spelt"),
    [
        (0.000225, "s", "225 µs"),
        (0.0042, "s", "4.2 ms"),
        (0.0, "s", "0 s"),
        (7200.0, "s", "2 h"),
        (1234.0, "short", "1.23 K"),
        (-0.5, "short", "-0.5"),
        (0.9991, "percentunit", "99.9%"),
        (3.0 * 2**20, "bytes", "3 MiB"),
        (12.0, "reqps", "12/s"),
        (float("inf"), "s", "∞"),
    ],
)
def test_units_are_spelt_as_grafana_does(value: float, unit: str, spelt: str) -> None:
    assert units.format_value(value, unit) == spelt


def test_the_scene_of_the_pictures_can_be_set(tmp_path: Path) -> None:
    need("openssl", "openssl")
    with scene.serve(tmp_path) as served, served.connect("nightly") as client:
        assert client.predict(np.zeros((2, 784), np.float32)).model == "digits"
        (model,) = client.list_models()
        assert [version.version for version in model.versions if version.is_loaded] == [1]
    assert served.process.returncode == 0
