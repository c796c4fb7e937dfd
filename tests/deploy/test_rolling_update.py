"""A rolling update under load loses no call, with the probes and the drain of the manifests."""

from pathlib import Path

import pytest

from exporter.mnist import Labels
from exporter.network import Batch
from tests.deploy.cluster import Cluster, Timing
from tests.deploy.envoy import run_envoy, write_endpoints
from tests.deploy.manifests import Manifest
from tests.server.callers import load
from tests.server.waiting import wait_for

PODS = 3
FACTOR = 0.15
"""All waits of the manifests are that much shorter: 1.5 s of drain in place of 10."""

PROPAGATION_SECONDS = 0.3
"""How long proxies take to learn of a change, which stands for 2 s; clusters take about 1."""


def test_all_pods_are_replaced_and_no_call_fails(
    lane: bool,
    built: dict[str, list[Manifest]],
    envoy: Path,
    repository: Path,
    digits: tuple[Batch, Labels],
    tmp_path: Path,
) -> None:
    if not lane:
        pytest.skip("the order of a stop is the same without the lane, see test_shutdown.py")
    timing = Timing.of(built["production"], FACTOR)
    endpoints = tmp_path / "endpoints.json"
    published: list[list[str]] = []

    def publish(addresses: list[str]) -> None:
        write_endpoints(endpoints, addresses)
        published.append(addresses)

    publish([])
    with Cluster(repository, timing, publish, PROPAGATION_SECONDS) as cluster:
        cluster.scale(PODS)
        wait_for(lambda: len(published[-1]) == PODS)
        with (
            run_envoy(envoy, endpoints) as address,
            # Neither Envoy nor the callers try a call twice.
            load(address, digits, 2, retries=False) as running,
        ):
            before = len(published)
            running.go_on(300)
            cluster.roll()
            running.go_on(300)
            during = published[before:]
        old, new = cluster.pods[:PODS], cluster.pods[PODS:]
        for pod in new:
            cluster.end(pod)
            # Nobody calls any more: a second signal cuts the drain short.
            pod.server.process.terminate()
        cluster.wait(new)
    running.check()
    # A surge of one, and never fewer than wanted.
    assert {len(addresses) for addresses in during} == {PODS, PODS + 1}
    stopped = [pod.server.wait_for("stopped") for pod in (*old, *new)]
    assert len(stopped) == 2 * PODS
    # What a server began it ended. Probes are calls too.
    assert all(line["calls_started"] == line["calls_handled"] > 100 for line in stopped)
    assert sum(line["calls_handled"] for line in stopped) > running.answered
