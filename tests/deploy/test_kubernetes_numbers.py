"""Every number on the page about Kubernetes, and in the manifests' comments, is that of the
manifests, the server and the tests.

A phrase has braces for its numbers, which are filled in here and looked for; a number that is in no
phrase fails.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.server_process import ROOT
from server.models.watcher import RESCAN_SECONDS
from server.settings.settings import Settings
from server.supervisor.supervisor import END_SECONDS
from tests.deploy import test_rolling_update as rolling
from tests.deploy.manifests import Manifest, server_of, server_pod, settings_of, the
from tests.deploy.test_kubernetes import NEWEST, OLDEST
from tests.documents import pages

PAGE = "docs/deploying-kubernetes.md"
MANIFESTS = [ROOT / "deploy" / "kubernetes", ROOT / "deploy" / "kserve"]
NAMES = ("three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
WORDS = dict(enumerate(NAMES, 3))
NUMBER = re.compile(rf"(?<![\w.-])\d[\d,.]*|\b(?:{'|'.join(NAMES)})\b", re.IGNORECASE)

Built = dict[str, list[Manifest]]
Phrases = Mapping[str, tuple[Any, ...]]
"""Phrases, and the numbers in them: integers, or texts as they stand there."""


def prose(page: str) -> str:
    """Return what a page says, without its programs, the targets of its links and its numbering."""
    text = re.sub(r"^ *```.*?^ *```$", "", page, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    return " ".join(re.sub(r"^\d+\. ", "", text, flags=re.MULTILINE).split())


def comments(folders: list[Path]) -> str:
    """Return the comments of all manifests that are written by hand."""
    files = [file for folder in folders for file in sorted(folder.rglob("*.yaml"))]
    lines = [
        line for f in files if "written by" not in (t := f.read_text()) for line in t.splitlines()
    ]
    found = [re.fullmatch(r"\s*# ?(.*)", line) for line in lines]
    return " ".join(match[1] for match in found if match)


def unexplained(text: str, phrases: Phrases) -> list[str]:
    """Return the numbers outside the phrases, each with what is around it; fails if a phrase is not
    there with these numbers.
    """
    for phrase, values in phrases.items():
        filled = phrase.format(*values)
        assert filled in text, f"wanted: {filled}"
        text = text.replace(filled, "")
    return [text[max(0, n.start() - 40) : n.end() + 20] for n in NUMBER.finditer(text)]


def number_in(pattern: str, file: str) -> str:
    """Return the number that a comment of a manifest gives."""
    (found,) = re.findall(pattern, (ROOT / "deploy" / file).read_text())
    return str(found)


@pytest.fixture(scope="module")
def values(built: Built) -> dict[str, Any]:
    """What the manifests say, by what the phrases call it."""
    production = built["production"]
    scaled = the(built["scale-on-calls"], "HorizontalPodAutoscaler")["spec"]
    cpu, calls = scaled["metrics"]
    container, pod = server_of(production), server_pod(production)
    settings = settings_of(container)
    drain, grace = (
        int(settings[f"MLPSERVE_{name}_SECONDS"]) for name in ("DRAIN_DELAY", "STOP_GRACE")
    )
    limits, requests = (container["resources"][key]["cpu"] for key in ("limits", "requests"))
    assert (int(limits.removesuffix("m")), int(requests)) == (1500, 1)
    return {
        "fewest": scaled["minReplicas"],
        "most": scaled["maxReplicas"],
        "share": cpu["resource"]["target"]["averageUtilization"],
        "calls": calls["pods"]["target"]["averageValue"],
        "limit": int(limits.removesuffix("m")),
        "core": int(requests) * 1000,
        "drain": drain,
        "grace": grace,
        "total": pod["terminationGracePeriodSeconds"],
        "age": int(settings["MLPSERVE_MAX_CONNECTION_AGE_SECONDS"]) // 60,
        "message": int(settings["MLPSERVE_MAX_MESSAGE_BYTES"]),
        "ports": [port["containerPort"] for port in container["ports"]],
    }


def test_the_page_has_the_numbers_of_the_manifests(values: dict[str, Any], built: Built) -> None:
    grpc, http = values["ports"]
    fewest, most = WORDS[values["fewest"]], WORDS[values["most"]]
    kserve = number_in(r"Up to KServe ([\d.]+) ", "kserve/inference-service.yaml")
    newer = ".".join(str(int(part) + place) for place, part in enumerate(kserve.split(".")))
    images = number_in(
        r"Kubernetes ([\d.]+) or newer",
        "kubernetes/components/models-from-image/kustomization.yaml",
    )
    api = number_in(r"Gateway API ([\d.]+)\.\n", "kubernetes/base/optional/backend-tls.yaml")
    phrases = {
        "Kubernetes and kubectl {} or newer": (OLDEST,),
        "{} pods, or with `autoscaling` {} to {}, spread": (fewest.capitalize(), fewest, most),
        "pods by CPU: {}% of the core": (values["share"],),
        "calls in progress, {} in each on average": (values["calls"],),
        "with `tls` Gateway API {} and": (api,),
        "models from an image | Kubernetes {} |": (images,),
        "pods: `Init:0/{}`": (len(server_pod(built["models-from-volume"])["initContainers"]),),
        "of the limit of {}m, the worker has one whole core, and half a core": (values["limit"],),
        "give two workers {}m": (values["limit"] + values["core"],),
        "serves for {} more seconds, gives calls in progress up to {} s": (
            values["drain"],
            values["grace"],
        ),
        "is the sum plus {} s": (values["total"] - values["drain"] - values["grace"],),
        "replaces {} servers behind Envoy with these times, shortened to {:.0%},": (
            WORDS[rolling.PODS],
            rolling.FACTOR,
        ),
        "`mlpserve:{}` is one address": (grpc,),
        "closed after about {} minutes": (WORDS[values["age"]],),
        "they check every {:.0f} s, because": (RESCAN_SECONDS,),
        "<http://localhost:{}> shows": (http,),
        "KServe {} or newer, or {} with": (newer, kserve),
        "Port 80 of the model's service is gRPC, and {} is HTTP": (http,),
    }
    assert unexplained(prose(pages.text(PAGE)), phrases) == []


def test_comments_have_the_numbers_of_the_manifests(values: dict[str, Any]) -> None:
    spare = values["total"] - values["drain"] - values["grace"] - END_SECONDS
    mib = values["message"] // 2**20
    phrases = {
        "{} pods over zones": (WORDS[values["fewest"]].capitalize(),),
        "drain delay ({} s), those in progress may end within the grace ({} s)": (
            values["drain"],
            values["grace"],
        ),
        "ended after {:.0f} s more; {:.0f} s are to spare": (END_SECONDS, spare),
        "The drain of the runtime, and {:.0f} s to spare": (spare,),
        "{} MiB hold {:,} images": (mib, Settings().max_batch_size),
        "hangs (after {:.0f} s)": (Settings().worker_timeout_seconds,),
        "dns:///mlpserve-headless:{} with": (values["ports"][0],),
        # KServe's own.
        "The first is port 80": (),
        "first is HTTP/2": (),
        # From when on other programs have what is used.
        "Up to KServe 0.15 it is called": (),
        "Gateway API 1.1 or newer": (),
        "Needs Gateway API 1.4.": (),
        "Kubernetes 1.35 or newer, and containerd 2.1 or CRI-O 1.33.": (),
        "speak TLS only from Kubernetes {} on": (NEWEST,),
    }
    assert unexplained(comments(MANIFESTS), phrases) == []


def test_a_number_that_nothing_explains_is_found() -> None:
    assert unexplained("It takes 10 s, of which", {"takes {} s": (10,)}) == []
    assert unexplained("It takes 10 s, twelve times", {"takes {} s": (10,)}) != []
    with pytest.raises(AssertionError, match="wanted: takes 5 s"):
        unexplained("It takes 10 s", {"takes {} s": (5,)})
