"""`python -m server health`: asks the server that has these settings whether it can be used."""

import contextlib
import socket
import ssl
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

import click
import grpc
from grpc_health.v1 import health_pb2

from server.errors import StartupError
from server.files.hostnames import names_of
from server.settings.addresses import UNIX, UNIX_ABSTRACT, is_socket, split_address
from server.settings.flags import ENVIRONMENT_PREFIX, SettingsCommand, settings_options
from server.settings.settings import MAX_SECONDS, Number, Settings

SERVICE = "mlpserve.v1.Classifier"
"""Written out here, as its module takes longer to import than the whole check."""

READY = "/readyz"
LONGEST_LINE = 128

LOOPBACK = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104
"""What stands for all addresses of a machine, and the one that a process on it can call."""


@click.command(
    cls=SettingsCommand,
    context_settings={"auto_envvar_prefix": ENVIRONMENT_PREFIX, "max_content_width": 110},
)
@settings_options
@click.option(
    "--predict",
    is_flag=True,
    help="Ask for a prediction of a blank image too, unless the server wants tokens, or "
    "certificates of another authority: none is meant for this.",
)
@click.option(
    "--once",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With --predict: a file that notes a prediction that was answered, after which there are "
    "no further ones, as they would count among those of callers. It should not outlast the "
    "server: in a container, put it on a tmpfs.",
)
@click.option(
    "--timeout-seconds",
    type=Number(0, MAX_SECONDS, min_open=True),
    default=2.0,
    show_default=True,
    help="How long each question may take.",
)
def health_command(predict: bool, once: Path | None, timeout_seconds: float, **values: Any) -> None:
    """Ask a server on this machine whether it is ready; the exit code is 0 if it is, else 1.

    Give it the settings that the server has: it finds the server by its address, and trusts its
    certificate alone. Where TLS lets nobody in who has only these, it asks /readyz.
    """
    settings = Settings(**values)
    try:
        with _connect(settings, timeout_seconds) as channel:
            _check(channel, timeout_seconds)
            if predict and settings.tokens_file is None and not (once and once.exists()):
                _predict(channel, timeout_seconds)
                if once:
                    once.touch()
    except grpc.RpcError as error:
        reason = f"{settings.grpc_address} answered {error.code().name}: {error.details()}"
        # Python and gRPC learn of it when they have sent their certificate, and are cut off.
        if settings.tls_client_ca is None or error.code() is not grpc.StatusCode.UNAVAILABLE:
            _fail(reason)
        _ask_http(settings, timeout_seconds, reason)
    except ssl.SSLError as error:
        # The file may be newer than what the server shows: it keeps a good one if that is bad.
        reason = f"{settings.grpc_address} can't be asked: {error}"
        _ask_http(settings, timeout_seconds, reason)
    except (OSError, StartupError) as error:
        _fail(f"{settings.grpc_address} can't be asked: {error}")
    _tell("healthy")


def _ask_http(settings: Settings, timeout_seconds: float, reason: str) -> None:
    """Ask /readyz whether some worker is ready, as gRPC could not be asked for a reason."""
    try:
        answer = _get_ready(settings.http_address, timeout_seconds)
    except (OSError, StartupError) as error:
        _fail(f"{reason}; nor can {READY} at {settings.http_address}: {error}")
    if answer.split()[1:2] != [b"200"]:
        shown = answer.decode("ascii", "replace") or "nothing in time"
        _fail(f"{reason}; {READY} at {settings.http_address} answered {shown}")


