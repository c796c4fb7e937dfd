"""A worker: serves on the port that the workers share, and does what its parent says."""

import os
import queue
import socket
import sys
import threading

from server import metrics
from server.app import Server
from server.errors import StartupError
from server.flags import restore
from server.logs import configure_logs
from server.workers.control import Control, Message
from server.workers.families import WORKER, pack
from server.workers.lifeline import die_with


def main() -> None:
    """Serve until the parent says stop; the exit code is 1 when that can't be done."""
    # The standard input is the control socket.
    control = Control(socket.socket(fileno=0))
    first, *orders = _receive(control)
    die_with(first["parent"])
    settings = restore(first["settings"])
    configure_logs(settings.log_level, settings.log_format, worker=first["worker"])
    try:
        server = Server(settings, lambda: control.send(event="reloading"))
        server.start(lambda: control.send(event="takes_over"))
    except StartupError as error:
        control.send(event="failed", error=str(error))
        control.detach()
        sys.exit(1)
    control.send(event="ready", default_model=server.default_model)
    slow: queue.SimpleQueue[str] = queue.SimpleQueue()
    label = WORKER, str(first["worker"])
    threading.Thread(
        target=_obey, args=(control, orders, server, slow, label), name="control", daemon=True
    ).start()
    while slow.get() != "stop":
        server.reload()
    server.stop()
    started, handled = metrics.METHODS.total()
    control.send(
        event="stopped",
        calls_started=started,
        calls_handled=handled,
    )


def _obey(
    control: Control,
    orders: list[Message],
    server: Server,
    slow: "queue.SimpleQueue[str]",
    worker: tuple[str, str],
) -> None:
    """Do what the parent says, one thing after the other; leave what takes time to `slow`."""
    while True:
        for order in orders:
            match order["do"]:
                case "ping":
                    control.send(event="pong")
                case "metrics":
                    packed = pack(metrics.REGISTRY.write(worker))
                    control.send(*packed, event="metrics", question=order["question"])
                case "drain":
                    server.set_ready(False)
                case what:
                    slow.put(what)
        orders = _receive(control)


def _receive(control: Control) -> list[Message]:
    """Wait for the parent; without one there is nothing left to do."""
    while (orders := control.receive()) is not None:
        if orders:
            return orders
    os._exit(1)


if __name__ == "__main__":
    main()
