"""A real Envoy that spreads gRPC calls over the addresses in a file, as gateways do over pods."""

import contextlib
import json
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx

from harness.waiting import PATIENCE_SECONDS, wait_for

TYPE = "type.googleapis.com/envoy"
MANAGER = f"{TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = f"{TYPE}.extensions.filters.http.router.v3.Router"
PROTOCOL = f"{TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions"
ENDPOINTS = f"{TYPE}.config.endpoint.v3.ClusterLoadAssignment"
PODS = "pods"


def write_endpoints(file: Path, addresses: Iterable[str]) -> None:
    """Tell Envoy which addresses, HOST:PORT, to send calls to from now on."""
    endpoints = [{"endpoint": {"address": _address(address)}} for address in addresses]
    groups = [{"lb_endpoints": endpoints}] if endpoints else []
    assignment = {"@type": ENDPOINTS, "cluster_name": PODS, "endpoints": groups}
    # Envoy looks again when a file is moved to this name, and at a whole one alone.
    written = file.with_suffix(".new")
    written.write_text(json.dumps({"resources": [assignment]}))
    written.rename(file)


@contextlib.contextmanager
def run_envoy(program: Path, endpoints: Path) -> Iterator[str]:
    """Run Envoy until the block ends; gives its address. It retries nothing."""
    folder = endpoints.parent
    config, admin = folder / "envoy.json", folder / "admin"
    config.write_text(json.dumps(_config(endpoints)))
    options = ["--disable-hot-restart", "--log-level", "warn", "--concurrency", "1"]
    command = [program, "-c", config, "--admin-address-path", admin, *options]
    with (folder / "envoy.log").open("w") as log:
        process = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log)
    try:
        # The file is there before its content.
        wait_for(lambda: process.poll() is not None or (admin.exists() and bool(admin.read_text())))
        assert process.poll() is None, (folder / "envoy.log").read_text()
        url = f"http://{admin.read_text()}"
        wait_for(lambda: httpx.get(f"{url}/ready", timeout=PATIENCE_SECONDS).status_code == 200)
        listeners = httpx.get(f"{url}/listeners?format=json", timeout=PATIENCE_SECONDS).json()
        (listener,) = listeners["listener_statuses"]
        found = listener["local_address"]["socket_address"]
        yield f"{found['address']}:{found['port_value']}"
    finally:
        process.terminate()
        process.wait()


def _config(endpoints: Path) -> dict[str, Any]:
    """Return Envoy's configuration: one free port, HTTP/2 on both sides, no retries, no checks."""
    router = {"name": "router", "typed_config": {"@type": ROUTER}}
    route = {"match": {"prefix": "/"}, "route": {"cluster": PODS, "timeout": "0s"}}
    manager = {
        "@type": MANAGER,
        "stat_prefix": "grpc",
        "codec_type": "HTTP2",
        "http_filters": [router],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
    }
    listener = {
        "name": "grpc",
        "address": _address("127.0.0.1:0"),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    http2 = {"@type": PROTOCOL, "explicit_http_config": {"http2_protocol_options": {}}}
    source = {"resource_api_version": "V3", "path_config_source": {"path": str(endpoints)}}
    cluster = {
        "name": PODS,
        "type": "EDS",
        "connect_timeout": "1s",
        "eds_cluster_config": {"eds_config": source},
        "typed_extension_protocol_options": {PROTOCOL.partition("/")[2]: http2},
    }
    return {
        # Envoy identifies itself to whoever tells it endpoints, even to a file.
        "node": {"id": "test", "cluster": "test"},
        "admin": {"address": _address("127.0.0.1:0")},
        "static_resources": {"listeners": [listener], "clusters": [cluster]},
    }


def _address(address: str) -> dict[str, Any]:
    host, _, port = address.rpartition(":")
    return {"socket_address": {"address": host, "port_value": int(port)}}
