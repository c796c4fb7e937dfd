"""A worker: serves on the port that the workers share, and obeys its parent."""

import os
import queue
import socket
import sys
import threading

import structlog

from server.app import Server
from server.errors import StartupError
from server.logs.setup import configure_logs
from server.models.journal import Journal
from server.settings.flags import restore
from server.supervisor.control import Link, Message
from server.supervisor.lifeline import die_with
from server.supervisor.peers import Peers
from server.telemetry import scrape
from server.telemetry.calls import METHODS
from server.telemetry.families import WORKER, pack

log = structlog.get_logger()


def main() -> None:
    """Serve until the parent says stop; the exit code is 1 if it can't start."""
    # The standard input is the control socket.
    control = Link(socket.socket(fileno=0), is_blocking=True)
    first, *orders = control.wait()
    die_with(first["parent"])
    settings = restore(first["settings"])
    configure_logs(
        settings.log_level, settings.log_format, descriptor=first["log"], worker=first["worker"]
    )
    journal = Journal(
        lambda file: control.send(event="loading", file=file), first.get("crashed", ())
    )
    slow: queue.SimpleQueue[str] = queue.SimpleQueue()
    peers = Peers(control.send)
    try:
        server = Server(
            settings,
            journal,
            peers.ask,
            first.get("unloaded", ()),
            first.get("default_model"),
        )
        # Before the start, which loads models: a stop must not wait for that.
        threading.Thread(
            target=_obey,
            args=(control, orders, server, slow, peers, first["worker"]),
            name="control",
            daemon=True,
        ).start()
        server.start(lambda: control.send(event="takes_over"))
    except StartupError as error:
        control.send(event="failed", error=str(error))
        control.detach()
        sys.exit(1)
    control.send(event="ready", default_model=server.default_model)
    while slow.get() != "stop":
        try:
            server.reload()
        except Exception:
            log.exception("reload failed")
    has_ended = False
    try:
        has_ended = server.stop()
    except Exception:
        log.exception("the stop failed")
    started, handled = METHODS.total()
    control.send(event="stopped", calls_started=started, calls_handled=handled)
    if not has_ended or peers.are_awaited:
        # A thread that is still loading is in native code, which does not survive the interpreter's
        # end; one that waits for other workers would delay it.
        os._exit(0)


def _obey(
    control: Link,
    orders: list[Message],
    server: Server,
    slow: "queue.SimpleQueue[str]",
    peers: Peers,
    worker: int,
) -> None:
    """Do what the parent says, in order; leave what takes time to `slow`.

    Ends the process if it can't go on, because the parent would never hear from it again.
    """

    def do(order: Message) -> None:
        match order["do"]:
            case "ping":
                if missing := server.missing_threads():
                    # A new worker is better than this one without these threads.
                    log.critical("the worker exits, because a thread has ended", threads=missing)
                    os._exit(1)
                control.send(event="pong", silent_seconds=server.silent_seconds())
            case "metrics" | "ask" | "answers":
                _converse(control, server, peers, worker, order)
            case "drain":
                server.set_ready(False)
            case "stop" if not server.is_started:
                os._exit(0)
            case what:
                slow.put(what)

    try:
        while True:
            for order in orders:
                try:
                    do(order)
                except Exception:
                    log.exception("order failed", order=order.get("do"))
            orders = control.wait()
    finally:
        os._exit(1)


def _converse(control: Link, server: Server, peers: Peers, worker: int, order: Message) -> None:
    """Receive the answers to this worker's question, or answer another's, perhaps later."""
    question = order["question"]
    if order["do"] == "answers":
        peers.take(order)
        return
    if order["do"] == "metrics":
        packed = pack(scrape.families((WORKER, str(worker))))
        control.send(*packed, event="metrics", question=question)
        return
    try:
        server.answer(
            order["subject"],
            order["of"],
            lambda answer: control.send(answer, event="told", question=question),
        )
    except Exception:
        log.exception("a worker's question got no answer", subject=order.get("subject"))
        control.send(event="told", question=question, is_missing=True)


if __name__ == "__main__":
    main()
