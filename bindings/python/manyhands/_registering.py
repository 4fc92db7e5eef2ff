"""What a program says that a worker is to do: handlers, middleware, hooks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import timedelta
from typing import Literal, TypeVar, overload

from manyhands._duties import Duties, Handler
from manyhands._wire import milliseconds, text
from manyhands.backoff import Backoff, BackoffLike
from manyhands.errors import InvalidArgument, WrongState
from manyhands.job import Job
from manyhands.job_class import JobClass
from manyhands.middleware import Middleware

_LockLost = TypeVar("_LockLost", bound=Callable[[Job, str], object])
_AnyHandler = TypeVar("_AnyHandler", bound=Handler)
_AnyMiddleware = TypeVar("_AnyMiddleware", bound=Middleware)
_AnyHook = TypeVar("_AnyHook", bound=Callable[..., object])

Hook = Literal["before_perform", "after_perform", "failure", "lock_lost", "start", "stop", "before_fork", "after_fork"]


class Registering(ABC):
    """The part of Worker that is over when it starts."""

    _duties: Duties
    _started: bool

    @overload
    def perform(
        self, kind: str, *, timeout: float | timedelta | None = None, backoff: BackoffLike | None = None
    ) -> Callable[[_AnyHandler], _AnyHandler]: ...
    @overload
    def perform(
        self, kind: JobClass, *, timeout: float | timedelta | None = None, backoff: BackoffLike | None = None
    ) -> JobClass: ...
    def perform(
        self, kind: str | JobClass, *, timeout: float | timedelta | None = None, backoff: BackoffLike | None = None
    ) -> JobClass | Callable[[_AnyHandler], _AnyHandler]:
        """Register the handler of a kind; a decorator, or with a job class (`manyhands.job`) a call.

        kind: 1 to 255 bytes; registering it again replaces the handler. Or a job class.
        timeout: seconds that the handler may run: see `Worker`. A put's own comes first (`Queue.put`). Default: the job
            class's, else the worker's.
        backoff: how long its jobs wait after an error that no RetryRules name: a Backoff, or seconds. Default: the job
            class's, else 1 s doubling to an hour. A put's own comes first as well.

        The handler, a function or `async def`, gets the Job. What it returns is stored as the job's result, and the job
        goes on along its route.
        Raising Fail, Retry or Snooze says otherwise. Any other exception runs the job again with growing delays until
        its retries are spent; then it fails in the group `<kind>:<exception class>`, after one of Manyhands' own errors
        in `<kind>:<name of its code>`: INVALID_ARGUMENT for a result that JSON cannot say. A handler that has ended its
        job itself (job.complete, job.fail, ...) returns nothing. Jobs of a kind without a handler are left to workers
        that have one; when there is none they fail in the group `unknown-kind:<kind>`.

        SystemExit and KeyboardInterrupt count as exceptions for the job and stop the worker; `run` raises them.

        Raises InvalidArgument for a bad kind, WrongState when the worker has started.
        """

        if isinstance(kind, JobClass):
            chosen = kind.backoff if backoff is None else backoff
            self._register(kind.kind, kind, kind.timeout if timeout is None else timeout, chosen)
            return kind
        text(kind, "kind", None)

        def register(handler: _AnyHandler) -> _AnyHandler:
            self._register(kind, handler, timeout, backoff)
            return handler

        return register

    def _register(
        self, kind: str, handler: Handler, timeout: float | timedelta | None, backoff: BackoffLike | None
    ) -> None:
        self._refuse_started(f"a handler for {kind}")
        timeout_ms = None if timeout is None else milliseconds(timeout, "timeout", None, least=1)
        waits = None if backoff is None else Backoff.of(backoff)
        known, self._duties = self._duties, self._duties.copy()
        try:
            self._duties.perform(kind, handler, timeout_ms, waits)
            self._open_again()
        except InvalidArgument:
            self._duties = known
            raise

    def use(self, middleware: _AnyMiddleware) -> _AnyMiddleware:
        """Put middleware around every job that has a handler; a decorator. The first registered is the outermost.

        middleware: called as middleware(job, next) on the handler's thread; next() is the middleware registered later
            and in the end the handler. What it returns is the job's result: that of next, or another.

        Not calling next skips the handler; the job is completed with what the middleware returns, unless it raises or
        has ended the job itself. Exceptions go outward, Fail, Retry and Snooze too. `job.locals` is a dictionary for
        this run, which all middleware and the handler share. Where all handlers are `async def`, middleware may be so
        too, after that which is not: it runs on the event loop and says `await next()`.

            @worker.use
            def measured(job, next):
                began = time.monotonic()
                try:
                    return next()
                finally:
                    timings.add(job.kind, time.monotonic() - began)

        Raises InvalidArgument for what cannot be called, WrongState when the worker has started; in the middleware
        WrongState when it calls next twice.
        """
        self._refuse_started("middleware")
        self._duties.use(middleware)
        return middleware

    def on(self, hook: Hook) -> Callable[[_AnyHook], _AnyHook]:
        """Register what to call when something happens; a decorator. Of several, all are called in their order.

        hook: one of
            before_perform, called with the job before the middleware and the handler, on their thread;
            after_perform, with the job after them, whatever they returned or raised;
            failure, after that, with the job and the exception when they raised an error, or Fail; with a Fail too
                when they failed the job themselves (job.fail) and raised nothing;
            lock_lost, with the job and the reason: see `on_lock_lost`;
            start, with the worker before the first job, and stop, with it after the last, on the thread of `run`;
            before_fork, with the worker in the master of `python -m manyhands work` before it makes a process, and
            after_fork, with it in the process: to close and open what a fork must not share.

        What it raises is logged and changes nothing: who wants to change what happens uses middleware (`use`).

            @worker.on("failure")
            def report(job, error):
                errors.report(error, jid=job.jid)

        Raises InvalidArgument for another name, WrongState when the worker has started.
        """

        self._duties.hooks.check(hook)

        def register(called: _AnyHook) -> _AnyHook:
            self._refuse_started("a hook")
            self._duties.hooks.add(hook, called)
            return called

        return register

    def on_lock_lost(self, callback: _LockLost) -> _LockLost:
        """Register what to call when the outcome of a performed job was refused; a decorator, `on("lock_lost")`.

        callback: gets a Job and the reason: expired, cancelled, replaced, finished or unknown for a lost lease, else
            the error's text. Called on the thread of `run`, one at a time; what it raises is logged. Default: nothing
            is called. Several are called in their order.

        The Job is as its handler left it, though not the same object. When many ended meanwhile, it may have lost its
        `data`, which then raises WrongState: of the last 1,000 jobs 16 MiB in all are kept. The refusal is logged too.
        By then another worker may have performed the job.
        """
        return self.on("lock_lost")(callback)

    def _refuse_started(self, what: str) -> None:
        if self._started:
            raise WrongState(f"the worker has started: {what} comes too late")

    @abstractmethod
    def _open_again(self) -> None:
        """Begin anew, with what is registered now and paused if it was; InvalidArgument when the core refuses it."""
