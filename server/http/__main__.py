"""HTTP's process: answers on its parent's sockets until the parent says stop."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import structlog
import uvicorn

from server.errors import StartupError
from server.files.watched_files import WatchedFiles
from server.http.app import build_app
from server.http.connections import bounds
from server.http.connections.identity import (
    Identities,
    Identity,
    follow,
    newest,
    watch_identity,
)
from server.http.parent import Parent
from server.http.serving import Server
from server.logs.setup import configure_logs
from server.settings.addresses import is_local
from server.supervisor.control import Link, Message
from server.supervisor.lifeline import die_with
from server.system.memory import keep_little

log = structlog.get_logger()

STOP_SECONDS = 1.0
"""How long readers may take to finish once this process is to exit."""


def main() -> None:
    """Answer until the parent says stop or is gone."""
    # The standard input is the control socket.
    link = Link(socket.socket(fileno=0), is_blocking=True)
    first, *others = link.wait()
    link.set_blocking(False)
    die_with(first["parent"])
    # As plain values: reading them as flags would take longer than everything else here.
    settings = first["settings"]
    keep_little()
    configure_logs(
        settings["log_level"], settings["log_format"], descriptor=first["log"], process="http"
    )
    sockets = [socket.socket(fileno=file) for file in first["files"]]
    parent = Parent(link, settings["worker_timeout_seconds"])
    with contextlib.closing(link):
        asyncio.run(_serve(parent, first["parent"], others, sockets, settings))


async def _serve(
    parent: Parent,
    parent_pid: int,
    already: list[Message],
    sockets: list[socket.socket],
    settings: Mapping[str, Any],
) -> None:
    identities, context, following = None, None, None
    if settings["tls_certificate"] is not None:
        identities = Identities()
        read = partial(watch_identity, *_paths(settings), identities)
        files = _read_first(read, parent, settings)
        if files is not None and settings["http_tls"] == "on":
            context = newest(files)
        following = asyncio.create_task(follow(files, read))
    _warn_of_tokens(settings)
    config = uvicorn.Config(
        build_app(parent, parent_pid, settings, identities),
        http=bounds.BoundedProtocol,
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        # Anybody can cause warnings.
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=bounds.ACCEPTED_AT_ONCE,
        timeout_keep_alive=bounds.KEEP_ALIVE_SECONDS,
        h11_max_incomplete_event_size=bounds.MAX_HEAD_BYTES,
    )
    server = Server(config, lambda: parent.send(event="ready"), context)

    def stop() -> None:
        server.should_exit = True
        asyncio.get_running_loop().call_later(STOP_SECONDS, server.give_up)

    parent.listen(already, stop)
    await server.serve(sockets)
    if following is not None:
        following.cancel()


def _paths(settings: Mapping[str, Any]) -> tuple[Path, Path, Path | None]:
    """Return where certificate, key and authorities are."""
    client_ca = settings["tls_client_ca"]
    return (
        Path(settings["tls_certificate"]),
        Path(settings["tls_key"]),
        None if client_ca is None else Path(client_ca),
    )


def _read_first(
    read: Callable[[], WatchedFiles[Identity]], parent: Parent, settings: Mapping[str, Any]
) -> WatchedFiles[Identity] | None:
    """Return the certificate's files. What can't be read ends this process if it has to show them,
    to be started again later; probes and Prometheus are answered without.
    """
    try:
        return read()
    except StartupError as error:
        if settings["http_tls"] == "on":
            parent.send(event="failed", error=str(error))
            sys.exit(1)
        return None


def _warn_of_tokens(settings: Mapping[str, Any]) -> None:
    """Log that tokens can be read on their way, if that is so."""
    has_tokens = any(settings[name] is not None for name in ("tokens_file", "admin_tokens_file"))
    is_readable = settings["http_tls"] == "off" and not is_local(settings["http_address"])
    if has_tokens and is_readable and settings["http_api"] == "on":
        log.warning(
            "tokens are sent unencrypted because TLS is off",
            http=settings["http_address"],
            remedy="give --http-tls on, or --http-api off, or put a proxy with TLS in front",
        )


if __name__ == "__main__":
    main()
