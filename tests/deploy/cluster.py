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

PATIENT_SECONDS = "600"
"""How long a server would drain and wait for calls in progress, which nothing here lets it do."""

ESTABLISHED = "01"
"""The state of a connection in /proc/net/tcp."""


@dataclass(frozen=True, slots=True)
class Timing:
    """What the manifests say, in seconds, all shortened by one factor, and the probed service."""

    drain_delay: float
    min_ready: float
    probe_period: float
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
            min_ready=deployment["minReadySeconds"] * factor,
            probe_period=probe["periodSeconds"] * factor,
            service=probe["grpc"]["service"],
        )


@dataclass(slots=True, eq=False)
class Pod:
    """A server, and what kubelet and the Deployment know of it."""

    server: ServerProcess
    channel: grpc.Channel
    is_ready: bool = False
    is_ending: bool = False

    @property
    def connections(self) -> int:
        """The open connections at the server's end."""
        _, _, port = self.server.grpc_address.rpartition(":")
        # Those of a server that listens for IPv6 too are all in the second.
        files = [Path("/proc/net", name) for name in ("tcp", "tcp6")]
        lines = [line for file in files if file.exists() for line in file.read_text().splitlines()]
        entries = [line.split()[1:4] for line in lines]
        return sum(
            local.endswith(f":{int(port):04X}") and state == ESTABLISHED
            for local, _, state in entries
        )


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

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._kubelet.join()
        self._resources.__exit__(*error)  # type: ignore[arg-type]

    def add(self) -> Pod:
        """Start a pod and wait until it is available."""
        patient = (
            "--drain-delay-seconds",
            PATIENT_SECONDS,
            "--stop-grace-seconds",
            PATIENT_SECONDS,
        )
        server = self._resources.enter_context(start_server(self._repository, *patient))
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
        """Tell a pod to end, and the list of endpoints that it does, at the same time.

        Its drain ends when those who read the list have left it, however long they take here.
        """
        pod.is_ending = True
        pod.server.process.terminate()
        # The connection that is left is the probe's.
        wait_for(lambda: not pod.is_ready and pod.connections == 1)
        # A second signal cuts the drain short.
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
                    pod.is_ready = self._is_serving(pod)
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

    def _is_serving(self, pod: Pod) -> bool:
        request = health_pb2.HealthCheckRequest(service=self._timing.service)
        try:
            # However long it takes: a server on a busy machine is not ill.
            answer = health_pb2_grpc.HealthStub(pod.channel).Check(request)
        except grpc.RpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
