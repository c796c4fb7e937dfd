"""The parent's main loop: watches the processes, restarts them, and stops them in order.

Whatever goes wrong with one of them, or here, is logged, and the loop goes on.
"""

import contextlib
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator

import structlog

from server.errors import StartupError
from server.settings.addresses import reachable
from server.supervisor.control import Broken, Message
from server.supervisor.crew import END_SECONDS as END_SECONDS
from server.supervisor.crew import Crew
from server.supervisor.front import START_SECONDS, Front
from server.supervisor.launch import Launched
from server.supervisor.process import MAX_WAITING_BYTES, Child
from server.supervisor.signals import STOP

log = structlog.get_logger()

TICK_SECONDS = 0.1
"""How often the parent checks the processes when nothing happens."""

PING_SECONDS = 1.0
"""How often it pings them, or a fifth of the worker timeout if that is less."""

PAUSE_SECONDS = 1.0
"""If a turn took longer, this process was stopped, and the others perhaps too."""


class Supervisor:
    """Supervises the processes: `run` is startup, then the main loop, then shutdown."""

    def __init__(self, launched: Launched, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._launched, self._clock = launched.settings, launched, clock
        self._front = Front(launched.http, launched.start_http)
        self._crew = Crew(
            launched.settings,
            launched.workers,
            launched.start_worker,
            self._tell_serving,
            self._front.answer,
        )
        self._timeout = self._settings.worker_timeout_seconds
        self._stops = 0
        self._turn_time = self._ping_time = clock()
        self._watched: dict[Child, int] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(launched.signals, selectors.EVENT_READ)

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; raises StartupError when no worker can be started."""
        try:
            try:
                while not self._stops:
                    self.turn()
            except StartupError:
                raise
            except Exception:
                # No error is known to get here. Even so, the workers stop in order.
                with contextlib.suppress(Exception):
                    log.exception("the parent's loop has failed, and the server is stopping")
                self._end_without_loop()
                raise
            self._shut_down()
        finally:
            self._kill_all()
            self._selector.close()
            self._launched.resources.close()
        log.info(
            "stopped",
            calls_started=self._crew.calls_started,
            calls_handled=self._crew.calls_handled,
        )

    def turn(self) -> None:
        """Wait for events, for a tick at most, and handle them."""
        self._watch()
        for key, _ in self._selector.select(TICK_SECONDS):
            with self._going_on("with signals" if key.data is None else "with a message"):
                if key.data is None:
                    self._take_signals()
                else:
                    key.data.control.flush()
                    self._listen(key.data)
        now = self._clock()
        pause = now - self._turn_time
        self._turn_time = now
        is_due = now - self._ping_time >= min(PING_SECONDS, self._timeout / 5)
        if is_due:
            self._ping_time = now
        for child in self._children():
            with self._going_on("with a process"):
                if pause > PAUSE_SECONDS and child.ping_time is not None:
                    child.ping_time += pause
                self._look_after(child, now, is_due)
        with self._going_on("with workers"):
            self._crew.tend(now)
        with self._going_on("with HTTP's process"):
            self._front.tend(now)

    @contextlib.contextmanager
    def _going_on(self, what: str) -> Iterator[None]:
        """Log an error and go on, unless it says that the server can't start."""
        try:
            yield
        except StartupError:
            raise
        except Exception:
            with contextlib.suppress(Exception):
                log.exception(f"error of the parent process {what}; it goes on")

    def _children(self) -> list[Child]:
        return [*self._crew.children(), *self._front.children()]

    def _watch(self) -> None:
        """Register each process for what it sends, and for room if something waits to be sent."""
        for child in self._children():
            events = selectors.EVENT_READ
            if child.control.waiting_bytes:
                events |= selectors.EVENT_WRITE
            if child.is_gone or self._watched.get(child) == events:
                continue
            with self._going_on("with a control socket"):
                if child in self._watched:
                    self._selector.modify(child.control, events, child)
                else:
                    self._selector.register(child.control, events, child)
                self._watched[child] = events

    def _take_signals(self) -> None:
        for number in self._launched.signals.take():
            if number in STOP:
                self._stops += 1
            elif number == signal.SIGHUP:
                self._crew.reload()
            elif number == signal.SIGUSR2:
                self._crew.roll()

    def _listen(self, child: Child) -> bool:
        """Handle a process's messages; returns whether there were any."""
        try:
            received = child.control.receive()
        except Exception as error:
            with contextlib.suppress(Exception):
                what = "it can't be understood" if isinstance(error, Broken) else "it can't be read"
                log.exception(f"killing a process: {what}", pid=child.process.pid)
            child.process.kill()
            received = None
        if received is None:
            self._hang_up(child)
            return False
        for message in received:
            with self._going_on("with a message"):
                self._on_message(child, message)
        return bool(received)

    def _on_message(self, child: Child, message: Message) -> None:
        now = self._clock()
        if child in self._front.children():
            self._front.on_message(child, message, now, self._crew)
        else:
            self._crew.on_message(child, message, now)

    def _hang_up(self, child: Child) -> None:
        """Close the control socket of a process that is exiting, and set a deadline for that."""
        if child.is_gone:
            return
        child.is_gone = True
        deadline = self._clock() + END_SECONDS
        child.deadline = deadline if child.deadline is None else min(child.deadline, deadline)
        if self._watched.pop(child, None) is not None:
            self._selector.unregister(child.control)
        child.control.close()

    def _look_after(self, child: Child, now: float, is_due: bool) -> None:
        """Check whether a process has exited or must be killed, and ping it."""
        if (exit_code := child.process.poll()) is not None:
            # Its last messages come first.
            while not child.is_gone and self._listen(child):
                pass
            self._hang_up(child)
            if child in self._front.children():
                self._front.on_end(child, exit_code, now)
            else:
                self._crew.on_end(child, exit_code, now)
        elif child.deadline is not None and now > child.deadline:
            child.deadline = None
            child.process.kill()
            if child in self._front.children():
                log.warning("HTTP's process killed, because it did not exit")
            else:
                log.warning("worker killed, because it did not exit", worker=child.number)
        elif child.deadline is not None or child.is_hung:
            # A process that is to exit is not watched otherwise.
            return
        elif self._is_hung(child, now):
            child.is_hung = True
            child.process.kill()
        elif is_due and (child.is_ready or child in self._front.children()):
            child.ping(now)

    def _is_hung(self, child: Child, now: float) -> bool:
        """Whether a process has been unresponsive for too long, or does not read its orders."""
        if child in self._front.children():
            patience = self._timeout if child.is_ready else max(self._timeout, START_SECONDS)
            return child.silence(now) > patience
        if child.control.waiting_bytes > MAX_WAITING_BYTES:
            return True
        return child.is_ready and child.silence(now) > self._timeout

    def _tell_serving(self, default_model: str | None) -> None:
        log.info(
            "serving",
            **self._pages(),
            grpc=self._settings.grpc_address,
            http=self._launched.http_address,
            default_model=default_model,
            workers=len(self._crew.slots),
            seconds=round(time.perf_counter() - self._launched.begin, 4),
        )

    def _pages(self) -> dict[str, str]:
        """Return where the pages are, if there are some that anybody can open."""
        is_tls = self._settings.http_tls == "on"
        is_closed = self._settings.tls_client_ca is not None and not is_tls
        if self._settings.http_api == "off" or is_closed:
            return {}
        scheme = "https" if is_tls else "http"
        root = f"{scheme}://{reachable(self._launched.http_address)}/"
        return {"page": root, "watch": f"{root}watch"}

    def _shut_down(self) -> None:
        """Stop without losing a call: announce it, wait for balancers, then refuse new calls."""
        delay = self._settings.drain_delay_seconds if self._crew.ready() else 0.0
        with self._going_on("while it stops"):
            self._crew.drain()
            log.info("draining", seconds=delay)
        end = self._clock() + delay
        while self._stops < 2 and self._clock() < end:
            self.turn()
        with self._going_on("while it stops"):
            self._crew.stop(self._clock())
        while self._crew.children():
            self.turn()
        with self._going_on("while it stops"):
            self._front.stop(self._clock())
        while self._front.children():
            self.turn()

    def _end_without_loop(self) -> None:
        """Stop the workers in the same order, without the loop that watches them."""
        with self._going_on("while it stops"):
            self._crew.drain()
        time.sleep(self._settings.drain_delay_seconds)
        with self._going_on("while it stops"):
            self._crew.stop(self._clock())
        patience = self._settings.stop_grace_seconds + END_SECONDS
        self._wait_for(self._crew.children(), patience)

    def _wait_for(self, children: list[Child], patience_seconds: float) -> None:
        end = time.monotonic() + patience_seconds
        for child in children:
            with self._going_on("with a process"), contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(max(0.0, end - time.monotonic()))

    def _kill_all(self) -> None:
        """Kill whatever still runs."""
        for child in self._children():
            with self._going_on("with a process"):
                child.process.kill()
                child.control.close()
        self._wait_for(self._children(), END_SECONDS)
