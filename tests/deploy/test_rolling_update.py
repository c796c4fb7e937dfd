"""A rolling update under load loses no call, with the probes and the drain of the manifests."""

from pathlib import Path

import numpy as np

from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.callers import load
from harness.scrape import value
from harness.server_process import ServerProcess
from harness.waiting import wait_for
from mlpserve import Client
from tests.deploy.cluster import Cluster, Timing
from tests.deploy.envoy import run_envoy, write_endpoints
from tests.deploy.manifests import Manifest

HANDLED = "grpc_server_handled_total"
PODS = 3
FACTOR = 0.15
"""All waits of the manifests are that much shorter."""

PROPAGATION_SECONDS = 0.3
"""How long proxies take to learn of a change, which stands for 2 s; clusters take about 1."""

SAFETY = 4
"""How many times as long a pod has to drain."""


def test_all_pods_are_replaced_and_no_call_fails(
    built: dict[str, list[Manifest]],
    envoy: Path,
    repository: Path,
    digits: tuple[Batch, Labels],
    tmp_path: Path,
) -> None:
    timing = Timing.of(built["production"], FACTOR)
    assert timing.drain_delay > SAFETY * PROPAGATION_SECONDS
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
            # Neither Envoy nor the callers try a call twice. They leave some of a small machine to
            # the servers that start.
            load(address, digits, 4, retries=False, pause_seconds=0.005) as running,
        ):
            before = len(published)
            running.go_on(300)
            cluster.roll()
            running.go_on(300)
            during = published[before:]
        old, new = cluster.pods[:PODS], cluster.pods[PODS:]
        balance([pod.server for pod in new])
        for pod in new:
            cluster.end(pod)
        cluster.wait(new)
    failed = len(running.failed)
    print(f"{running.sent} sent, {running.answered} answered, {failed} failed, {running.lost} lost")
    running.check()
    # A surge of one, and never fewer than wanted.
    assert {len(addresses) for addresses in during} == {PODS, PODS + 1}
    stopped = [pod.server.wait_for("stopped") for pod in (*old, *new)]
    assert len(stopped) == 2 * PODS
    # What a server began it ended. Probes are calls too.
    assert all(line["calls_started"] == line["calls_handled"] > 0 for line in stopped)
    assert sum(line["calls_handled"] for line in stopped) > running.answered


def balance(servers: list[ServerProcess]) -> None:
    """Call servers as a caller does that balances by itself, until each has got calls."""

    def answered() -> list[float]:
        return [value(server, HANDLED, grpc_method="Predict") for server in servers]

    before = answered()
    # What the headless service's name stands for.
    address = "ipv4:" + ",".join(server.grpc_address for server in servers)
    with Client(address, options={"grpc.lb_policy_name": "round_robin"}) as client:

        def all_have_calls() -> bool:
            client.predict(np.zeros(784, np.uint8))
            return all(now > then for now, then in zip(answered(), before, strict=True))

        wait_for(all_have_calls)
