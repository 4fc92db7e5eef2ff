"""A process's share of the work: reserves jobs, performs them, and tells the engine what became of them."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import NoReturn, TypeVar

from manyhands import _native
from manyhands._finished import Finished
from manyhands._holder import WorkerHolder
from manyhands._perform import UNKNOWN_KIND, Handler, failed, performed
from manyhands._signals import stopped_by_signals
from manyhands._wire import milliseconds, object_text, refuse_unknown, text, texts
from manyhands.client import Client
from manyhands.errors import Closed, Error, InvalidArgument, WrongState
from manyhands.job import Job

_log = logging.getLogger("manyhands")

_REFUSED_EVERY = 0.1
"""Seconds between two looks for outcomes that the engine refused."""

_THREAD_ENDED = -1.0
"""What a worker thread says last; a stop says its seconds, 0 or more."""

_LockLost = TypeVar("_LockLost", bound=Callable[[Job, str], object])
_AnyHandler = TypeVar("_AnyHandler", bound=Handler)


class Worker:
    """Performs the jobs of some queues with the handlers that are registered on it.

        worker = Worker(client, ["mail"], threads=4)

        @worker.perform("welcome")
        def welcome(job):
            return send(job.data["to"])

        worker.run()

    Its leases are renewed by a native thread, whatever the handlers do. A program that wants its own loop takes jobs
    with `next` and ends them with the methods of `Job`, then calls `close`.

    Source: core/src/worker/
    """

    def __init__(
        self,
        client: Client,
        queues: Sequence[str],
        *,
        threads: int | None = None,
        strategy: str | None = None,
        shutdown_timeout: float | timedelta = 25.0,
        **unknown: NoReturn,
    ) -> None:
        """Describe the worker; only checks its arguments. Nothing starts before `run` or `next`.

        client: whose namespace it works in.
        queues: 1 to 1000 names or patterns, in the order in which they are asked. `mail-*` stands for the queues there
            are that match (`*`: any text), by name; `!mail-bulk` takes away what it matches of the entries before it,
            or, as the first, of all queues; `@slow` stands for a saved list (`Client.patterns`), `!@slow` for the
            opposite of each of its entries. Patterns are followed while the worker runs; saved priorities come before
            the order here.
        threads: handlers at once, 1 to 1000. Default 1.
        strategy: ordered (the first queue that has a job) or round_robin. Default ordered.
        shutdown_timeout: seconds that a stop leaves to running handlers, 0 or more. Default 25.

        Raises InvalidArgument naming the argument.

        Source: core/src/worker/options.rs
        """
        refuse_unknown(unknown, None)
        if not isinstance(client, Client):
            raise InvalidArgument(f"client must be a Client, not {type(client).__name__}")
        queues = texts(queues, "queues", None)
        grace_ms = milliseconds(shutdown_timeout, "shutdown_timeout", None)
        options = {"queues": queues, "threads": threads, "strategy": strategy, "shutdown_timeout_ms": grace_ms}
        self._client = client
        self._options = {name: value for name, value in options.items() if value is not None}
        self._threads = 1 if threads is None else threads
        self._shutdown_timeout = grace_ms / 1000
        self._handlers: dict[str, Handler] = {}
        self._on_lock_lost: Callable[[Job, str], object] | None = None
        self._finished = Finished()
        self._events: SimpleQueue[float] = SimpleQueue()
        self._started = self._over = False
        self._crashes: list[BaseException] = []
        self._open()

    def _open(self) -> None:
        """The native worker knows its kinds from the start; until it is used, another one may take its place."""
        options = {**self._options, "kinds": list(self._handlers), "language": "python"}
        self._native = _native.Worker(self._client._native, object_text(options, None))
        self._holder = WorkerHolder(self._native)
        self._pid = os.getpid()

    def _begin(self) -> None:
        """From now on it belongs to this process. One that was described before a fork begins anew in the child."""
        if not self._started and self._pid != os.getpid():
            self._open()
        self._started = True

    @property
    def name(self) -> str:
        """What others see this worker as: host:pid:random.

        Changes when a handler is registered before the start, and at the start in a forked child.
        """
        return self._native.name

    def perform(self, kind: str) -> Callable[[_AnyHandler], _AnyHandler]:
        """Register the handler of a kind; a decorator.

        kind: 1 to 255 bytes; registering it again replaces the handler.

        The handler gets the Job. What it returns is stored as the job's result, and the job goes on along its route.
        Raising Fail, Retry or Snooze says otherwise. Any other exception runs the job again with growing delays until
        its retries are spent; then it fails in the group `<kind>:<exception class>`, after one of Manyhands' own errors
        in `<kind>:<name of its code>`: INVALID_ARGUMENT for a result that JSON cannot say. A handler that has ended its
        job itself (job.complete, job.fail, ...) returns nothing. Jobs of a kind without a handler are left to workers
        that have one; when there is none they fail in the group `unknown-kind:<kind>`.

        SystemExit and KeyboardInterrupt count as exceptions for the job and stop the worker; `run` raises them.

        Raises InvalidArgument for a bad kind, WrongState when the worker has started.
        """

        def register(handler: _AnyHandler) -> _AnyHandler:
            if self._started:
                raise WrongState(f"the worker has started: a handler for {kind} comes too late")
            text(kind, "kind", None)
            known = dict(self._handlers)
            self._handlers[kind] = handler
            try:
                self._open()
            except InvalidArgument:
                self._handlers = known
                raise
            return handler

        return register

    def on_lock_lost(self, callback: _LockLost) -> _LockLost:
        """Register what to call when the outcome of a performed job was refused; a decorator.

        callback: gets a Job and the reason: expired, cancelled, replaced, finished or unknown for a lost lease, else
            the error's text. Called on the thread of `run`, one at a time; what it raises is logged. Default: nothing
            is called.

        The Job is as its handler left it, though not the same object. When many ended meanwhile, it may have lost its
        `data`, which then raises WrongState: of the last 1,000 jobs 16 MiB in all are kept. The refusal is logged too.
        By then another worker may have performed the job.
        """
        self._on_lock_lost = callback
        return callback

    def run(self) -> None:
        """Perform jobs until stopped; then end well: outcomes sent, jobs that had not begun given back.

        On the main thread QUIT stops as `stop` does: no new jobs, and `shutdown_timeout` for running handlers. TERM and
        INT (Ctrl-C) leave them 2 s, also when they come after QUIT; a second TERM or INT ends the process now. A
        handler that outlasts its time goes on while `run` returns; its job is neither completed nor given back, but
        performed again when its lease runs out, which spends a retry. Raises Closed when the worker has stopped before
        or was used before a fork; Unavailable when the last outcomes did not reach Redis; and what keeps it from
        working at all, such as Denied. Of several that end it, the first is raised.

        Source: core/src/worker/mod.rs
        """
        if self._over:
            raise Closed("the worker has stopped; make another one", operation="worker_run")
        self._begin()
        threads = [
            threading.Thread(target=self._work, name=f"{self.name}-{number}", daemon=True)
            for number in range(self._threads)
        ]
        _log.info("worker %s started: queues %s, kinds %s", self.name, self._options["queues"], list(self._handlers))
        with stopped_by_signals(self._stop_within, self._shutdown_timeout):
            try:
                for thread in threads:
                    thread.start()
                self._wait(len(threads))
                self._end(0)
            except BaseException as error:
                with suppress(Error):
                    self._end(0)
                if self._crashes and isinstance(error, Error):
                    raise self._crashes[0] from error
                raise
            finally:
                self._report_refused()
                _log.info("worker %s stopped", self.name)
        if self._crashes:
            raise self._crashes[0]

    def stop(self) -> None:
        """Ask `run` to end: no new jobs, `shutdown_timeout` seconds for running handlers. Returns at once.

        May be called from any thread, handler or signal handler.
        """
        self._stop_within(self._shutdown_timeout)

    def next(self, timeout: float | timedelta | None = None) -> Job | None:
        """Wait for a job and take it. For programs that do not use `run`.

        timeout: seconds to wait, 0 or more. Default None: until there is a job or the worker is closed.

        Returns None when the time is over or the worker is closed. The lease is renewed until the job is ended with
        job.complete, job.fail, ... Raises Closed in a forked child. Releases the GIL; Ctrl-C ends the wait.

        Source: core/src/worker/mod.rs
        """
        self._begin()
        fields = self._native.next(None if timeout is None else milliseconds(timeout, "timeout", "worker_next"))
        return None if fields is None else Job(self._client, self._holder, fields)

    def close(self, timeout: float | timedelta | None = None) -> None:
        """End: no new jobs, send outcomes, give back jobs that had not begun, stop the native threads.

        timeout: seconds to wait for jobs that were taken and not ended, 0 or more. Default `shutdown_timeout`.
            The lease of those that remain runs out and another worker gets them.

        `run` does this by itself. Calling it again does nothing. Releases the GIL; Ctrl-C ends the wait.
        """
        self._end(milliseconds(self._shutdown_timeout if timeout is None else timeout, "timeout", "worker_stop"))

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _end(self, timeout_ms: int) -> None:
        self._begin()
        self._over = True
        self._native.stop(timeout_ms)

    def _stop_within(self, grace: float) -> None:
        self._events.put(grace)  # a SimpleQueue: the one lock that a signal handler may take

    def _wait(self, running: int) -> None:
        """Until all `running` threads have ended, or the time that a stop gave them is over."""
        until = math.inf
        while running and (left := until - time.monotonic()) > 0:
            try:
                grace = self._events.get(timeout=min(left, _REFUSED_EVERY))
            except Empty:
                grace = math.inf
            else:
                if grace == _THREAD_ENDED:  # stopped like the others, or crashed: then the others stop too
                    running -= 1
                    grace = self._shutdown_timeout
                _log.info("worker %s is stopping", self.name)
                self._native.quiet()
            until = min(until, time.monotonic() + grace)
            self._report_refused()

    def _work(self) -> None:
        try:
            while (fields := self._native.next(None)) is not None:
                self._perform(Job(self._client, self._holder, fields))
        except BaseException as error:  # noqa: BLE001  run raises it
            self._crashes.append(error)
        finally:
            self._events.put(_THREAD_ENDED)

    def _perform(self, job: Job) -> None:
        try:
            handler = self._handlers.get(job.kind)
            outcome = UNKNOWN_KIND if handler is None else performed(handler, job)
        except Exception as error:  # noqa: BLE001  a handler may raise anything
            _log.warning("job %s (%s) raised %s", job.jid, job.kind, type(error).__name__, exc_info=error)
            outcome = failed(error)
        except BaseException as error:
            self._finish(job, failed(error))
            raise
        self._finish(job, outcome)

    def _finish(self, job: Job, outcome: str) -> None:
        if job.token is None or not job.in_hand:  # the handler has ended it itself
            return
        if self._on_lock_lost is not None:
            self._finished.keep(job, job.token)
        try:
            self._native.finish(job.jid, job.token, outcome)
        except InvalidArgument as error:  # such as a failure group of 300 bytes
            _log.warning("job %s (%s): its outcome was refused", job.jid, job.kind, exc_info=error)
            self._native.finish(job.jid, job.token, failed(error))
        except WrongState:  # it ended the job itself and was refused: that is reported, and the job out of hand
            _log.info("job %s (%s) is out of hand already", job.jid, job.kind)
        except Closed:
            _log.warning("job %s (%s) ended after the worker had stopped: its lease runs out", job.jid, job.kind)

    def _report_refused(self) -> None:
        for jid, token, operation, reason in self._native.take_refused():
            _log.warning("job %s: %s was refused: %s", jid, operation, reason)
            job = self._finished.take(jid, token)
            if job is None or self._on_lock_lost is None:
                continue
            try:
                self._on_lock_lost(job, reason)
            except Exception:  # noqa: BLE001  the callback is the user's
                _log.exception("on_lock_lost raised for job %s", jid)

    def __repr__(self) -> str:
        return f"<manyhands.Worker {self.name}>"
