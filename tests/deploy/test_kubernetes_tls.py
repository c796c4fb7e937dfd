"""With the TLS component the server shows what is in the Secret, and soon what is renewed there."""

import ssl
from pathlib import Path

import httpx

from harness import certificate
from harness.certificate import Certificate
from harness.server_process import start_server
from harness.waiting import PATIENCE_SECONDS, wait_for
from tests.deploy.manifests import Manifest, server_of, settings_of

MOUNT = "/tls"


def write_secret(mount: Path, number: int, content: Certificate) -> None:
    """Write a Secret as kubelet mounts it: links through a link that is changed in one step."""
    version = mount / f"..{number}"
    version.mkdir()
    (version / "tls.crt").write_bytes(content.certificate)
    (version / "tls.key").write_bytes(content.key)
    (version / "tls.key").chmod(0o440)
    (mount / "..new").symlink_to(version.name)
    (mount / "..new").replace(mount / "..data")
    for name in ("tls.crt", "tls.key"):
        if not (mount / name).is_symlink():
            (mount / name).symlink_to(f"..data/{name}")


def test_a_renewed_secret_is_shown(
    built: dict[str, list[Manifest]], repository: Path, tmp_path: Path
) -> None:
    container = server_of(built["tls"])
    variables = settings_of(container)
    for name, value in variables.items():
        variables[name] = value.replace(f"{MOUNT}/", f"{tmp_path}/mount/")
    (tmp_path / "mount").mkdir()
    first, second = (certificate.make(tmp_path, name) for name in ("first", "second"))
    write_secret(tmp_path / "mount", 1, first)
    with start_server(repository, **variables) as server:
        host, _, port = server.grpc_address.rpartition(":")

        def shown() -> bytes:
            return ssl.get_server_certificate((host, int(port))).encode()

        assert shown() == first.certificate
        # Kubelet does not ask who a pod is either, nor does Prometheus here.
        with httpx.Client(verify=False, timeout=PATIENCE_SECONDS) as client:
            probes = ("startupProbe", "readinessProbe", "livenessProbe")
            asked = [container[probe]["httpGet"]["path"] for probe in probes]
            for path in (*asked, "/metrics", "/"):
                assert client.get(f"https://{server.http_address}{path}").status_code == 200
        write_secret(tmp_path / "mount", 2, second)
        wait_for(lambda: shown() == second.certificate)
        # A key that others could read would be warned of.
        assert [line["level"] for line in server.log if line["level"] != "info"] == []
