"""Jobs whose handlers run, and how these are told to end."""

from __future__ import annotations

import threading
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


class Running(_native.Run):
    """One run of a handler with what is around it, on the thread that made this."""

    job: Job
    reason: str | None = None
    waiting: Waiting | None = None

    def tell(self, reason: str) -> None:
        """Raise JobInterrupted in it, or cancel what it awaits; does nothing when it is over."""
        before, self.reason = self.reason, reason
        told = self.interrupt(interrupted_as(reason))
        if told is None:
            self.reason = before
        elif not told and self.waiting is not None:
            self.waiting.cancel(reason)


def awaited(handler: Handler, job: Job) -> Any:
    """Run an `async def` handler on the event loop, and wait for it on this thread; an interrupt cancels it."""
    waiting, running = Waiting(partial(handler, job)), job._running
    if running is None or running.thread != threading.get_ident():  # a test performs it, or what its run has begun
        event_loop().run(waiting)
        return waiting.result()
    running.waiting = waiting
    waited = running.wait(partial(event_loop().run, waiting))
    if waited is None or (waiting.cancelled and running.reason is not None):
        raise JobInterrupted(running.reason)
    return waiting.result()


class Runs:
    """All runs of a worker, which interrupts are told to once each.

    changed: called when one begins or has ended.
    """

    def __init__(self, changed: Callable[[], None] | None) -> None:
        self._changed = changed
        self._runs: dict[Job, Running] = {}
        self._early: dict[tuple[str, str | None], str] = {}

    def begin(self, job: Job) -> Running:
        """From now on interrupts reach the job's run, which is about to begin on this thread."""
        job._running = running = Running()
        running.job = job
        self._runs[job] = running  # not before it has its job, which those ask for who look through the runs
        if self._early:
            self._tell(running)
        if self._changed is not None:
            self._changed()
        return running

    def end(self, running: Running) -> None:
        """It is over."""
        del self._runs[running.job]
        running.job._running = None
        if self._early:
            self._early.pop(_key(running), None)
        if self._changed is not None:
            self._changed()

    def interrupt(self, jid: str, token: str, reason: str) -> None:
        """Interrupt a run, also one that is just about to begin: whoever takes the reason out tells of it."""
        self._early[jid, token] = reason
        for running in self.all():
            if _key(running) == (jid, token):
                self._tell(running)
        while len(self._early) > _MOST_EARLY:  # those whose run had just ended
            self._early.pop(next(iter(self._early)), None)

    def all(self) -> list[Running]:
        """Those there are now."""
        return list(self._runs.values())

    def _tell(self, running: Running) -> None:
        reason = self._early.pop(_key(running), None)
        if reason:
            running.tell(reason)


def _key(running: Running) -> tuple[str, str | None]:
    return running.job.jid, running.job.token
