"""A master that forks: it makes processes and hands on signals, and the native supervisor says when."""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import warnings
from types import FrameType
from typing import TYPE_CHECKING, Any

from manyhands import _native

if TYPE_CHECKING:
    from manyhands._title import Title
    from manyhands.worker import Worker

_LONGEST_WAIT_MS = 3_600_000

_SIGNALS = ("QUIT", "TERM", "INT", "USR1", "USR2", "CONT", "TTIN", "HUP")

_SERVICE_MANAGER = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
"""What a service manager tells the master alone."""


_LONGEST = 86_400.0
"""Seconds; the most that SHUTDOWN_TIMEOUT and KILL_TIMEOUT may be."""


class Master:
    """Keeps processes of a worker."""

    def __init__(self, worker: Worker, flags: dict[str, str], title: Title) -> None:
        self._worker = worker
        self._title = title
        # How long a process may take to end is what its worker says, whoever set that.
        times = {
            "shutdown-timeout": worker._options.shutdown_timeout,
            "kill-timeout": worker._options.kill_timeout,
        }
        flags = {**flags, **{flag: str(min(time, _LONGEST)) for flag, time in times.items()}}
        self._supervisor = _native.Supervisor(worker._client._native, json.dumps(flags))

    def keep(self) -> int:
        """Keep them until a signal ends it; the status to end with. Returns in each process too, at its end."""
        gc.collect()
        gc.freeze()  # what is there now stays shared with the processes
        signal.set_wakeup_fd(self._supervisor.wakeup_fd, warn_on_full_buffer=False)  # one that comes just before a wait
        for name in _SIGNALS:
            signal.signal(getattr(signal, f"SIG{name}"), self._hand_on)
        while True:
            answer = self._tell("wait", timeout_ms=_LONGEST_WAIT_MS)
            queues = ",".join(self._worker._options.queues)
            self._title.show(f"manyhands master [{queues}] {answer['status']}")
            for task in answer["tasks"]:
                if task["do"] == "exit":
                    status: int = task["status"]
                    return status
                if self._fork(task["process"], task["environment"]):
                    self._worker._duties.hooks.tell("after_fork", self._worker)
                    self._worker.run()
                    return 0

    def _tell(self, event: str, **members: Any) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._supervisor.event(json.dumps({"event": event, **members})))
        return answer

    def _hand_on(self, number: int, _frame: FrameType | None) -> None:
        name = signal.Signals(number).name.removeprefix("SIG")
        # Who closes a terminal wants an end; a service manager wants what is newest.
        self._tell("signal", name="QUIT" if name == "HUP" and os.isatty(0) else name)

    def _fork(self, process: int, environment: dict[str, str]) -> bool:
        """Make a process; true in it."""
        self._worker._duties.hooks.tell("before_fork", self._worker)
        sys.stdout.flush()
        sys.stderr.flush()
        # Until it has signal handlers of its own, a child would take its signals for the master's.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            pid = _forked()
        except OSError as error:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            self._tell("not_started", process=process, why=str(error))
            return False
        if pid == 0:
            self._become(process, environment)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        if pid != 0:
            self._tell("started", process=process, pid=pid)
        return pid == 0

    def _become(self, process: int, environment: dict[str, str]) -> None:
        """In the child: be that process and nothing of the master."""
        signal.set_wakeup_fd(-1)
        self._tell("forked", process=process)
        for name in _SIGNALS:
            signal.signal(getattr(signal, f"SIG{name}"), signal.SIG_DFL)
        for name in ("USR1", "USR2", "TTIN"):  # there is nothing to be told yet
            signal.signal(getattr(signal, f"SIG{name}"), signal.SIG_IGN)
        # A key pressed at a terminal reaches the master alone, and what is typed nobody.
        os.setpgid(0, 0)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.environ.update(environment)
        for name in _SERVICE_MANAGER:
            os.environ.pop(name, None)


def _forked() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the only threads are the core's, which knows of forks
        return os.fork()