def _get_ready(address: str, timeout_seconds: float) -> bytes:
    """Return the first line of the answer, or what is there of it when the time is over."""
    host, port = split_address(address, "--http-address")
    host = LOOPBACK.get(host, host).strip("[]")
    end, answer = time.monotonic() + timeout_seconds, b""
    with socket.create_connection((host, port), timeout_seconds) as asked:
        asked.sendall(
            f"GET {READY} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        while b"\n" not in answer and (left := end - time.monotonic()) > 0:
            asked.settimeout(left)
            if not (more := asked.recv(LONGEST_LINE)):
                break
            answer = (answer + more)[:LONGEST_LINE]
    return answer.partition(b"\r\n")[0]


def _tell(text: str) -> None:
    # The exit code says it too, where nobody reads or the disk is full.
    with contextlib.suppress(OSError):
        click.echo(text)


def _fail(reason: str) -> NoReturn:
    _tell(f"unhealthy: {' '.join(reason.split())}")
    sys.exit(1)


def _connect(settings: Settings, timeout_seconds: float) -> grpc.Channel:
    """Return a connection to the server; raises OSError when its certificate can't be had."""
    target = settings.grpc_address
    if not is_socket(target):
        host, port = split_address(target, "--grpc-address")
        target = f"{LOOPBACK.get(host, host)}:{port}"
    # A proxy that the environment names is not asked for what is on this machine.
    options: list[tuple[str, int | str]] = [("grpc.enable_http_proxy", 0)]
    certificate, key = settings.tls_certificate, settings.tls_key
    if certificate is None or key is None:
        return grpc.insecure_channel(target, options=options)
    shown = certificate.read_bytes()
    own = (key.read_bytes(), shown) if settings.tls_client_ca else (None, None)
    name = _name(target, certificate, key, timeout_seconds)
    options.append(("grpc.ssl_target_name_override", name))
    return grpc.secure_channel(target, grpc.ssl_channel_credentials(shown, *own), options=options)


def _name(target: str, certificate: Path, key: Path, timeout_seconds: float) -> str:
    """Return a name that the server's certificate is for: it need not be for this machine's own
    addresses, but must be the one that the settings name, whose key nobody else has.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(certificate)
    # Callers may have to show one: an authority that made this one may be taken for callers too.
    context.load_cert_chain(certificate, key, password="")
    context.set_alpn_protocols(["h2"])
    with (
        contextlib.closing(_open(target, timeout_seconds)) as plain,
        context.wrap_socket(plain) as secure,
    ):
        peer: Any = secure.getpeercert() or {}
    names = names_of(peer)
    if not names:
        raise ssl.SSLError(f"{certificate} is for no name")
    return names[0]


def _open(target: str, timeout_seconds: float) -> socket.socket:
    if not is_socket(target):
        host, port = split_address(target, "--grpc-address")
        return socket.create_connection((host.strip("[]"), port), timeout_seconds)
    is_abstract = target.startswith(UNIX_ABSTRACT)
    path = f"\0{target[len(UNIX_ABSTRACT) :]}" if is_abstract else target[len(UNIX) :]
    opened = socket.socket(socket.AF_UNIX)
    opened.settimeout(timeout_seconds)
    opened.connect(path)
    return opened


def _check(channel: grpc.Channel, timeout_seconds: float) -> None:
    ask = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    answer = ask(health_pb2.HealthCheckRequest(service=SERVICE), timeout=timeout_seconds)
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        state = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
        raise OSError(f"{SERVICE} is {state}")


def _predict(channel: grpc.Channel, timeout_seconds: float) -> None:
    """Have a blank image of the default model, or else of the first one, classified."""
    # Only here, as it takes longer to import than all else.
    from mlpserve.v1 import classifier_pb2 as messages

    list_models = channel.unary_unary(
        f"/{SERVICE}/ListModels",
        request_serializer=messages.ListModelsRequest.SerializeToString,
        response_deserializer=messages.ListModelsResponse.FromString,
    )
    predict = channel.unary_unary(
        f"/{SERVICE}/Predict",
        request_serializer=messages.PredictRequest.SerializeToString,
        response_deserializer=messages.PredictResponse.FromString,
    )
    listed = list_models(messages.ListModelsRequest(), timeout=timeout_seconds)
    loaded = [model for model in listed.models if model.default_version]
    if not loaded:
        raise OSError("no model is loaded")
    model = next((m for m in loaded if m.name == listed.default_model), loaded[0])
    (sizes,) = (v.layer_sizes for v in model.versions if v.version == model.default_version)
    request = messages.PredictRequest(model=model.name, pixels_u8=bytes(sizes[0]))
    predict(request, timeout=timeout_seconds)
