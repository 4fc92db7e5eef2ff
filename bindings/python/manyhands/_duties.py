"""What a worker was told to do: its handlers, the middleware around them, its hooks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from manyhands._event_loop import event_loop
from manyhands._hooks import Hooks
from manyhands._running import awaited
from manyhands.errors import InvalidArgument
from manyhands.job_class import JobClass
from manyhands.middleware import Middleware, chained, check_middleware, is_async, name_of

if TYPE_CHECKING:
    from manyhands.backoff import Backoff
    from manyhands.job import Job

Handler = Callable[["Job"], Any]

_HOOKS = ("before_perform", "after_perform", "failure", "lock_lost", "start", "stop", "before_fork", "after_fork")


class Duties:
    """Filled before a worker starts, and read by its threads from then on."""

    def __init__(self) -> None:
        self.hooks = Hooks(_HOOKS)
        self.timeouts: dict[str, int] = {}
        self.backoffs: dict[str, Backoff] = {}
        self._handlers: dict[str, Handler] = {}
        self._middleware: tuple[Middleware, ...] = ()
        self.runs: dict[str, Handler] = {}
        """The handler of each kind with all that is around it."""

    @property
    def kinds(self) -> list[str]:
        """Those that have a handler."""
        return list(self._handlers)

    def perform(self, kind: str, handler: Handler, timeout_ms: int | None, backoff: Backoff | None) -> None:
        """Add or replace the handler of a kind, how long it may run, and how long it waits after an error."""
        if not callable(handler):
            raise InvalidArgument(f"the handler of {kind} must be callable, not {type(handler).__name__}")
        if isinstance(handler, type):
            name = handler.__name__
            raise InvalidArgument(f"the handler of {kind} is the class {name}: decorate it with manyhands.job")
        self._arrange({**self._handlers, kind: handler}, self._middleware)
        self.timeouts.pop(kind, None)
        if timeout_ms is not None:
            self.timeouts[kind] = timeout_ms
        self.backoffs.pop(kind, None)
        if backoff is not None:
            self.backoffs[kind] = backoff

    def use(self, middleware: Middleware) -> None:
        """Put it around every handler, inside of the middleware that is there."""
        check_middleware(middleware)
        self._arrange(self._handlers, (*self._middleware, middleware))

    def copy(self) -> Duties:
        """The same, to be changed apart."""
        duties = Duties()
        duties.hooks = self.hooks
        duties.timeouts, duties.backoffs = dict(self.timeouts), dict(self.backoffs)
        duties._arrange(self._handlers, self._middleware)
        return duties

    def _arrange(self, handlers: dict[str, Handler], middleware: tuple[Middleware, ...]) -> None:
        runs = {kind: _run(middleware, kind, handler) for kind, handler in handlers.items()}
        self._handlers, self._middleware, self.runs = handlers, middleware, runs

    def awaiting(self) -> AbstractContextManager[object]:
        """While inside, all runs of `async def` handlers find the same event loop."""
        return event_loop().used() if any(map(_is_async, self._handlers.values())) else nullcontext()


def _run(middleware: tuple[Middleware, ...], kind: str, handler: Handler) -> Handler:
    """The handler with all middleware around it. `async def` middleware runs with the handler on the event loop."""
    asynchronous = [is_async(one) for one in middleware]
    split = asynchronous.index(True) if True in asynchronous else len(middleware)
    if split < len(middleware) and not _is_async(handler):
        raise InvalidArgument(f"middleware {name_of(middleware[split])} is async def, but the handler of {kind} is not")
    if not all(asynchronous[split:]):
        inner = middleware[split + asynchronous[split:].index(False)]
        raise InvalidArgument(f"middleware {name_of(inner)} is not async def, but comes after one that is")
    innermost = partial(awaited, chained(middleware[split:], handler)) if _is_async(handler) else handler
    return chained(middleware[:split], innermost)


def _is_async(handler: Handler) -> bool:
    return is_async(handler.handler if isinstance(handler, JobClass) else handler)
