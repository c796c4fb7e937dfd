"""What a cluster does to pods during a rolling update, in small, with real servers on loopback.

The Deployment adds a pod, waits until it is available, ends an old one, and so on. Kubelet probes
readiness; the list of endpoints holds the pods that are ready and are not ending, and those who
read it learn of a change some time later.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from harness.server_process import ServerProcess, start_server
from harness.waiting import wait_for
from tests.deploy.manifests import Manifest, the


@dataclass(frozen=True, slots=True)
class Timing:
    """What the manifests say, in seconds, all shortened by one factor.

    How long a server may take to end is not among it: the server's own patience with a worker that
    does not end can't be shortened.
    """

    drain_delay: float
    stop_grace: float
    min_ready: float
    probe_period: float
    probe_timeout: float
    probe_failures: int
    service: str

    @classmethod
    def of(cls, manifests: list[Manifest], factor: float) -> Self:
        """Read the timing of a Deployment."""
        deployment = the(manifests, "Deployment")["spec"]
        assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
        (container,) = deployment["template"]["spec"]["containers"]
        variables = {v["name"]: v["value"] for v in container["env"]}
        probe = container["readinessProbe"]
        return cls(
            drain_delay=float(variables["MLPSERVE_DRAIN_DELAY_SECONDS"]) * factor,
            stop_grace=float(variables["MLPSERVE_STOP_GRACE_SECONDS"]) * factor,
            min_ready=deployment["minReadySeconds"] * factor,
            probe_period=probe["periodSeconds"] * factor,
            # A probe on a busy machine is no quicker for the factor.
            probe_timeout=probe["timeoutSeconds"],
            probe_failures=probe["failureThreshold"],
            service=probe["grpc"]["service"],
        )


@dataclass(slots=True, eq=False)
class Pod:
    """A server, and what kubelet and the Deployment know of it."""

    server: ServerProcess
    channel: grpc.Channel
    is_ready: bool = False
    is_ending: bool = False
    failures: int = 0


class Cluster:
    """Some pods, from the first to the end of the block."""

    def __init__(
        self,
        repository: Path,
        timing: Timing,
        publish: Callable[[list[str]], None],
        propagation_seconds: float,
    ) -> None:
        self.pods: list[Pod] = []
        self._repository, self._timing = repository, timing
        self._publish, self._propagation_seconds = publish, propagation_seconds
        self._resources = contextlib.ExitStack()
        self._over = threading.Event()
        self._kubelet = threading.Thread(target=self._probe)
        self._published: list[str] = []

    def __enter__(self) -> Self:
        self._kubelet.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._kubelet.join()
        self._resources.close()

    def add(self) -> Pod:
        """Start a pod and wait until it is available."""
        drain = ("--drain-delay-seconds", str(self._timing.drain_delay))
        grace = ("--stop-grace-seconds", str(self._timing.stop_grace))
        server = self._resources.enter_context(start_server(self._repository, *drain, *grace))
        # A connection for each: probes of one process would share one to the same address.
        channel = self._resources.enter_context(grpc.insecure_channel(server.grpc_address))
        pod = Pod(server, channel)
        self.pods.append(pod)
        wait_for(lambda: pod.is_ready)
        time.sleep(self._timing.min_ready)
        return pod

    def scale(self, pods: int) -> None:
        """Start as many pods and wait until all are available."""
        with ThreadPoolExecutor(pods) as pool:
            list(pool.map(lambda _: self.add(), range(pods)))

    def roll(self) -> None:
        """Replace all pods, one by one."""
        old = list(self.pods)
        for pod in old:
            self.add()
            self.end(pod)
        self.wait(old)

    def end(self, pod: Pod) -> None:
        """Tell a pod to end, and the list of endpoints that it does, at the same time."""
        pod.is_ending = True
        pod.server.process.terminate()

    def wait(self, pods: Collection[Pod]) -> None:
        """Wait until pods have ended by themselves."""
        assert [pod.server.process.wait(60) for pod in pods] == [0] * len(pods)

    def _probe(self) -> None:
        """Probe all pods each period, and publish the list when it has changed for long enough."""
        changes: list[tuple[float, list[str]]] = []
        probe_time = 0.0
        while not self._over.wait(0.01):
            now = time.monotonic()
            if now - probe_time >= self._timing.probe_period:
                probe_time = now
                for pod in list(self.pods):
                    self._note(pod, self._is_serving(pod))
            endpoints = [
                pod.server.grpc_address
                for pod in list(self.pods)
                if pod.is_ready and not pod.is_ending
            ]
            if endpoints != (changes[-1][1] if changes else self._published):
                changes.append((now + self._propagation_seconds, endpoints))
            while changes and now >= changes[0][0]:
                self._published = changes.pop(0)[1]
                self._publish(self._published)

    def _note(self, pod: Pod, is_serving: bool) -> None:
        pod.failures = 0 if is_serving else pod.failures + 1
        if is_serving:
            pod.is_ready = True
        elif pod.failures >= self._timing.probe_failures:
            pod.is_ready = False

    def _is_serving(self, pod: Pod) -> bool:
        request = health_pb2.HealthCheckRequest(service=self._timing.service)
        try:
            answer = health_pb2_grpc.HealthStub(pod.channel).Check(
                request, timeout=self._timing.probe_timeout
            )
        except grpc.RpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
