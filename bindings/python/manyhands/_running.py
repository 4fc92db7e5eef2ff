"""Jobs whose handlers run, and how these are told to end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from manyhands import _native
from manyhands._event_loop import Waiting, event_loop
from manyhands.interrupted import JobInterrupted, interrupted_as

if TYPE_CHECKING:
    from manyhands._duties import Handler
    from manyhands.job import Job

_MOST_EARLY = 1_000


class Running:
    """One run of a handler with what is around it, on the thread that made this."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.thread = threading.current_thread()
        self.since = time.monotonic()
        self.reason: str | None = None
        self.waiting: Waiting | None = None
        self._run = _native.Run(threading.get_ident())

    def perform(self, run: Handler) -> Any:
        """Run it; an interrupt is raised inside of `run` and never after it."""
        before, _here.running = _here.running, self
        try:
            return self._run.call(run, self.job)
        finally:
            _here.running = before

    def wait(self, handler: Handler) -> Any:
        """Await an `async def` handler; an interrupt cancels it."""
        self.waiting = waiting = Waiting(partial(handler, self.job))
        waited = self._run.wait(partial(event_loop().run, waiting))
        if waited is None or (waiting.cancelled and self.reason is not None):
            raise JobInterrupted(self.reason)
        return waiting.result()

    def interrupt(self, reason: str) -> None:
        """Raise JobInterrupted in it, or cancel what it awaits; does nothing when it is over."""
        before, self.reason = self.reason, reason
        told = self._run.interrupt(interrupted_as(reason))
        if told is None:
            self.reason = before
        elif not told and self.waiting is not None:
            self.waiting.cancel(reason)


class _Here(threading.local):
    """What runs on this thread."""

    running: Running | None = None


_here = _Here()


def awaited(handler: Handler, job: Job) -> Any:
    """Run an `async def` handler on the event loop, and wait for it on this thread."""
    if _here.running is None:  # no worker runs it, but a test
        return Running(job).perform(partial(awaited, handler))
    return _here.running.wait(handler)


class Runs:
    """All runs of a worker by job and token, which interrupts are told to once each.

    changed: called when one begins or has ended.
    """

    def __init__(self, changed: Callable[[], None] | None) -> None:
        self._changed = changed
        self._runs: dict[tuple[str, str | None], Running] = {}
        self._early: dict[tuple[str, str | None], str] = {}

    def perform(self, job: Job, act: Callable[[Running], Any]) -> Any:
        """Call act(running), during which interrupts reach the run."""
        key, running = (job.jid, job.token), Running(job)
        self._runs[key] = running
        self._tell(key)
        if self._changed is not None:
            self._changed()
        try:
            return act(running)
        finally:
            del self._runs[key]
            self._early.pop(key, None)
            if self._changed is not None:
                self._changed()

    def interrupt(self, jid: str, token: str, reason: str) -> None:
        """Interrupt a run, also one that is just about to begin: whoever takes the reason out tells of it."""
        self._early[jid, token] = reason
        self._tell((jid, token))
        while len(self._early) > _MOST_EARLY:  # those whose run had just ended
            self._early.pop(next(iter(self._early)), None)

    def all(self) -> list[Running]:
        """Those there are now."""
        return list(self._runs.values())

    def _tell(self, key: tuple[str, str | None]) -> None:
        running = self._runs.get(key)
        reason = self._early.pop(key, None) if running else None
        if running and reason:
            running.interrupt(reason)
